//! Users and passwords.

use super::super::{context::ProxyContext, hello::Hello};
use crate::{config::RespConfig, users::User};
use larder_redis::RedisUrl;
use larder_resp::{
    command::{Class, SessionCommand, Spec},
    request::Command,
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
    pub(super) fn shares(&self, context: &ProxyContext) -> bool {
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

    pub(super) fn acts_as_other_user(&self) -> bool {
        self.principal != Principal::Own
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

/// Checks the password in a command against `requirepass`. Returns `None` when the command holds
/// none, or one of another user, which is for the store to check.
pub(crate) fn check_password(
    session: SessionCommand,
    command: &Command<'_>,
    config: &RespConfig,
) -> Option<bool> {
    let required = config.requirepass.as_ref()?;
    let (user, password) = match session {
        SessionCommand::Auth => match (command.arg(1)?, command.arg(2)) {
            (password, None) => (&b"default"[..], password),
            (user, Some(password)) => (user, password),
        },
        SessionCommand::Hello => hello_auth(command)?,
        _ => return None,
    };
    (user == b"default").then(|| required.matches(password))
}

/// Returns whether a command holds the password of `requirepass`.
pub(crate) fn shows_password(spec: &Spec, command: &Command<'_>, config: &RespConfig) -> bool {
    match spec.class {
        Class::Session(session) => check_password(session, command, config) == Some(true),
        _ => false,
    }
}

/// Returns whether a command is a HELLO that holds the password of `requirepass`.
pub(crate) fn is_own_hello(spec: &Spec, command: &Command<'_>, config: &RespConfig) -> bool {
    spec.class == Class::Session(SessionCommand::Hello) && shows_password(spec, command, config)
}

/// Returns the user and the password in a HELLO.
pub(crate) fn hello_auth<'a>(command: &Command<'a>) -> Option<(&'a [u8], &'a [u8])> {
    Hello::parse(command).ok()?.auth
}
