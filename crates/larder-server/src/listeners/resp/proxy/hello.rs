//! The options of a HELLO.
//!
//! Redis applies them one after the other, so one that fails may have changed the client's user
//! before, and of two AUTH the last one counts. A HELLO that names a user is therefore refused here
//! unless all of its options are understood.

use super::read_context::Protocol;
use crate::listeners::resp::embedded::{
    command_error::CommandError, commands::is_client_name, number,
};
use larder_resp::request::Command;

/// What a HELLO asks for besides the protocol version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hello<'a> {
    /// A user and the password.
    pub(super) auth: Option<(&'a [u8], &'a [u8])>,
    pub(super) name: Option<&'a [u8]>,
}

impl<'a> Hello<'a> {
    /// Returns the version that a HELLO asks for, if it is a known one.
    pub(super) fn protocol(command: &Command<'_>) -> Option<Protocol> {
        match command.arg(1) {
            Some(b"2") => Some(Protocol::Resp2),
            Some(b"3") => Some(Protocol::Resp3),
            _ => None,
        }
    }

    /// Returns the error of a HELLO that asks for an unknown version.
    pub(super) fn version_error(command: &Command<'_>) -> Option<CommandError> {
        let version = command.arg(1).filter(|_| Self::protocol(command).is_none())?;
        Some(match number::integer(version) {
            Some(_) => CommandError::NO_PROTOCOL,
            None => CommandError::PROTOCOL_NOT_AN_INTEGER,
        })
    }

    /// Returns the error of a HELLO that names no user and has an option that is not understood.
    pub(super) fn option_error(command: &Command<'_>) -> Option<CommandError> {
        let mut args = command.args().skip(2);
        while let Some(word) = args.next() {
            match word.eq_ignore_ascii_case(b"SETNAME").then(|| args.next()).flatten() {
                Some(name) if is_client_name(name) => {}
                Some(_) => return Some(CommandError::BAD_CLIENT_NAME),
                None => return Some(CommandError::hello_option(word)),
            }
        }
        None
    }

    /// Parses the options. Fails with the first option that is not understood, if the HELLO names a
    /// user.
    pub(super) fn parse(command: &Command<'a>) -> Result<Self, &'a [u8]> {
        let mut hello = Self::default();
        let mut unknown = None;
        let mut args = command.args().skip(2);
        while let Some(word) = args.next() {
            let is_known = if word.eq_ignore_ascii_case(b"AUTH") && hello.auth.is_none() {
                hello.auth = args.next().zip(args.next());
                hello.auth.is_some()
            } else if word.eq_ignore_ascii_case(b"SETNAME") {
                hello.name = args.next();
                hello.name.is_some()
            } else {
                false
            };
            if !is_known {
                unknown.get_or_insert(word);
            }
        }
        let names_user = command.args().skip(2).any(|word| word.eq_ignore_ascii_case(b"AUTH"));
        match unknown {
            Some(word) if names_user => Err(word),
            _ => Ok(hello),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_resp::{
        Limits,
        request::{Decoder, write_command},
    };

    fn options(line: &str) -> Result<(Option<String>, Option<String>), String> {
        let words: Vec<_> = line.split(' ').map(str::as_bytes).collect();
        let mut bytes = bytes::BytesMut::new();
        write_command(&mut bytes, &words);
        let mut decoder = Decoder::new(Limits::default());
        let command = decoder.decode(&bytes).unwrap().command.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let hello = Hello::parse(&command).map_err(text)?;
        Ok((
            hello.auth.map(|(user, word)| text(&[user, b" ", word].concat())),
            hello.name.map(text),
        ))
    }

    #[test]
    fn an_ambiguous_hello_with_a_user_is_refused() {
        assert_eq!(options("HELLO"), Ok((None, None)));
        assert_eq!(options("HELLO 3 SETNAME me"), Ok((None, Some("me".into()))));
        assert_eq!(
            options("HELLO 3 auth a b setname AUTH"),
            Ok((Some("a b".into()), Some("AUTH".into())))
        );
        assert_eq!(
            options("HELLO 2 SETNAME AUTH AUTH default x"),
            Ok((Some("default x".into()), Some("AUTH".into())))
        );
        for (line, odd) in [
            ("HELLO 2 AUTH a b AUTH c d", "AUTH"),
            ("HELLO 2 AUTH a b BADOPT", "BADOPT"),
            ("HELLO 2 BADOPT AUTH a b", "BADOPT"),
            ("HELLO 2 AUTH a", "AUTH"),
            ("HELLO 2 AUTH a b SETNAME", "SETNAME"),
        ] {
            assert_eq!(options(line), Err(odd.into()), "{line}");
        }
        assert_eq!(options("HELLO 2 BADOPT"), Ok((None, None)), "the store says so");
    }
}
