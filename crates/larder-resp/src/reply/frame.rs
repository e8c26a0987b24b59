//! A view of a complete reply: no bytes are copied.

use super::{
    header::{Aggregate, Blob, Header, Scalar, split_verbatim},
    scan::Scanner,
};
use crate::{error::ProtocolError, limits::Limits};
use std::fmt;

/// A view of one complete reply. Attributes in front of a value are skipped.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame<'a> {
    /// `+`: a status.
    Simple(&'a [u8]),
    /// `-`: an error, its code first.
    Error(&'a [u8]),
    /// `:`
    Integer(i64),
    /// `$`
    Bulk(&'a [u8]),
    /// `_`, and RESP2's `$-1` and `*-1`.
    Null,
    /// `,`: a number, as text.
    Double(&'a [u8]),
    /// `#`
    Boolean(bool),
    /// `!`: an error of any bytes, its code first.
    BlobError(&'a [u8]),
    /// `=`: a text and its format, `txt` or `mkd`.
    Verbatim {
        /// Three bytes that name the format.
        format: [u8; 3],
        /// The text.
        text: &'a [u8],
    },
    /// `(`: an integer of any size, as unchecked text.
    BigNumber(&'a [u8]),
    /// `*`
    Array(Items<'a>),
    /// `%`: keys and values alternate, see [`Items::pairs`].
    Map(Items<'a>),
    /// `~`
    Set(Items<'a>),
    /// `>`: out-of-band data, its kind first.
    Push(Items<'a>),
}

impl<'a> Frame<'a> {
    /// Parses `bytes`, which must be exactly one complete reply. Checks every element.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ProtocolError> {
        match Scanner::new(Limits::NONE).scan(bytes)? {
            Some(length) if length == bytes.len() => Self::from_scanned(bytes),
            Some(_) => Err(ProtocolError::TrailingBytes),
            None => Err(ProtocolError::Incomplete),
        }
    }

    /// Like [`Frame::parse`], for bytes in which a [`Scanner`](super::Scanner) has found one reply:
    /// nothing is checked again. For other bytes the result is unspecified, but it is safe to use.
    pub fn from_scanned(bytes: &'a [u8]) -> Result<Self, ProtocolError> {
        view(bytes).map(|(frame, _)| frame).ok_or(ProtocolError::Incomplete)
    }

    /// Returns the bytes of a simple, bulk or verbatim string.
    pub fn as_str_bytes(&self) -> Option<&'a [u8]> {
        match *self {
            Self::Simple(text) | Self::Bulk(text) | Self::Verbatim { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Returns the value of an integer.
    pub fn as_integer(&self) -> Option<i64> {
        match *self {
            Self::Integer(value) => Some(value),
            _ => None,
        }
    }

    /// Returns the value of a double.
    pub fn as_double(&self) -> Option<f64> {
        match *self {
            Self::Double(text) => std::str::from_utf8(text).ok()?.parse().ok(),
            _ => None,
        }
    }

    /// Returns the text of an error, without the type byte.
    pub fn as_error(&self) -> Option<&'a [u8]> {
        match *self {
            Self::Error(text) | Self::BlobError(text) => Some(text),
            _ => None,
        }
    }

    /// Returns whether this is an error reply.
    pub fn is_error(&self) -> bool {
        self.as_error().is_some()
    }

    /// Returns the elements of an aggregate.
    pub fn items(&self) -> Option<Items<'a>> {
        match self {
            Self::Array(items) | Self::Map(items) | Self::Set(items) | Self::Push(items) => {
                Some(items.clone())
            }
            _ => None,
        }
    }

    /// Returns the kind of a push: `invalidate`, `message`, ...
    pub fn push_kind(&self) -> Option<&'a [u8]> {
        match self {
            Self::Push(items) => items.clone().next()?.as_str_bytes(),
            _ => None,
        }
    }
}

/// The elements of an aggregate, in order.
#[derive(Clone)]
pub struct Items<'a> {
    /// From the next element to the end of the outermost reply.
    bytes: &'a [u8],
    left: usize,
}

impl<'a> Items<'a> {
    /// Returns the elements in pairs: the keys of a map with their values.
    pub fn pairs(mut self) -> impl Iterator<Item = (Frame<'a>, Frame<'a>)> {
        std::iter::from_fn(move || self.next().zip(self.next()))
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Frame<'a>;

    fn next(&mut self) -> Option<Frame<'a>> {
        self.left = self.left.checked_sub(1)?;
        let (frame, after) = view(self.bytes)?;
        self.bytes = match &frame {
            Frame::Array(inner) | Frame::Map(inner) | Frame::Set(inner) | Frame::Push(inner) => {
                behind(inner.left, after)?
            }
            _ => after,
        };
        Some(frame)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Items<'_> {}

/// Compares the elements, not the bytes that encode them.
impl PartialEq for Items<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.clone().eq(other.clone())
    }
}

impl fmt::Debug for Items<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

/// Returns the reply at the start of checked `bytes`, and the bytes that follow it: for an
/// aggregate, those that follow its first line.
fn view(mut bytes: &[u8]) -> Option<(Frame<'_>, &[u8])> {
    loop {
        let end = bytes.iter().position(|byte| *byte == b'\r')?;
        let (line, after) = (bytes.get(..end)?, bytes.get(end + 2..)?);
        return Some(match Header::parse(line).ok()? {
            Header::Scalar(scalar) => (scalar.into(), after),
            Header::Blob(kind, length) => {
                (blob_frame(kind, after.get(..length)?)?, after.get(length + 2..)?)
            }
            Header::Aggregate(kind, left) => {
                (aggregate_frame(kind, Items { bytes: after, left }), after)
            }
            Header::Attribute(items) => {
                bytes = behind(items, after)?;
                continue;
            }
        });
    }
}

/// Returns the bytes behind this many replies.
fn behind(items: usize, bytes: &[u8]) -> Option<&[u8]> {
    bytes.get(Scanner::length_of(items, bytes)?..)
}

impl<'a> From<Scalar<'a>> for Frame<'a> {
    fn from(scalar: Scalar<'a>) -> Self {
        match scalar {
            Scalar::Simple(text) => Self::Simple(text),
            Scalar::Error(text) => Self::Error(text),
            Scalar::Integer(value) => Self::Integer(value),
            Scalar::Null => Self::Null,
            Scalar::Double(text) => Self::Double(text),
            Scalar::Boolean(value) => Self::Boolean(value),
            Scalar::BigNumber(text) => Self::BigNumber(text),
        }
    }
}

fn blob_frame(kind: Blob, payload: &[u8]) -> Option<Frame<'_>> {
    Some(match kind {
        Blob::Bulk => Frame::Bulk(payload),
        Blob::Error => Frame::BlobError(payload),
        Blob::Verbatim => {
            let (format, text) = split_verbatim(payload).ok()?;
            Frame::Verbatim { format, text }
        }
    })
}

fn aggregate_frame(kind: Aggregate, items: Items<'_>) -> Frame<'_> {
    match kind {
        Aggregate::Array => Frame::Array(items),
        Aggregate::Map => Frame::Map(items),
        Aggregate::Set => Frame::Set(items),
        Aggregate::Push => Frame::Push(items),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(bytes: &str) -> Frame<'_> {
        Frame::parse(bytes.as_bytes()).unwrap()
    }

    #[test]
    fn scalars_are_parsed() {
        for (bytes, expected) in [
            ("+OK\r\n", Frame::Simple(b"OK")),
            ("-ERR no\r\n", Frame::Error(b"ERR no")),
            (":-12\r\n", Frame::Integer(-12)),
            (":+12\r\n", Frame::Integer(12)),
            ("$4\r\na\r\nb\r\n", Frame::Bulk(b"a\r\nb")),
            ("$0\r\n\r\n", Frame::Bulk(b"")),
            ("_\r\n", Frame::Null),
            ("$-1\r\n", Frame::Null),
            ("*-1\r\n", Frame::Null),
            (",1.50\r\n", Frame::Double(b"1.50")),
            ("#t\r\n", Frame::Boolean(true)),
            ("#f\r\n", Frame::Boolean(false)),
            ("!5\r\nERR x\r\n", Frame::BlobError(b"ERR x")),
            ("=7\r\nmkd:abc\r\n", Frame::Verbatim { format: *b"mkd", text: b"abc" }),
            ("(123\r\n", Frame::BigNumber(b"123")),
        ] {
            assert_eq!(frame(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn nested_elements_come_in_order() {
        let reply = frame("*4\r\n*2\r\n:1\r\n*1\r\n:2\r\n$1\r\nx\r\n~0\r\n:3\r\n");
        let items = reply.items().unwrap();
        assert_eq!(items.len(), 4);
        let all: Vec<_> = items.collect();
        let first: Vec<_> = all[0].items().unwrap().collect();
        assert_eq!(first[0], Frame::Integer(1));
        assert_eq!(first[1], frame("*1\r\n:2\r\n"));
        assert_eq!(first.len(), 2);
        assert_eq!(all[1], Frame::Bulk(b"x"));
        assert!(matches!(&all[2], Frame::Set(items) if items.len() == 0));
        assert_eq!(all[3], Frame::Integer(3));
    }

    #[test]
    fn a_map_has_pairs() {
        let reply = frame("%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n:2\r\n");
        let Frame::Map(items) = reply else { panic!("a map") };
        let pairs: Vec<_> = items.pairs().collect();
        assert_eq!(
            pairs,
            [
                (Frame::Simple(b"a"), Frame::Integer(1)),
                (Frame::Simple(b"b"), frame("*1\r\n:2\r\n")),
            ]
        );
    }

    #[test]
    fn attributes_are_skipped() {
        assert_eq!(frame("|1\r\n+ttl\r\n*2\r\n:1\r\n:2\r\n$1\r\nx\r\n"), Frame::Bulk(b"x"));
        let inside = frame("*2\r\n|1\r\n+a\r\n|1\r\n+b\r\n+c\r\n+d\r\n:1\r\n:2\r\n");
        let items: Vec<_> = inside.items().unwrap().collect();
        assert_eq!(items, [Frame::Integer(1), Frame::Integer(2)]);
    }

    #[test]
    fn a_push_has_a_kind() {
        let push = frame(">2\r\n$10\r\ninvalidate\r\n*1\r\n$3\r\nfoo\r\n");
        assert_eq!(push.push_kind(), Some(b"invalidate".as_slice()));
        let names = push.items().unwrap().nth(1).unwrap().items().unwrap();
        assert_eq!(names.filter_map(|name| name.as_str_bytes()).collect::<Vec<_>>(), [b"foo"]);
        assert_eq!(frame("*1\r\n+invalidate\r\n").push_kind(), None);
    }

    #[test]
    fn accessors_return_none_for_other_types() {
        assert_eq!(frame("=7\r\ntxt:abc\r\n").as_str_bytes(), Some(b"abc".as_slice()));
        assert_eq!(frame("-ERR\r\n").as_str_bytes(), None);
        assert_eq!(frame(":5\r\n").as_integer(), Some(5));
        assert_eq!(frame("$1\r\n5\r\n").as_integer(), None);
        assert_eq!(frame(",-inf\r\n").as_double(), Some(f64::NEG_INFINITY));
        assert!(frame("-ERR\r\n").is_error() && frame("!1\r\nE\r\n").is_error());
        assert!(!frame("+ERR\r\n").is_error());
    }

    #[test]
    fn from_scanned_equals_parse() {
        for bytes in ["+OK\r\n", "$3\r\nabc\r\n", "|1\r\n+a\r\n+b\r\n*2\r\n:1\r\n~1\r\n_\r\n"] {
            assert_eq!(Frame::from_scanned(bytes.as_bytes()), Frame::parse(bytes.as_bytes()));
        }
        for bytes in ["", "+OK", "$3\r\nab", "#x\r\n"] {
            assert_eq!(Frame::from_scanned(bytes.as_bytes()), Err(ProtocolError::Incomplete));
        }
    }

    #[test]
    fn parse_refuses_anything_but_one_reply() {
        assert_eq!(Frame::parse(b"+OK\r"), Err(ProtocolError::Incomplete));
        assert_eq!(Frame::parse(b""), Err(ProtocolError::Incomplete));
        assert_eq!(Frame::parse(b"+OK\r\n+"), Err(ProtocolError::TrailingBytes));
        assert_eq!(
            Frame::parse(b"*2\r\n:1\r\n#x\r\n"),
            Err(ProtocolError::Malformed(b'#')),
            "elements are checked too"
        );
    }
}
