//! What can be wrong with the bytes of a peer.

use std::fmt;

/// The bytes are not RESP, or pass a limit. No frame can be found after it: the connection is lost.
///
/// Where Redis has words for the same mistake, `Display` uses them; they follow `ERR ` in the
/// reply to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// A count of elements that is not a number, is negative, or passes
    /// [`Limits::elements_max`](crate::Limits::elements_max).
    MultibulkLength,
    /// A length of a bulk string that is not a number, is negative, or passes
    /// [`Limits::bulk_bytes_max`](crate::Limits::bulk_bytes_max).
    BulkLength,
    /// More arguments than a client may send before it authenticates.
    UnauthenticatedMultibulkLength,
    /// A longer argument than a client may send before it authenticates.
    UnauthenticatedBulkLength,
    /// An argument of a command that is no bulk string; the byte is what came instead of `$`.
    ExpectedBulk(u8),
    /// An inline command longer than [`Limits::inline_bytes_max`](crate::Limits::inline_bytes_max).
    InlineTooBig,
    /// The line that counts the arguments of a command does not end.
    MultibulkCountTooBig,
    /// The line that gives the length of an argument does not end.
    BulkCountTooBig,
    /// An inline command with a quote that is left open, or closed in the middle of a word.
    UnbalancedQuotes,
    /// A reply line longer than [`Limits::line_bytes_max`](crate::Limits::line_bytes_max).
    LineTooBig,
    /// A carriage return without its line feed, or a bulk string without both after it.
    MissingLineEnd,
    /// A reply of a type that RESP does not have.
    UnknownType(u8),
    /// A value that its type (the byte) does not allow, as in `:one` or `#maybe`.
    Malformed(u8),
    /// A streamed string or aggregate (`$?`, `*?`): part of RESP3, sent by no server.
    Streamed,
    /// Aggregates nested deeper than [`Limits::depth_max`](crate::Limits::depth_max).
    TooDeep,
    /// A push inside another reply.
    NestedPush,
    /// A frame was to be viewed whose end is missing.
    Incomplete,
    /// A frame was to be viewed with more bytes behind it.
    TrailingBytes,
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Protocol error: ")?;
        f.write_str(match *self {
            Self::MultibulkLength => "invalid multibulk length",
            Self::BulkLength => "invalid bulk length",
            Self::UnauthenticatedMultibulkLength => "unauthenticated multibulk length",
            Self::UnauthenticatedBulkLength => "unauthenticated bulk length",
            Self::ExpectedBulk(got) => {
                return write!(f, "expected '$', got '{}'", char::from(got));
            }
            Self::InlineTooBig => "too big inline request",
            Self::MultibulkCountTooBig => "too big mbulk count string",
            Self::BulkCountTooBig => "too big bulk count string",
            Self::UnbalancedQuotes => "unbalanced quotes in request",
            Self::LineTooBig => "too big reply line",
            Self::MissingLineEnd => "expected CRLF",
            Self::UnknownType(got) => {
                return write!(f, "unknown reply type '{}'", char::from(got).escape_default());
            }
            Self::Malformed(kind) => {
                return write!(f, "malformed reply of type '{}'", char::from(kind));
            }
            Self::Streamed => "streamed replies are not supported",
            Self::TooDeep => "reply nested too deep",
            Self::NestedPush => "push inside a reply",
            Self::Incomplete => "incomplete frame",
            Self::TrailingBytes => "bytes after the frame",
        })
    }
}

impl std::error::Error for ProtocolError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redis_words_are_kept() {
        for (error, words) in [
            (ProtocolError::MultibulkLength, "Protocol error: invalid multibulk length"),
            (ProtocolError::BulkLength, "Protocol error: invalid bulk length"),
            (ProtocolError::ExpectedBulk(b'x'), "Protocol error: expected '$', got 'x'"),
            (ProtocolError::InlineTooBig, "Protocol error: too big inline request"),
            (ProtocolError::MultibulkCountTooBig, "Protocol error: too big mbulk count string"),
            (ProtocolError::BulkCountTooBig, "Protocol error: too big bulk count string"),
            (ProtocolError::UnbalancedQuotes, "Protocol error: unbalanced quotes in request"),
        ] {
            assert_eq!(error.to_string(), words);
        }
    }
}
