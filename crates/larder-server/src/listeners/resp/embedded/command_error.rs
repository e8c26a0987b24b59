//! Error replies, in Redis's words.

use larder_core::{StoreError, memory_store::OutOfMemory};
use larder_resp::request::Command;
use std::borrow::Cow;

/// Bytes of the arguments that an error quotes.
const QUOTED_BYTES_MAX: usize = 128;

/// An error reply, which begins with its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::listeners::resp) struct CommandError(Cow<'static, [u8]>);

/// The result of a command that writes its reply itself.
pub(super) type Outcome = Result<(), CommandError>;

impl CommandError {
    pub(in crate::listeners::resp) const SYNTAX: Self = Self::new("ERR syntax error");
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
    pub(in crate::listeners::resp) const NO_AUTH: Self =
        Self::new("NOAUTH Authentication required.");
    pub(in crate::listeners::resp) const NO_AUTH_HELLO: Self = Self::new(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO \
         <proto> AUTH <user> <pass> option can be used to authenticate the client and select the \
         RESP protocol version at the same time",
    );
    pub(in crate::listeners::resp) const NO_PROTOCOL: Self =
        Self::new("NOPROTO unsupported protocol version");
    pub(in crate::listeners::resp) const PROTOCOL_NOT_AN_INTEGER: Self =
        Self::new("ERR Protocol version is not an integer or out of range");
    pub(in crate::listeners::resp) const BAD_CLIENT_NAME: Self =
        Self::new("ERR Client names cannot contain spaces, newlines or special characters.");
    pub(in crate::listeners::resp) const WRONG_PASSWORD: Self =
        Self::new("WRONGPASS invalid username-password pair or user is disabled.");
    pub(super) const INVALID_COMMAND: Self = Self::new("ERR Invalid command specified");
    pub(super) const INVALID_ARITY: Self =
        Self::new("ERR Invalid number of arguments specified for command");
    pub(super) const NO_KEYS: Self = Self::new("ERR The command has no key arguments");
    pub(super) const TOO_MANY_WATCHES: Self =
        Self::new("ERR Larder: the names that a client watches take at most 16 MiB");
    pub(super) const TRANSACTION_TOO_LONG: Self =
        Self::new("ERR Larder: a transaction holds at most 64 MiB");

    pub(in crate::listeners::resp) const fn new(text: &'static str) -> Self {
        Self(Cow::Borrowed(text.as_bytes()))
    }

    /// Returns an error that quotes what the client sent. As in C, a zero byte ends the quotation.
    pub(in crate::listeners::resp) fn quoting(before: &str, quoted: &[u8], after: &str) -> Self {
        Self([before.as_bytes(), c_text(quoted), after.as_bytes()].concat().into())
    }

    pub(in crate::listeners::resp) fn wrong_arity(name: &str) -> Self {
        Self::quoting("ERR wrong number of arguments for '", name.as_bytes(), "' command")
    }

    /// Returns the error for a command that does not exist. It quotes the first arguments.
    pub(in crate::listeners::resp) fn unknown_command(command: &Command<'_>) -> Self {
        let mut quoted = Vec::new();
        for arg in command.args().skip(1) {
            let Some(left) = QUOTED_BYTES_MAX.checked_sub(quoted.len()).filter(|left| *left > 0)
            else {
                break;
            };
            quoted.push(b'\'');
            quoted.extend(c_text(arg).iter().take(left));
            quoted.extend(b"' ");
        }
        let name: Vec<u8> = c_text(command.name()).iter().take(QUOTED_BYTES_MAX).copied().collect();
        [&b"ERR unknown command '"[..], &name, b"', with args beginning with: ", &quoted]
            .concat()
            .into()
    }

    /// Returns the error for a container whose first argument is no subcommand.
    pub(in crate::listeners::resp) fn unknown_subcommand(command: &Command<'_>) -> Self {
        let argument = c_text(command.arg(1).unwrap_or_default());
        let name: Vec<u8> = argument.iter().take(QUOTED_BYTES_MAX).copied().collect();
        let container = command.name().to_ascii_uppercase();
        [&b"ERR unknown subcommand '"[..], &name, b"'. Try ", &container, b" HELP."].concat().into()
    }

    /// Returns the error for an option of HELLO that is not understood.
    pub(in crate::listeners::resp) fn hello_option(option: &[u8]) -> Self {
        Self::quoting("ERR Syntax error in HELLO option '", option, "'")
    }

    /// Returns the error for an EXEC that is rejected with this one.
    pub(in crate::listeners::resp) fn aborting(self) -> Self {
        let why = self.text();
        let why = why.strip_prefix(b"ERR ").unwrap_or(why);
        [b"EXECABORT Transaction discarded because of: ", why].concat().into()
    }

    pub(super) fn expire_time(name: &str) -> Self {
        Self::quoting("ERR invalid expire time in '", name.as_bytes(), "' command")
    }

    pub(in crate::listeners::resp) fn text(&self) -> &[u8] {
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
