//! Durations as they are typed: `5m`, `1500ms`.

use std::time::Duration;

/// In milliseconds. A duration is shown in the largest unit that gives a whole number.
const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Parses a duration: a whole number of `ms`, `s`, `m`, `h` or `d`. A plain number is seconds.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let millis = match whole(text) {
        Some(seconds) => seconds.checked_mul(1_000),
        None => UNITS
            .iter()
            .find_map(|(name, unit)| whole(text.strip_suffix(name)?)?.checked_mul(*unit)),
    };
    millis.map(Duration::from_millis)
}

/// Returns the text that [`parse_duration`] reads, without the part below a millisecond.
pub fn show_duration(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    UNITS
        .iter()
        .find(|(_, unit)| millis > 0 && millis.is_multiple_of(*unit))
        .map_or_else(|| "0s".into(), |(name, unit)| format!("{}{name}", millis / unit))
}

/// Parses digits only: `u64::from_str` would accept a sign.
fn whole(digits: &str) -> Option<u64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_whole_numbers_of_a_unit() {
        for (text, millis) in [
            ("0", Some(0)),
            ("300", Some(300_000)),
            ("1500ms", Some(1_500)),
            ("90s", Some(90_000)),
            ("7d", Some(604_800_000)),
            ("", None),
            ("m", None),
            ("+5m", None),
            ("1.5h", None),
            ("5 m", None),
            ("5M", None),
            ("99999999999999999999d", None),
            ("18446744073709551615s", None),
        ] {
            assert_eq!(parse_duration(text), millis.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn a_shown_duration_is_parsed_as_the_same() {
        for millis in [0, 1, 999, 1_000, 60_000, 61_000, 3_600_000, 86_400_000, u64::MAX] {
            let duration = Duration::from_millis(millis);
            assert_eq!(parse_duration(&show_duration(duration)), Some(duration));
        }
    }
}
