//! Commands that Larder answers itself, whoever sends them.

use larder_resp::{
    command::{Class, SessionCommand, Spec},
    request::Command,
};

/// How Larder answers a command itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LocalReply {
    /// Closes the connection: this is HTTP, sent by a browser or by an attack through one.
    Http,
    Reset,
    Quit,
}

impl LocalReply {
    /// Returns how Larder answers a command, or `None` if it does not.
    pub(crate) fn of(spec: &Spec, command: &Command<'_>) -> Option<Self> {
        let name = command.name();
        if name.eq_ignore_ascii_case(b"POST") || name.eq_ignore_ascii_case(b"Host:") {
            return Some(Self::Http);
        }
        match spec.class {
            Class::Session(SessionCommand::Reset) if command.args().len() == 1 => Some(Self::Reset),
            Class::Session(SessionCommand::Quit) => Some(Self::Quit),
            _ => None,
        }
    }
}
