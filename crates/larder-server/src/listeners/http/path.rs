//! Keys in paths: any bytes, percent-encoded.

use super::problem::Problem;
use http::StatusCode;
use std::borrow::Cow;

/// Maximum bytes of a key. Redis allows more, but URLs do not.
pub(super) const KEY_BYTES_MAX: usize = 16 << 10;

/// Returns the bytes that a part of a path encodes. A percent sign that does not begin `%XX` is an
/// error: its meaning cannot be guessed.
pub(super) fn decode(part: &str) -> Result<Cow<'_, [u8]>, Problem> {
    let bytes = part.as_bytes();
    if !bytes.contains(&b'%') {
        return Ok(bytes.into());
    }
    let broken = bytes.iter().enumerate().any(|(at, &byte)| {
        let digits = bytes.get(at + 1..at + 3);
        byte == b'%' && !digits.is_some_and(|it| it.iter().all(u8::is_ascii_hexdigit))
    });
    if broken {
        return Err(broken_encoding());
    }
    Ok(percent_encoding::percent_decode_str(part).into())
}

/// Returns the key that a part of a path encodes.
pub(super) fn key(part: &str) -> Result<Cow<'_, [u8]>, Problem> {
    let key = decode(part)?;
    match key.len() {
        0 => Err(empty_key()),
        1..=KEY_BYTES_MAX => Ok(key),
        bytes => Err(too_long(bytes)),
    }
}

/// Refuses the query of a route that takes none. Ignoring it would read another key if the question
/// mark was meant to be part of the key.
pub(super) fn refuse_query(query: Option<&str>) -> Result<(), Problem> {
    match query {
        None | Some("") => Ok(()),
        Some(_) => Err(Problem::bad_request(
            "this route takes no parameters; write a question mark in a key as %3F",
        )),
    }
}

pub(super) fn broken_encoding() -> Problem {
    Problem::bad_request(
        "the path has a % that is not followed by two hexadecimal digits; write a percent sign \
         as %25",
    )
}

pub(super) fn empty_key() -> Problem {
    Problem::bad_request("the key is empty")
}

pub(super) fn too_long(bytes: usize) -> Problem {
    let detail = format!("the key has {bytes} bytes; the limit is {KEY_BYTES_MAX}");
    Problem::new(StatusCode::URI_TOO_LONG, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_encoding_covers_all_bytes() {
        for (part, bytes) in [
            ("a", &b"a"[..]),
            ("a%2Fb", b"a/b"),
            ("a/b", b"a/b"),
            ("%00%ff", &[0, 255]),
            ("a+b", b"a+b"),
            ("%25", b"%"),
        ] {
            assert_eq!(key(part).unwrap(), bytes, "{part}");
        }
    }

    #[test]
    fn broken_encoding_and_empty_or_long_keys_are_errors() {
        for part in ["%", "a%2", "%zz", "%%41", "", "%4"] {
            assert!(key(part).is_err(), "{part}");
        }
        assert!(key(&"k".repeat(KEY_BYTES_MAX)).is_ok());
        assert!(key(&"k".repeat(KEY_BYTES_MAX + 1)).is_err());
    }
}
