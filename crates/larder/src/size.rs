//! Sizes as they are typed: `64mb`, as in `redis.conf`.

/// As in Redis, `k` is 1000 and `kb` is 1024.
const UNITS: [(&str, u64); 7] = [
    ("gb", 1 << 30),
    ("mb", 1 << 20),
    ("kb", 1 << 10),
    ("g", 1_000_000_000),
    ("m", 1_000_000),
    ("k", 1_000),
    ("b", 1),
];

/// Parses a size. A plain number is bytes; case does not matter.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let text = text.to_ascii_lowercase();
    let number = |digits: &str| {
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u64>().ok())?
    };
    number(&text).or_else(|| {
        UNITS.iter().find_map(|(name, unit)| number(text.strip_suffix(name)?)?.checked_mul(*unit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_whole_numbers_of_a_unit() {
        let sizes = [("0", Some(0)), ("64mb", Some(64 << 20)), ("2K", Some(2_000)), ("1.5g", None)];
        for (text, bytes) in sizes {
            assert_eq!(parse_size(text), bytes, "{text}");
        }
        assert_eq!(parse_size("99999999999gb"), None);
    }
}
