//! Errors in the bytes that a peer sent.

/// The bytes are not RESP, or exceed a limit. After it no further frame can be found: the
/// connection must be closed.
///
/// `Display` uses the text of Redis where Redis has the same error. In a reply to a client, `ERR `
/// precedes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// The number of elements is not a number, is negative, or exceeds
    /// [`Limits::elements_max`](crate::Limits::elements_max).
    #[error("Protocol error: invalid multibulk length")]
    MultibulkLength,
    /// The length of a bulk string is not a number, is negative, or exceeds
    /// [`Limits::bulk_bytes_max`](crate::Limits::bulk_bytes_max).
    #[error("Protocol error: invalid bulk length")]
    BulkLength,
    /// More arguments than a client may send before it authenticates.
    #[error("Protocol error: unauthenticated multibulk length")]
    UnauthenticatedMultibulkLength,
    /// A longer argument than a client may send before it authenticates.
    #[error("Protocol error: unauthenticated bulk length")]
    UnauthenticatedBulkLength,
    /// An argument of a command is not a bulk string. The byte is the one in place of `$`.
    #[error("Protocol error: expected '$', got '{}'", char::from(*.0))]
    ExpectedBulk(u8),
    /// An inline command exceeds [`Limits::inline_bytes_max`](crate::Limits::inline_bytes_max).
    #[error("Protocol error: too big inline request")]
    InlineTooBig,
    /// The line with the number of arguments of a command does not end.
    #[error("Protocol error: too big mbulk count string")]
    MultibulkCountTooBig,
    /// The line with the length of an argument does not end.
    #[error("Protocol error: too big bulk count string")]
    BulkCountTooBig,
    /// An inline command has a quote that is not closed, or is closed inside a word.
    #[error("Protocol error: unbalanced quotes in request")]
    UnbalancedQuotes,
    /// A line of a reply exceeds [`Limits::line_bytes_max`](crate::Limits::line_bytes_max).
    #[error("Protocol error: too big reply line")]
    LineTooBig,
    /// A carriage return is not followed by a line feed, or a bulk string not by both.
    #[error("Protocol error: expected CRLF")]
    MissingLineEnd,
    /// RESP has no type with this byte.
    #[error("Protocol error: unknown reply type '{}'", char::from(*.0).escape_default())]
    UnknownType(u8),
    /// The value is not valid for its type, which the byte names: `:one` or `#maybe`.
    #[error("Protocol error: malformed reply of type '{}'", char::from(*.0))]
    Malformed(u8),
    /// A streamed string or aggregate (`$?`, `*?`): part of RESP3, but no server sends it.
    #[error("Protocol error: streamed replies are not supported")]
    Streamed,
    /// Aggregates are nested deeper than [`Limits::depth_max`](crate::Limits::depth_max).
    #[error("Protocol error: reply nested too deep")]
    TooDeep,
    /// A push is inside another reply.
    #[error("Protocol error: push inside a reply")]
    NestedPush,
    /// A complete frame was expected, but its end is missing.
    #[error("Protocol error: incomplete frame")]
    Incomplete,
    /// One frame was expected, but more bytes follow it.
    #[error("Protocol error: bytes after the frame")]
    TrailingBytes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_redis_has_use_its_text() {
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
