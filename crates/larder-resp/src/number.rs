//! Integers in RESP: decimal, without leading zeros, parsed and written without `format!`.

use bytes::{BufMut, BytesMut};

/// Length of the longest, `i64::MIN`.
const DIGITS_MAX: usize = 20;

/// Parses what Redis parses: no plus, no leading zero, no `-0`, no spaces.
pub(crate) fn parse(text: &[u8]) -> Option<i64> {
    match text {
        [b'0'] => Some(0),
        [b'-', digits @ ..] => parse_digits(digits, |value, digit| {
            value.checked_mul(10).and_then(|value| value.checked_sub(digit))
        }),
        digits => parse_digits(digits, |value, digit| {
            value.checked_mul(10).and_then(|value| value.checked_add(digit))
        }),
    }
}

fn parse_digits(digits: &[u8], append: impl Fn(i64, i64) -> Option<i64>) -> Option<i64> {
    if !matches!(digits.first()?, b'1'..=b'9') {
        return None;
    }
    digits.iter().try_fold(0, |value, byte| match byte {
        b'0'..=b'9' => append(value, i64::from(byte - b'0')),
        _ => None,
    })
}

/// Parses a length or a count: a number that is not negative.
pub(crate) fn parse_length(text: &[u8]) -> Option<usize> {
    usize::try_from(parse(text)?).ok()
}

pub(crate) fn write(out: &mut BytesMut, value: i64) {
    if value < 0 {
        out.put_u8(b'-');
    }
    write_unsigned(out, value.unsigned_abs());
}

pub(crate) fn write_length(out: &mut BytesMut, length: usize) {
    write_unsigned(out, length as u64);
}

fn write_unsigned(out: &mut BytesMut, mut value: u64) {
    let mut digits = [b'0'; DIGITS_MAX];
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        // A remainder of ten fits in a byte.
        *digit += (value % 10) as u8;
        value /= 10;
        used += 1;
        if value == 0 {
            break;
        }
    }
    out.put_slice(digits.get(DIGITS_MAX - used..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_reads_what_write_wrote() {
        for value in [0, 1, -1, 9, 10, -10, 99, 100, 1_234_567_890, i64::MAX, i64::MIN] {
            let mut out = BytesMut::new();
            write(&mut out, value);
            assert_eq!(out, value.to_string().as_bytes());
            assert_eq!(parse(&out), Some(value));
        }
    }

    #[test]
    fn other_formats_are_refused() {
        for text in ["", "-", "+1", "01", "-0", "-01", " 1", "1 ", "1a", "0x1", "--1"] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(parse(b"9223372036854775808"), None);
        assert_eq!(parse(b"-9223372036854775809"), None);
        assert_eq!(parse(b"99999999999999999999999"), None);
    }

    #[test]
    fn a_length_is_not_negative() {
        assert_eq!(parse_length(b"0"), Some(0));
        assert_eq!(parse_length(b"512"), Some(512));
        assert_eq!(parse_length(b"-1"), None);
    }
}
