//! A mistake in `#[cached]` is an error of the compiler that says what to write instead.

#[test]
fn mistakes_are_errors_that_say_what_to_write() {
    let tests = trybuild::TestCases::new();
    tests.compile_fail("tests/compile_fail/*.rs");
}
