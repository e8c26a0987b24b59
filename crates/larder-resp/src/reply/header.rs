//! The first line of a reply: its type, and what follows it. The only place that knows the types.

use super::frame::{Frame, Items};
use crate::{ProtocolError, number};

/// What the first line of a reply says.
pub(super) enum Header<'a> {
    /// The line is the whole reply.
    Line(Frame<'a>),
    /// So many bytes follow, and a line end.
    Blob(Blob, usize),
    /// So many replies follow.
    Aggregate(Aggregate, usize),
    /// So many replies follow, then the one that they describe.
    Attribute(usize),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Blob {
    Bulk,
    Error,
    Verbatim,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aggregate {
    Array,
    Map,
    Set,
    Push,
}

impl<'a> Header<'a> {
    /// Reads a line, given without its CRLF.
    pub(super) fn parse(line: &'a [u8]) -> Result<Self, ProtocolError> {
        let (&kind, text) = line.split_first().ok_or(ProtocolError::UnknownType(b'\r'))?;
        Ok(match kind {
            b'+' => Self::Line(Frame::Simple(text)),
            b'-' => Self::Line(Frame::Error(text)),
            b':' => Self::Line(Frame::Integer(integer(text)?)),
            b'_' if text.is_empty() => Self::Line(Frame::Null),
            b'$' | b'*' if text == b"-1" => Self::Line(Frame::Null),
            b'$' => Self::Blob(Blob::Bulk, length(text, ProtocolError::BulkLength)?),
            b'*' => Self::Aggregate(Aggregate::Array, elements(text, 1)?),
            b',' => Self::Line(Frame::Double(double(text)?)),
            b'#' => Self::Line(Frame::Boolean(boolean(text)?)),
            b'!' => Self::Blob(Blob::Error, length(text, ProtocolError::BulkLength)?),
            b'=' => Self::Blob(Blob::Verbatim, length(text, ProtocolError::BulkLength)?),
            // A script may return any text as a big number, and Redis sends it as it is.
            b'(' => Self::Line(Frame::BigNumber(text)),
            b'%' => Self::Aggregate(Aggregate::Map, elements(text, 2)?),
            b'~' => Self::Aggregate(Aggregate::Set, elements(text, 1)?),
            b'>' => Self::Aggregate(Aggregate::Push, elements(text, 1)?),
            b'|' => Self::Attribute(elements(text, 2)?),
            b'_' => return Err(ProtocolError::Malformed(kind)),
            _ => return Err(ProtocolError::UnknownType(kind)),
        })
    }
}

impl Blob {
    pub(super) fn frame(self, payload: &[u8]) -> Result<Frame<'_>, ProtocolError> {
        match (self, payload) {
            (Self::Bulk, _) => Ok(Frame::Bulk(payload)),
            (Self::Error, _) => Ok(Frame::BlobError(payload)),
            (Self::Verbatim, [a, b, c, b':', text @ ..]) => {
                Ok(Frame::Verbatim { format: [*a, *b, *c], text })
            }
            (Self::Verbatim, _) => Err(ProtocolError::Malformed(b'=')),
        }
    }
}

impl Aggregate {
    pub(super) fn frame(self, items: Items<'_>) -> Frame<'_> {
        match self {
            Self::Array => Frame::Array(items),
            Self::Map => Frame::Map(items),
            Self::Set => Frame::Set(items),
            Self::Push => Frame::Push(items),
        }
    }
}

fn integer(text: &[u8]) -> Result<i64, ProtocolError> {
    let unsigned = text.strip_prefix(b"+").filter(|digits| !digits.starts_with(b"-"));
    number::parse(unsigned.unwrap_or(text)).ok_or(ProtocolError::Malformed(b':'))
}

fn double(text: &[u8]) -> Result<&[u8], ProtocolError> {
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok());
    number.map(|_| text).ok_or(ProtocolError::Malformed(b','))
}

fn boolean(text: &[u8]) -> Result<bool, ProtocolError> {
    match text {
        b"t" => Ok(true),
        b"f" => Ok(false),
        _ => Err(ProtocolError::Malformed(b'#')),
    }
}

fn elements(text: &[u8], each: usize) -> Result<usize, ProtocolError> {
    let count = length(text, ProtocolError::MultibulkLength)?;
    count.checked_mul(each).ok_or(ProtocolError::MultibulkLength)
}

fn length(text: &[u8], otherwise: ProtocolError) -> Result<usize, ProtocolError> {
    match text {
        b"?" => Err(ProtocolError::Streamed),
        _ => number::parse_length(text).ok_or(otherwise),
    }
}
