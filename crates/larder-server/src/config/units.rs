//! Sizes and durations as they are typed: `256mb` as in `redis.conf`, `5m`, `1500ms`.

use std::time::Duration;

pub(crate) const KIB: u64 = 1 << 10;
pub(crate) const MIB: u64 = 1 << 20;
pub(crate) const GIB: u64 = 1 << 30;

/// As in Redis, `k` is 1000 and `kb` is 1024. A size is shown in the first unit that divides it.
const SIZE_UNITS: [(&str, u64); 7] = [
    ("gb", GIB),
    ("mb", MIB),
    ("kb", KIB),
    ("g", 1_000_000_000),
    ("m", 1_000_000),
    ("k", 1_000),
    ("b", 1),
];

/// In milliseconds.
const DURATION_UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

const MILLIS_PER_SECOND: u64 = 1_000;

/// Parses a size. A plain number is bytes; case does not matter.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    scaled(&text.to_ascii_lowercase(), &SIZE_UNITS, 1)
}

/// Parses a duration. A plain number is seconds.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    scaled(text, &DURATION_UNITS, MILLIS_PER_SECOND).map(Duration::from_millis)
}

/// Formats a size in a unit that gives a whole number.
pub(crate) fn show_size(bytes: u64) -> String {
    shown(bytes, &SIZE_UNITS)
}

/// Formats a duration in the largest unit that gives a whole number.
pub(crate) fn show_duration(duration: Duration) -> String {
    shown(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX), &DURATION_UNITS)
}

fn scaled(text: &str, units: &[(&str, u64)], plain: u64) -> Option<u64> {
    match whole(text) {
        Some(number) => number.checked_mul(plain),
        None => units
            .iter()
            .find_map(|(name, unit)| whole(text.strip_suffix(name)?)?.checked_mul(*unit)),
    }
}

/// Parses digits only: `u64::from_str` would accept a sign.
fn whole(digits: &str) -> Option<u64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

fn shown(number: u64, units: &[(&str, u64)]) -> String {
    units
        .iter()
        .find(|(_, unit)| number > 0 && number.is_multiple_of(*unit))
        .map_or_else(|| number.to_string(), |(name, unit)| format!("{}{name}", number / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_parse_as_in_redis() {
        let table = [
            ("0", Some(0)),
            ("100", Some(100)),
            ("100b", Some(100)),
            ("1k", Some(1_000)),
            ("1kb", Some(1_024)),
            ("1m", Some(1_000_000)),
            ("256mb", Some(256 << 20)),
            ("256MB", Some(256 << 20)),
            ("2g", Some(2_000_000_000)),
            ("1gb", Some(1 << 30)),
            ("", None),
            ("mb", None),
            ("1.5gb", None),
            ("-1", None),
            ("+1", None),
            ("1 mb", None),
            ("1tb", None),
            ("99999999999gb", None),
        ];
        for (text, bytes) in table {
            assert_eq!(parse_size(text), bytes, "{text}");
        }
    }

    #[test]
    fn durations_parse() {
        let table = [
            ("5", Some(5_000)),
            ("5s", Some(5_000)),
            ("1500ms", Some(1_500)),
            ("5m", Some(300_000)),
            ("24h", Some(86_400_000)),
            ("2d", Some(172_800_000)),
            ("0", Some(0)),
            ("", None),
            ("s", None),
            ("1.5s", None),
            ("-1s", None),
            ("1h30m", None),
            ("1w", None),
            ("99999999999999999d", None),
        ];
        for (text, millis) in table {
            assert_eq!(parse_duration(text), millis.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn formatted_values_parse_to_the_same() {
        for bytes in [0, 1, 1_000, 1_024, 1_536, 3 << 20, (1 << 30) + 1] {
            assert_eq!(parse_size(&show_size(bytes)), Some(bytes));
        }
        for millis in [0, 1, 999, 1_000, 90_000, 3_600_000, 86_400_001] {
            let duration = Duration::from_millis(millis);
            assert_eq!(parse_duration(&show_duration(duration)), Some(duration));
        }
        assert_eq!(show_size(1_536 << 20), "1536mb");
        assert_eq!(show_duration(Duration::from_hours(48)), "2d");
        assert_eq!(show_size(1_000_000), "1m");
        assert_eq!(show_duration(Duration::from_millis(1_500)), "1500ms");
    }
}
