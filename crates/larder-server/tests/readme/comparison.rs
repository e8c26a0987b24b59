//! Compares output with the README, where a line `...` stands for any number of lines and `...`
//! inside a line stands for any text.

/// Returns whether the output matches the lines that the README shows.
pub(crate) fn matches(shown: &[String], actual: &[String]) -> bool {
    match (shown, actual) {
        ([], actual) => actual.is_empty(),
        ([elided, rest @ ..], actual) if elided == "..." => {
            (0..=actual.len()).any(|skipped| matches(rest, &actual[skipped..]))
        }
        ([line, rest @ ..], [first, after @ ..]) => {
            line_matches(line, first) && matches(rest, after)
        }
        (_, []) => false,
    }
}

fn line_matches(shown: &str, actual: &str) -> bool {
    let mut parts: Vec<&str> = shown.split("...").collect();
    let last = parts.pop().unwrap();
    if parts.is_empty() {
        return actual == last;
    }
    let rest = parts.iter().enumerate().try_fold(actual, |actual, (at, part)| match at {
        0 => actual.strip_prefix(part),
        _ => actual.split_once(part).map(|(_, rest)| rest),
    });
    rest.is_some_and(|rest| rest.ends_with(last))
}

pub(crate) fn lines(text: &str) -> Vec<String> {
    text.trim_end().lines().map(|line| line.trim_end().to_owned()).collect()
}

#[test]
fn the_comparison_finds_differences() {
    let matches_text = |shown: &str, actual: &str| matches(&lines(shown), &lines(actual));
    assert!(
        matches_text("a\n...\nd", "a\nb\nc\nd")
            && matches_text("a\n...\nd", "a\nd")
            && matches_text("...", "")
    );
    assert!(
        matches_text("x ... y", "x 1 y")
            && matches_text("...x...", "0x1")
            && matches_text("ttl=...", "ttl=9")
    );
    assert!(matches_text("", "") && matches_text("a\n...\nb\n...\nb", "a\nb\nb"));
    assert!(
        !matches_text("", "a")
            && !matches_text("a", "")
            && !matches_text("a", "b")
            && !matches_text("a", "a\nb")
    );
    assert!(!matches_text("a\n...\nd", "a\nd\ne") && !matches_text("...\nx\n...", "a\nb"));
    assert!(
        !matches_text("x...y", "xy2")
            && !matches_text("hit...", "miss")
            && !matches_text("ab...bc", "abc")
    );
}
