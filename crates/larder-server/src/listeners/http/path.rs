//! Keys in paths: any bytes, percent-encoded.

use super::problem::Problem;
use http::{StatusCode, Uri};
use std::borrow::Cow;

/// Bytes that a key may have. Redis takes more, but no URL does.
pub(super) const KEY_BYTES_MAX: usize = 16 << 10;

/// The bytes that a part of a path stands for. A percent sign that begins no `%XX` is an error, for
/// what it was meant to say cannot be guessed.
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

/// A key from a path, within the limit.
pub(super) fn key(part: &str) -> Result<Cow<'_, [u8]>, Problem> {
    let key = decode(part)?;
    match key.len() {
        0 => Err(empty()),
        1..=KEY_BYTES_MAX => Ok(key),
        bytes => Err(too_long(bytes)),
    }
}

/// Refuses the parameters that a route does not have. One that is overlooked is a question mark
/// that was meant to be part of the key.
pub(super) fn no_query(uri: &Uri) -> Result<(), Problem> {
    match uri.query() {
        None | Some("") => Ok(()),
        Some(_) => Err(Problem::bad_request(
            "this route takes no parameters; a question mark in a key is written %3F",
        )),
    }
}

pub(super) fn broken_encoding() -> Problem {
    Problem::bad_request(
        "the path holds a % that two hexadecimal digits do not follow; a percent sign itself is \
         written %25",
    )
}

pub(super) fn empty() -> Problem {
    Problem::bad_request("the key is empty")
}

pub(super) fn too_long(bytes: usize) -> Problem {
    let detail = format!("the key has {bytes} bytes; {KEY_BYTES_MAX} is the limit");
    Problem::new(StatusCode::URI_TOO_LONG, detail)
}

/// What follows a prefix that the router has matched.
pub(super) fn after<'a>(path: &'a str, prefix: &str) -> &'a str {
    path.strip_prefix(prefix).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_can_be_written() {
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
    fn broken_encoding_empty_and_long_keys_are_refused() {
        for part in ["%", "a%2", "%zz", "%%41", "", "%4"] {
            assert!(key(part).is_err(), "{part}");
        }
        assert!(key(&"k".repeat(KEY_BYTES_MAX)).is_ok());
        assert!(key(&"k".repeat(KEY_BYTES_MAX + 1)).is_err());
    }
}
