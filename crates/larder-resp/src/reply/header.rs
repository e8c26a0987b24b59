//! The first line of a reply: its type and what follows it. All parsing goes through here.

use crate::{error::ProtocolError, number};

/// The first line of a reply.
pub(super) enum Header<'a> {
    /// The line is the whole reply.
    Scalar(Scalar<'a>),
    /// This many bytes follow, then CRLF.
    Blob(Blob, usize),
    /// This many replies follow.
    Aggregate(Aggregate, usize),
    /// This many replies follow, then the reply that they describe.
    Attribute(usize),
}

/// A reply of one line.
pub(super) enum Scalar<'a> {
    Simple(&'a [u8]),
    Error(&'a [u8]),
    Integer(i64),
    Null,
    Double(&'a [u8]),
    Boolean(bool),
    BigNumber(&'a [u8]),
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
    /// Parses a line, given without its CRLF.
    pub(super) fn parse(line: &'a [u8]) -> Result<Self, ProtocolError> {
        let (&kind, text) = line.split_first().ok_or(ProtocolError::UnknownType(b'\r'))?;
        Ok(match kind {
            b'+' => Self::Scalar(Scalar::Simple(text)),
            b'-' => Self::Scalar(Scalar::Error(text)),
            b':' => Self::Scalar(Scalar::Integer(integer(text)?)),
            b'_' if text.is_empty() => Self::Scalar(Scalar::Null),
            b'$' | b'*' if text == b"-1" => Self::Scalar(Scalar::Null),
            b'$' => Self::Blob(Blob::Bulk, length(text, ProtocolError::BulkLength)?),
            b'*' => Self::Aggregate(Aggregate::Array, elements(text, 1)?),
            b',' => Self::Scalar(Scalar::Double(double(text)?)),
            b'#' => Self::Scalar(Scalar::Boolean(boolean(text)?)),
            b'!' => Self::Blob(Blob::Error, length(text, ProtocolError::BulkLength)?),
            b'=' => Self::Blob(Blob::Verbatim, length(text, ProtocolError::BulkLength)?),
            // Unchecked: a script may return any text as a big number, and Redis sends it as it is.
            b'(' => Self::Scalar(Scalar::BigNumber(text)),
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
    /// Checks that `payload` is valid for this type.
    pub(super) fn check(self, payload: &[u8]) -> Result<(), ProtocolError> {
        match self {
            Self::Bulk | Self::Error => Ok(()),
            Self::Verbatim => split_verbatim(payload).map(|_| ()),
        }
    }
}

/// Splits the payload of a verbatim string, such as `txt:abc`, into its format and its text.
pub(super) fn split_verbatim(payload: &[u8]) -> Result<([u8; 3], &[u8]), ProtocolError> {
    match payload {
        [a, b, c, b':', text @ ..] => Ok(([*a, *b, *c], text)),
        _ => Err(ProtocolError::Malformed(b'=')),
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

fn length(text: &[u8], error: ProtocolError) -> Result<usize, ProtocolError> {
    match text {
        b"?" => Err(ProtocolError::Streamed),
        _ => number::parse_length(text).ok_or(error),
    }
}
