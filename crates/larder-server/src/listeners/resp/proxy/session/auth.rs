//! Users and passwords.

use super::super::{context::ProxyContext, hello::Hello};
use crate::{config::RespConfig, users::User};
use bytes::BytesMut;
use larder_redis::RedisUrl;
use larder_resp::{
    command::{Class, SessionCommand, Spec},
    request::{Command, write_command},
};
use std::sync::Arc;

/// A user of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Principal {
    /// The user of the store's URL, who has read what is in memory.
    Own,
    Other(Arc<User>),
}

impl Principal {
    /// Returns the user of this name.
    pub(crate) fn of(name: &[u8], context: &ProxyContext) -> Self {
        let own = context.backend().url().and_then(RedisUrl::user).unwrap_or("default");
        match name == own.as_bytes() {
            true => Self::Own,
            false => Self::Other(context.users().get(name)),
        }
    }

    /// Returns whether this user may read what the user of the URL has read (R12).
    pub(in super::super) fn shares(&self, context: &ProxyContext) -> bool {
        match self {
            Self::Own => true,
            Self::Other(user) => user.shares(context.engine().clock()),
        }
    }
}

/// What a client has authenticated as.
#[derive(Debug)]
pub(super) struct Auth {
    principal: Principal,
    has_shown_password: bool,
}

impl Auth {
    pub(super) fn new() -> Self {
        Self { principal: Principal::Own, has_shown_password: false }
    }

    pub(super) fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Returns whether the store has accepted a password from the client.
    pub(super) fn has_shown_password(&self) -> bool {
        self.has_shown_password
    }

    /// Records that the store has accepted the client as this user.
    pub(super) fn accepted_as(&mut self, principal: Principal) {
        self.principal = principal;
        self.has_shown_password = true;
    }
}

/// What a command that names a user asks for.
///
/// With `requirepass`, the user `default` of Larder's clients is the user of the store's URL, and its
/// password is known to Larder alone. Commands with that password go to the store in other words,
/// and so do those with a wrong one: the store then answers them in their turn, in a transaction
/// and under `CLIENT REPLY` too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Login<'a> {
    /// Another user, or a user whom the store checks, or none.
    AsSent,
    /// The user of the store's URL, with the password of `requirepass`.
    Own,
    /// The same with a wrong password.
    WrongPassword,
    /// A HELLO that names a user, and has this option, which is not understood.
    BadHello(&'a [u8]),
}

/// A name that no user can have, because it has a space in it. The store refuses it as it refuses a
/// wrong password, and `ACL LOG` shows it.
const NO_USER: &[u8] = b"wrong requirepass";

impl<'a> Login<'a> {
    pub(crate) fn of(spec: &Spec, command: &Command<'a>, config: &RespConfig) -> Self {
        let (user, password) = match spec.class {
            Class::Session(SessionCommand::Auth) => match command.args().len() {
                2 => (&b"default"[..], command.arg(1)),
                3 => (command.arg(1).unwrap_or_default(), command.arg(2)),
                _ => return Self::AsSent,
            },
            Class::Session(SessionCommand::Hello) => match Hello::parse(command) {
                Err(option) => return Self::BadHello(option),
                Ok(Hello { auth: Some((user, password)), .. }) => (user, Some(password)),
                Ok(Hello { auth: None, .. }) => return Self::AsSent,
            },
            _ => return Self::AsSent,
        };
        match config.requirepass.as_ref().filter(|_| user == b"default") {
            None => Self::AsSent,
            Some(required) if required.matches(password.unwrap_or_default()) => Self::Own,
            Some(_) => Self::WrongPassword,
        }
    }

    /// Returns whom the client becomes if the store accepts the command, or `None` if it names nobody.
    pub(crate) fn principal(
        self,
        spec: &Spec,
        command: &Command<'_>,
        context: &ProxyContext,
    ) -> Option<Principal> {
        match self {
            Self::Own => Some(Principal::Own),
            Self::WrongPassword => Some(Principal::of(NO_USER, context)),
            Self::BadHello(_) => None,
            Self::AsSent => user_of(spec, command).map(|user| Principal::of(user, context)),
        }
    }

    /// Writes the command for the store, with the credentials of its URL.
    pub(crate) fn write(
        self,
        command: &Command<'_>,
        credentials: (&[u8], &[u8]),
        out: &mut BytesMut,
    ) {
        let (user, password) = match self {
            Self::AsSent => return command.write_to(out),
            // Redis names the option, unless it does not know the version.
            Self::BadHello(option) => {
                let version = command.arg(1).unwrap_or_default();
                return write_command(out, &[b"HELLO", version, option]);
            }
            Self::Own => credentials,
            Self::WrongPassword => (NO_USER, &b""[..]),
        };
        let Ok(Hello { auth: Some(_), name }) = Hello::parse(command) else {
            return write_command(out, &[b"AUTH", user, password]);
        };
        let version = command.arg(1).unwrap_or_default();
        let set_name = name.map(|name| [&b"SETNAME"[..], name]);
        let words = [b"HELLO", version, b"AUTH", user, password].into_iter();
        write_command(out, &words.chain(set_name.into_iter().flatten()).collect::<Vec<_>>());
    }
}

/// Returns the user that a command names.
fn user_of<'a>(spec: &Spec, command: &Command<'a>) -> Option<&'a [u8]> {
    match spec.class {
        Class::Session(SessionCommand::Auth) => Some(match command.arg(2) {
            Some(_) => command.arg(1).unwrap_or_default(),
            None => b"default",
        }),
        Class::Session(SessionCommand::Hello) => {
            Hello::parse(command).ok()?.auth.map(|(user, _)| user)
        }
        _ => None,
    }
}
