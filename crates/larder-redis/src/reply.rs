//! What the near tier keeps of Redis: a reply as its RESP3 bytes.

use bytes::BytesMut;
use larder_core::{CachedRef, Value};
use larder_resp::reply::{self, Frame};
use std::{
    fmt,
    sync::{Arc, LazyLock},
};

/// One whole reply, in RESP3, shared.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply(Arc<[u8]>);

/// What a reply to a read of a string says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// There is no such key.
    Absent,
    /// The value.
    String(&'a [u8]),
    /// Something that is no answer to such a read.
    Other,
}

impl Reply {
    /// Takes one whole reply, copying its bytes.
    pub fn copy_of(frame: &[u8]) -> Self {
        Self(frame.into())
    }

    /// The reply as Redis sent it.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The same of a reply that the near tier keeps.
    pub fn bytes_of<'a>(seen: &CachedRef<'a, Self>) -> &'a [u8] {
        match seen {
            CachedRef::Bytes(bytes) => bytes,
            CachedRef::Value(reply) => reply.bytes(),
        }
    }

    /// The value inside.
    pub fn payload(&self) -> Payload<'_> {
        match &*self.0 {
            [b'_', ..] | [b'$', b'-', ..] => Payload::Absent,
            [b'$', rest @ ..] => bulk_payload(rest).map_or(Payload::Other, Payload::String),
            _ => Payload::Other,
        }
    }
}

impl Reply {
    /// An array of null for each thing asked for, as `HMGET` answers about no key.
    fn is_array_of_nulls(&self) -> bool {
        let is_null = |item| matches!(item, Frame::Null | Frame::Integer(0));
        self.0.starts_with(b"*")
            && Frame::parse(&self.0)
                .ok()
                .and_then(|it| it.items())
                .is_some_and(|mut items| items.all(is_null))
    }
}

/// What follows the `$` of a bulk string: a length, an end of line, the payload, an end of line.
fn bulk_payload(rest: &[u8]) -> Option<&[u8]> {
    let end = rest.iter().position(|&byte| byte == b'\n')?;
    rest.get(end + 1..rest.len().checked_sub(2)?)
}

/// An error reply for people, without what it repeats of the command: that may be a password, where
/// a server does not know `HELLO` or `AUTH`.
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
        // Null, nothing counted, an empty aggregate.
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
        // The two reference counts of the `Arc` stand in front of the bytes.
        self.0.len() + 2 * size_of::<usize>()
    }

    fn as_bytes(&self) -> Option<&[u8]> {
        Some(&self.0)
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        Self::copy_of(bytes)
    }
}

/// Values stay out of logs: only the length is shown.
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_of_a_string_is_found_again() {
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
    fn other_replies_are_no_strings() {
        for other in [&b":1\r\n"[..], b"*0\r\n", b"+OK\r\n", b"$", b"$1"] {
            assert_eq!(Reply::copy_of(other).payload(), Payload::Other);
        }
    }

    #[test]
    fn errors_are_shown_without_the_arguments_they_repeat() {
        let error = b"ERR unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'a' 'pw' ";
        assert_eq!(redact_error(error), "ERR unknown command 'HELLO'");
        assert_eq!(
            redact_error(b"NOAUTH Authentication required."),
            "NOAUTH Authentication required."
        );
    }

    #[test]
    fn debug_shows_no_value() {
        assert_eq!(format!("{:?}", Reply::from_payload(b"secret")), "Reply(12 bytes)");
    }
}
