//! Numbers in arguments, read as strictly as Redis reads them.

use super::command_error::CommandError;

/// Parses an integer without a plus, a leading zero, `-0` or blanks.
pub(in crate::listeners::resp) fn integer(text: &[u8]) -> Option<i64> {
    match text {
        [b'0'] | [b'1'..=b'9', ..] | [b'-', b'1'..=b'9', ..] => {
            std::str::from_utf8(text).ok()?.parse().ok()
        }
        _ => None,
    }
}

/// Parses an integer of 32 bits.
pub(super) fn int(text: &[u8]) -> Result<i32, CommandError> {
    let value = integer(text).ok_or(CommandError::NOT_AN_INTEGER)?;
    value.try_into().map_err(|_| CommandError::NOT_AN_INT)
}

/// Parses a cursor as `strtoul` does: it may have a sign and leading zeros.
pub(super) fn cursor(text: &[u8]) -> Option<u64> {
    let (negative, digits) = match text {
        [] => return Some(0),
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(if negative { value.wrapping_neg() } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_has_one_spelling() {
        for (text, value) in [("0", 0), ("-1", -1), ("10", 10), ("-9223372036854775808", i64::MIN)]
        {
            assert_eq!(integer(text.as_bytes()), Some(value));
        }
        for text in
            ["", "-", "+1", "01", "-0", "-01", " 1", "1 ", "1a", "1.0", "9223372036854775808"]
        {
            assert_eq!(integer(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn a_cursor_may_have_a_sign_and_leading_zeros() {
        for (text, value) in [("", 0), ("007", 7), ("+7", 7), ("-1", u64::MAX)] {
            assert_eq!(cursor(text.as_bytes()), Some(value), "{text:?}");
        }
        for text in ["-", "+", " 1", "1 ", "x", "18446744073709551616"] {
            assert_eq!(cursor(text.as_bytes()), None, "{text:?}");
        }
    }
}
