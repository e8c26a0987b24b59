//! Whether an answer is what the README shows: `...` on a line of its own stands for any lines, inside
//! a line for any text.

/// Whether an answer is what is shown.
pub(crate) fn agrees(shown: &[String], said: &[String]) -> bool {
    match (shown, said) {
        ([], said) => said.is_empty(),
        ([elided, rest @ ..], said) if elided == "..." => {
            (0..=said.len()).any(|skipped| agrees(rest, &said[skipped..]))
        }
        ([line, rest @ ..], [first, after @ ..]) => line_agrees(line, first) && agrees(rest, after),
        (_, []) => false,
    }
}

fn line_agrees(shown: &str, said: &str) -> bool {
    let mut parts: Vec<&str> = shown.split("...").collect();
    let last = parts.pop().unwrap();
    if parts.is_empty() {
        return said == last;
    }
    let rest = parts.iter().enumerate().try_fold(said, |said, (at, part)| match at {
        0 => said.strip_prefix(part),
        _ => said.split_once(part).map(|(_, rest)| rest),
    });
    rest.is_some_and(|rest| rest.ends_with(last))
}

pub(crate) fn lines(text: &str) -> Vec<String> {
    text.trim_end().lines().map(|line| line.trim_end().to_owned()).collect()
}

#[test]
fn the_comparison_sees_differences() {
    let same = |shown: &str, said: &str| agrees(&lines(shown), &lines(said));
    assert!(same("a\n...\nd", "a\nb\nc\nd") && same("a\n...\nd", "a\nd") && same("...", ""));
    assert!(same("x ... y", "x 1 y") && same("...x...", "0x1") && same("ttl=...", "ttl=9"));
    assert!(same("", "") && same("a\n...\nb\n...\nb", "a\nb\nb"));
    assert!(!same("", "a") && !same("a", "") && !same("a", "b") && !same("a", "a\nb"));
    assert!(!same("a\n...\nd", "a\nd\ne") && !same("...\nx\n...", "a\nb"));
    assert!(!same("x...y", "xy2") && !same("hit...", "miss") && !same("ab...bc", "abc"));
}
