//! Patterns of `KEYS`, `SCAN` and `CONFIG GET`, with the quirks of Redis that no crate has: ranges
//! compare signed bytes, an unclosed class ends with the pattern, and only the empty pattern matches
//! the empty name.

/// Returns whether a name matches a pattern.
///
/// Backtracks to the last star only, because everything before it has matched. The number of steps
/// is at most the length of the name times the length of the pattern.
pub(super) fn matches(pattern: &[u8], name: &[u8]) -> bool {
    if name.is_empty() {
        return pattern.is_empty();
    }
    let (mut pattern, mut name) = (pattern, name);
    let mut back = None;
    while let Some((&byte, after)) = name.split_first() {
        if let [b'*', rest @ ..] = pattern {
            if rest.is_empty() {
                return true;
            }
            (pattern, back) = (rest, Some((rest, name)));
        } else if let Some(rest) = match_one(pattern, byte) {
            (pattern, name) = (rest, after);
        } else if let Some((rest, from)) = back {
            let from = from.get(1..).unwrap_or_default();
            (pattern, name, back) = (rest, from, Some((rest, from)));
        } else {
            return false;
        }
        if name.is_empty() && !pattern.iter().all(|byte| *byte == b'*') {
            // The star must match more, until nothing is left for the rest of the pattern.
            let Some((rest, from)) = back else { return false };
            let from = from.get(1..).unwrap_or_default();
            (pattern, name, back) = (rest, from, Some((rest, from)));
        }
    }
    pattern.iter().all(|byte| *byte == b'*')
}

/// Returns the rest of the pattern if its first element, which is not a star, matches this byte.
fn match_one(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    match pattern {
        [] => None,
        [b'?', rest @ ..] => Some(rest),
        [b'[', b'^', class @ ..] => match class_matches(class, byte) {
            (false, rest) => Some(rest),
            (true, _) => None,
        },
        [b'[', class @ ..] => match class_matches(class, byte) {
            (true, rest) => Some(rest),
            (false, _) => None,
        },
        [b'\\', literal, rest @ ..] | [literal, rest @ ..] => (*literal == byte).then_some(rest),
    }
}

/// Returns whether a byte is in a class, and the rest of the pattern.
fn class_matches(mut class: &[u8], byte: u8) -> (bool, &[u8]) {
    let mut found = false;
    loop {
        class = match class {
            [b'\\', literal, rest @ ..] => {
                found |= *literal == byte;
                rest
            }
            [b']', rest @ ..] => return (found, rest),
            [] => return (found, &[]),
            [from, b'-', to, rest @ ..] => {
                let (from, to) = (from.cast_signed(), to.cast_signed());
                found |= (from.min(to)..=from.max(to)).contains(&byte.cast_signed());
                rest
            }
            [literal, rest @ ..] => {
                found |= *literal == byte;
                rest
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    /// The matches of redis-server 7.0.15 among these names.
    #[test]
    fn patterns_match_as_in_redis() {
        const NAMES: [&str; 11] = ["", "a", "b", "ab", "abc", "^", "-", "]", "[", "\\", "a-c"];
        for (pattern, expected) in [
            ("", &[""][..]),
            ("**", &["a", "b", "ab", "abc", "^", "-", "]", "[", "\\", "a-c"]),
            ("a*", &["a", "ab", "abc", "a-c"]),
            ("*c", &["abc", "a-c"]),
            ("*?c", &["abc", "a-c"]),
            ("?", &["a", "b", "^", "-", "]", "[", "\\"]),
            ("[a-c]", &["a", "b"]),
            ("[c-a]", &["a", "b"]),
            ("[^a]", &["b", "^", "-", "]", "[", "\\"]),
            ("[a", &["a"]),
            ("[", &[]),
            ("[]a]", &[]),
            ("[^", &["a", "b", "^", "-", "]", "[", "\\"]),
            ("[a-", &["a", "-"]),
            ("[a-]", &["a", "^", "]"]),
            ("[\\", &["\\"]),
            ("[\\]", &["]"]),
            ("[\\a-c]", &["a", "-"]),
            ("\\", &["\\"]),
            ("\\a", &["a"]),
            ("a\\", &[]),
            ("[a-b]*", &["a", "b", "ab", "abc", "a-c"]),
        ] {
            let mut found: Vec<_> = NAMES
                .into_iter()
                .filter(|name| matches(pattern.as_bytes(), name.as_bytes()))
                .collect();
            let mut expected = expected.to_vec();
            found.sort_unstable();
            expected.sort_unstable();
            assert_eq!(found, expected, "{pattern:?}");
        }
    }

    #[test]
    fn many_stars_take_no_more_time_than_one() {
        let name = "a".repeat(20_000);
        assert!(!matches(&[b"*a".repeat(50).as_slice(), b"b"].concat(), name.as_bytes()));
        assert!(matches(&b"*a".repeat(50), name.as_bytes()));
    }
}
