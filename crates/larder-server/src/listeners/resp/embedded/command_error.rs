//! Error replies, in Redis's words.

use larder_core::{StoreError, memory_store::OutOfMemory};
use std::borrow::Cow;

/// An error reply, which begins with its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CommandError(Cow<'static, [u8]>);

/// The result of a command that writes its reply itself.
pub(super) type Outcome = Result<(), CommandError>;

impl CommandError {
    pub(super) const SYNTAX: Self = Self::new("ERR syntax error");
    pub(super) const NOT_AN_INTEGER: Self =
        Self::new("ERR value is not an integer or out of range");
    pub(super) const NOT_AN_INT: Self =
        Self::new("ERR value is out of range, value must between -2147483648 and 2147483647");
    pub(super) const NOT_A_FLOAT: Self = Self::new("ERR value is not a valid float");
    pub(super) const NO_SUCH_KEY: Self = Self::new("ERR no such key");
    pub(super) const NO_SUCH_DB: Self = Self::new("ERR DB index is out of range");
    pub(super) const SAME_OBJECTS: Self =
        Self::new("ERR source and destination objects are the same");
    pub(super) const TOO_LONG: Self =
        Self::new("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    pub(super) const WRONG_PASSWORD: Self =
        Self::new("WRONGPASS invalid username-password pair or user is disabled.");
    pub(super) const INVALID_COMMAND: Self = Self::new("ERR Invalid command specified");
    pub(super) const INVALID_ARITY: Self =
        Self::new("ERR Invalid number of arguments specified for command");
    pub(super) const NO_KEYS: Self = Self::new("ERR The command has no key arguments");
    pub(super) const TOO_MANY_WATCHES: Self =
        Self::new("ERR Larder: the names that a client watches take at most 16 MiB");
    pub(super) const TRANSACTION_TOO_LONG: Self =
        Self::new("ERR Larder: a transaction holds at most 64 MiB");

    pub(super) const fn new(text: &'static str) -> Self {
        Self(Cow::Borrowed(text.as_bytes()))
    }

    /// Returns an error that quotes what the client sent. As in C, a zero byte ends the quotation.
    pub(super) fn quoting(before: &str, quoted: &[u8], after: &str) -> Self {
        Self([before.as_bytes(), c_text(quoted), after.as_bytes()].concat().into())
    }

    pub(super) fn wrong_arity(name: &str) -> Self {
        Self::quoting("ERR wrong number of arguments for '", name.as_bytes(), "' command")
    }

    pub(super) fn expire_time(name: &str) -> Self {
        Self::quoting("ERR invalid expire time in '", name.as_bytes(), "' command")
    }

    pub(super) fn text(&self) -> &[u8] {
        &self.0
    }
}

impl From<OutOfMemory> for CommandError {
    fn from(OutOfMemory: OutOfMemory) -> Self {
        Self::new("OOM command not allowed when used memory > 'maxmemory'.")
    }
}

/// A commit that failed. Redis has the same code for a write that it cannot persist.
impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> Self {
        format!("MISCONF Larder: {error}").into_bytes().into()
    }
}

impl From<Vec<u8>> for CommandError {
    fn from(text: Vec<u8>) -> Self {
        Self(text.into())
    }
}

/// Returns the bytes up to the first zero byte, as C reads a string.
pub(super) fn c_text(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_commit_is_an_error_reply_that_clients_know() {
        let error = StoreError::NotDurable("no space left on device".into());
        let text = CommandError::from(error).text().to_vec();
        let expected =
            b"MISCONF Larder: the write could not be made durable: no space left on device";
        assert_eq!(text, expected);
    }
}
