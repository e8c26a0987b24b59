//! Commands that Larder answers itself.

use super::{
    hello::Hello,
    session::auth::{check_password, hello_auth},
};
use crate::config::RespConfig;
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
    /// The client has not authenticated.
    NoAuth,
    /// The same, for HELLO.
    NoAuthHello,
    WrongPassword,
    RightPassword,
    /// A HELLO with a user and an option that is not understood.
    BadHello,
}

impl LocalReply {
    /// Returns how Larder answers a command, or `None` if it does not. `authenticated` is whether
    /// the client has shown the password of `requirepass`.
    pub(crate) fn of(
        spec: &Spec,
        command: &Command<'_>,
        config: &RespConfig,
        authenticated: bool,
    ) -> Option<Self> {
        let name = command.name();
        if name.eq_ignore_ascii_case(b"POST") || name.eq_ignore_ascii_case(b"Host:") {
            return Some(Self::Http);
        }
        let no_auth = (!authenticated).then_some(Self::NoAuth);
        let Class::Session(session) = spec.class else { return no_auth };
        let password_matches = check_password(session, command, config);
        match session {
            // Redis checks the version before the options.
            SessionCommand::Hello
                if Hello::protocol(command).is_some() && Hello::parse(command).is_err() =>
            {
                Some(Self::BadHello)
            }
            SessionCommand::Reset if command.args().len() == 1 => Some(Self::Reset),
            SessionCommand::Quit => Some(Self::Quit),
            SessionCommand::Auth => match password_matches {
                Some(true) => Some(Self::RightPassword),
                Some(false) => Some(Self::WrongPassword),
                // The store knows the other users.
                None => None,
            },
            SessionCommand::Hello => match password_matches {
                Some(false) => Some(Self::WrongPassword),
                _ if authenticated || hello_auth(command).is_some() => None,
                _ => Some(Self::NoAuthHello),
            },
            _ => no_auth,
        }
    }
}
