//! The value type of the near cache over Redis: one reply, stored as its RESP3 bytes.

use bytes::BytesMut;
use larder_core::{CachedRef, Value};
use larder_resp::reply::{self, Frame};
use std::{
    fmt,
    sync::{Arc, LazyLock},
};

/// One complete RESP3 reply, reference-counted.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply(Arc<[u8]>);

/// What the reply to a read of a string contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// The key does not exist.
    Absent,
    /// The value.
    String(&'a [u8]),
    /// Not a string and not null.
    Other,
}

impl Reply {
    /// Copies one complete reply.
    pub fn copy_of(frame: &[u8]) -> Self {
        Self(frame.into())
    }

    /// Returns the reply as Redis sent it.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the bytes of a cached reply.
    pub fn bytes_of<'a>(cached: &CachedRef<'a, Self>) -> &'a [u8] {
        match cached {
            CachedRef::Bytes(bytes) => bytes,
            CachedRef::Value(reply) => reply.bytes(),
        }
    }

    /// Returns the value that the reply contains.
    pub fn payload(&self) -> Payload<'_> {
        match &*self.0 {
            [b'_', ..] | [b'$', b'-', ..] => Payload::Absent,
            [b'$', rest @ ..] => bulk_payload(rest).map_or(Payload::Other, Payload::String),
            _ => Payload::Other,
        }
    }
}

impl Reply {
    /// Returns whether this is an array of nulls and zeros only, as `HMGET` replies for a missing key.
    fn is_array_of_nulls(&self) -> bool {
        let is_null = |item| matches!(item, Frame::Null | Frame::Integer(0));
        self.0.starts_with(b"*")
            && Frame::parse(&self.0)
                .ok()
                .and_then(|it| it.items())
                .is_some_and(|mut items| items.all(is_null))
    }
}

/// Returns the payload of a bulk string, given what follows its `$`: length, CRLF, payload, CRLF.
fn bulk_payload(rest: &[u8]) -> Option<&[u8]> {
    let end = rest.iter().position(|&byte| byte == b'\n')?;
    rest.get(end + 1..rest.len().checked_sub(2)?)
}

/// Returns the text of an error reply without the arguments that it repeats. A server that does not
/// know `HELLO` or `AUTH` repeats the password.
pub(crate) fn redact_error(error: &[u8]) -> String {
    let text = String::from_utf8_lossy(error);
    text.split(", with args").next().unwrap_or_default().to_owned()
}

static ABSENT: LazyLock<Reply> = LazyLock::new(|| Reply::copy_of(b"_\r\n"));

impl Value for Reply {
    fn from_payload(payload: &[u8]) -> Self {
        let mut bytes = BytesMut::with_capacity(payload.len() + 16);
        reply::bulk(&mut bytes, payload);
        Self::copy_of(&bytes)
    }

    fn absent() -> Self {
        ABSENT.clone()
    }

    fn is_absent(&self) -> bool {
        self.payload() == Payload::Absent
    }

    fn fits_missing_key(&self) -> bool {
        // Null, a count of zero, an empty aggregate.
        matches!(&*self.0, b"_\r\n" | b"$-1\r\n" | b":0\r\n" | [b'*' | b'%' | b'~', b'0', ..])
            || self.is_array_of_nulls()
    }

    fn payload_bytes(&self) -> usize {
        match self.payload() {
            Payload::String(payload) => payload.len(),
            Payload::Absent | Payload::Other => self.0.len(),
        }
    }

    fn heap_bytes(&self) -> usize {
        // An `Arc` stores two reference counts in front of the bytes.
        self.0.len() + 2 * size_of::<usize>()
    }

    fn as_bytes(&self) -> Option<&[u8]> {
        Some(&self.0)
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        Self::copy_of(bytes)
    }
}

/// Shows only the length: values must not appear in logs.
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_returns_the_bytes_of_a_string() {
        for payload in [&b""[..], b"a", b"\r\n", b"$3\r\nabc\r\n", &[0, 255]] {
            assert_eq!(Reply::from_payload(payload).payload(), Payload::String(payload));
            assert!(!Reply::from_payload(payload).is_absent());
        }
    }

    #[test]
    fn both_forms_of_null_are_absent() {
        for null in [&b"_\r\n"[..], b"$-1\r\n"] {
            assert!(Reply::copy_of(null).is_absent());
        }
        assert!(Reply::absent().is_absent());
    }

    #[test]
    fn payload_of_other_replies_is_other() {
        for other in [&b":1\r\n"[..], b"*0\r\n", b"+OK\r\n", b"$", b"$1"] {
            assert_eq!(Reply::copy_of(other).payload(), Payload::Other);
        }
    }

    #[test]
    fn redact_error_removes_the_arguments() {
        let error = b"ERR unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'a' 'pw' ";
        assert_eq!(redact_error(error), "ERR unknown command 'HELLO'");
        assert_eq!(
            redact_error(b"NOAUTH Authentication required."),
            "NOAUTH Authentication required."
        );
    }

    #[test]
    fn debug_does_not_show_the_value() {
        assert_eq!(format!("{:?}", Reply::from_payload(b"secret")), "Reply(12 bytes)");
    }
}
