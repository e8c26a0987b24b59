//! Parses a command sent as an array of bulk strings, while its bytes arrive.
//!
//! As lenient as Redis, so that both find the same arguments in the same bytes: the line feed of a
//! line, and the CRLF behind an argument, are skipped without a check.

use super::command::Span;
use crate::{error::ProtocolError, limits::Limits, line::LineSearch, number};

/// Limits for a client that has not authenticated, as in Redis.
const UNAUTHENTICATED_ARGS_MAX: usize = 10;
const UNAUTHENTICATED_BULK_BYTES_MAX: usize = 16 << 10;

/// The state of one command.
#[derive(Clone, Copy, Debug)]
pub(super) enum Multibulk {
    /// The line with the number of arguments is next.
    Count(LineSearch),
    /// The line with the length of an argument is next.
    Length { line: LineSearch, args_left: usize },
    /// An argument is next.
    Arg { span: Span, args_left: usize },
}

impl Multibulk {
    pub(super) fn bytes_needed(&self) -> usize {
        match self {
            Self::Count(line) | Self::Length { line, .. } => line.after(),
            Self::Arg { span, .. } => span.end.saturating_add(2),
        }
    }

    /// Continues in `buf`, which starts with the command, and appends its arguments to `spans`.
    /// Returns the length of the command in bytes once it is complete.
    pub(super) fn read(
        &mut self,
        buf: &[u8],
        limits: &Limits,
        auth_required: bool,
        spans: &mut Vec<Span>,
    ) -> Result<Option<usize>, ProtocolError> {
        loop {
            match self {
                Self::Count(line) => {
                    let too_big = ProtocolError::MultibulkCountTooBig;
                    let found = line.find(buf, limits.inline_bytes_max, too_big)?;
                    let Some((text, _)) = found else { return Ok(None) };
                    let next = line.after();
                    let args_left = count(text, limits, auth_required)?;
                    if args_left == 0 {
                        return Ok(Some(next));
                    }
                    *self = Self::Length { line: LineSearch::at(next), args_left };
                }
                Self::Length { line, args_left } => {
                    let too_big = ProtocolError::BulkCountTooBig;
                    let found = line.find(buf, limits.inline_bytes_max, too_big)?;
                    let Some((text, _)) = found else { return Ok(None) };
                    let start = line.after();
                    let end = start.saturating_add(length(text, limits, auth_required)?);
                    *self = Self::Arg { span: Span { start, end }, args_left: *args_left };
                }
                Self::Arg { span, args_left } => {
                    let next = span.end.saturating_add(2);
                    if buf.len() < next {
                        return Ok(None);
                    }
                    spans.push(*span);
                    *args_left -= 1;
                    if *args_left == 0 {
                        return Ok(Some(next));
                    }
                    *self = Self::Length { line: LineSearch::at(next), args_left: *args_left };
                }
            }
        }
    }
}

/// Returns the number of arguments. As in Redis, a number that is not positive means none.
fn count(line: &[u8], limits: &Limits, auth_required: bool) -> Result<usize, ProtocolError> {
    let count = line.get(1..).and_then(number::parse).ok_or(ProtocolError::MultibulkLength)?;
    match usize::try_from(count.max(0)) {
        Ok(count) if count > limits.elements_max => Err(ProtocolError::MultibulkLength),
        Ok(count) if auth_required && count > UNAUTHENTICATED_ARGS_MAX => {
            Err(ProtocolError::UnauthenticatedMultibulkLength)
        }
        count => count.map_err(|_| ProtocolError::MultibulkLength),
    }
}

fn length(line: &[u8], limits: &Limits, auth_required: bool) -> Result<usize, ProtocolError> {
    let text = match line {
        [b'$', text @ ..] => text,
        [other, ..] => return Err(ProtocolError::ExpectedBulk(*other)),
        [] => return Err(ProtocolError::ExpectedBulk(b'\r')),
    };
    match number::parse_length(text).ok_or(ProtocolError::BulkLength)? {
        bytes if bytes > limits.bulk_bytes_max => Err(ProtocolError::BulkLength),
        bytes if auth_required && bytes > UNAUTHENTICATED_BULK_BYTES_MAX => {
            Err(ProtocolError::UnauthenticatedBulkLength)
        }
        bytes => Ok(bytes),
    }
}
