//! What a command is to this listener: the table's answer, with the arguments read where they
//! change the client's state.

use super::{hello::Hello, uncached_read::KeyedRead};
use crate::{app::App, config::RespConfig, stats::resp::Relayed, users::User};
use larder_redis::RedisUrl;
use larder_resp::{
    command::{Class, ClientCommand, CommandKeys, KeyArgs, SessionCommand, Spec},
    request::Command,
};
use std::sync::Arc;

/// What must be done for a command that goes upstream.
#[derive(Clone, Debug)]
pub(crate) enum CommandKind<'a> {
    /// It reads these keys; `None`: who knows which.
    Read(Option<KeyedRead<'a>>),
    /// It may write to these keys; `None`: who knows which.
    Write(Option<KeyArgs<'a>>),
    /// Everything may have changed.
    Flush,
    /// It touches no key.
    Neutral,
    /// We add a section to its reply.
    Info,
    /// It changes the client's state.
    State(State),
}

/// Changes of a client's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Hello { resp3: Option<bool>, principal: Option<Principal> },
    Auth { principal: Principal },
    Select(u32),
    Multi,
    Exec,
    Discard,
    Watch,
    Unwatch,
    Subscribe,
    Tracking,
    Monitor,
    Bytes,
    ReplyOn,
    ReplyOff,
    ReplySkip,
}

/// A user of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Principal {
    /// That of the store's URL, who has read what is in memory.
    Own,
    Other(Arc<User>),
}

impl Principal {
    fn of(name: &[u8], app: &App) -> Self {
        let own = app.backend().url().and_then(RedisUrl::user).unwrap_or("default");
        match name == own.as_bytes() {
            true => Self::Own,
            false => Self::Other(app.users().get(name)),
        }
    }

    /// Whether this user may have what that of the URL has read (R12).
    pub(crate) fn shares(&self, app: &App) -> bool {
        match self {
            Self::Own => true,
            Self::Other(user) => user.shares(app.engine().clock()),
        }
    }
}

impl<'a> CommandKind<'a> {
    pub(crate) fn of(spec: &'a Spec, command: &'a Command<'a>, app: &App) -> Self {
        let keys = || match spec.keys_of(command) {
            CommandKeys::Known(keys) => Some(keys),
            CommandKeys::Unknown => None,
        };
        match spec.class {
            Class::Read | Class::OtherRead => {
                Self::Read(keys().map(|keys| KeyedRead { keys, spec, command }))
            }
            Class::Write => Self::Write(keys()),
            Class::WriteUnknown => Self::Write(None),
            Class::FlushAll => Self::Flush,
            Class::Neutral => Self::Neutral,
            Class::Session(session) => Self::of_session(session, command, app),
        }
    }

    fn of_session(session: SessionCommand, command: &Command<'a>, app: &App) -> Self {
        let state = match session {
            SessionCommand::Hello => hello(command, app),
            SessionCommand::Auth => State::Auth { principal: auth_user(command, app) },
            SessionCommand::Select => match number(command.arg(1)) {
                Some(db) => State::Select(db),
                None => return Self::Neutral,
            },
            SessionCommand::Multi => State::Multi,
            SessionCommand::Exec => State::Exec,
            SessionCommand::Discard => State::Discard,
            SessionCommand::Watch => State::Watch,
            SessionCommand::Unwatch => State::Unwatch,
            SessionCommand::Subscribe | SessionCommand::Unsubscribe => State::Subscribe,
            SessionCommand::Monitor => State::Monitor,
            SessionCommand::Replicate | SessionCommand::ScriptDebug => State::Bytes,
            SessionCommand::Client(ClientCommand::Tracking) => State::Tracking,
            SessionCommand::Client(ClientCommand::Reply) => match reply_mode(command) {
                Some(state) => state,
                None => return Self::Neutral,
            },
            // What this user may read may have changed (R12).
            SessionCommand::AclChange => return Self::Flush,
            SessionCommand::Info if wants_our_section(command) => return Self::Info,
            SessionCommand::Info
            | SessionCommand::Client(_)
            | SessionCommand::Readonly
            | SessionCommand::Readwrite
            | SessionCommand::Asking
            | SessionCommand::Reset
            | SessionCommand::Quit => return Self::Neutral,
        };
        Self::State(state)
    }

    /// Whether it may go upstream only when every earlier reply is here: from then on replies are
    /// counted in another way.
    pub(crate) fn wants_quiet(&self) -> bool {
        matches!(
            self,
            Self::State(
                State::Subscribe
                    | State::Monitor
                    | State::Bytes
                    | State::ReplyOn
                    | State::ReplyOff
                    | State::ReplySkip
            )
        )
    }

    /// Of a HELLO that is sent without its user.
    pub(crate) fn without_user(self) -> Self {
        match self {
            Self::State(State::Hello { resp3, .. }) => {
                Self::State(State::Hello { resp3, principal: None })
            }
            other => other,
        }
    }

    /// For the counters.
    pub(crate) fn relayed(&self) -> Relayed {
        match self {
            Self::Read(_) => Relayed::Read,
            Self::Write(_) | Self::Flush | Self::State(State::Exec) => Relayed::Write,
            Self::Neutral | Self::Info | Self::State(_) => Relayed::Other,
        }
    }
}

/// What Larder answers itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LocalReply {
    /// Not Redis's protocol: a browser or an attack through one.
    Http,
    Reset,
    Quit,
    /// The client has yet to show the password.
    NoAuth,
    /// The same, in answer to HELLO.
    NoAuthHello,
    /// It shows the password, and it is not that.
    WrongPassword,
    /// It shows the password.
    RightPassword,
    /// A HELLO that shows a user, and something that is not understood.
    OddHello,
}

impl LocalReply {
    /// `authenticated` is whether the client has shown what `requirepass` wants.
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
        let Class::Session(session) = spec.class else {
            return (!authenticated).then_some(Self::NoAuth);
        };
        // Of another version nothing else is looked at.
        let is_hello =
            session == SessionCommand::Hello && matches!(command.arg(1), Some(b"2" | b"3"));
        if is_hello && Hello::of(command).is_err() {
            return Some(Self::OddHello);
        }
        let password_matches = check_password(session, command, config);
        match session {
            SessionCommand::Reset if command.args().len() == 1 => Some(Self::Reset),
            SessionCommand::Quit => Some(Self::Quit),
            SessionCommand::Auth | SessionCommand::Hello if password_matches == Some(false) => {
                Some(Self::WrongPassword)
            }
            SessionCommand::Auth if password_matches == Some(true) => Some(Self::RightPassword),
            // Of another user, or with the password: the store answers.
            SessionCommand::Auth => None,
            SessionCommand::Hello if authenticated || hello_auth(command).is_some() => None,
            SessionCommand::Hello => Some(Self::NoAuthHello),
            _ => (!authenticated).then_some(Self::NoAuth),
        }
    }

    /// Whether this is a HELLO with the right password.
    pub(crate) fn is_own_hello(spec: &Spec, command: &Command<'_>, config: &RespConfig) -> bool {
        spec.class == Class::Session(SessionCommand::Hello) && shows_password(spec, command, config)
    }
}

/// Whether a command shows the password of `requirepass`.
pub(crate) fn shows_password(spec: &Spec, command: &Command<'_>, config: &RespConfig) -> bool {
    match spec.class {
        Class::Session(session) => check_password(session, command, config) == Some(true),
        _ => false,
    }
}

/// Whether the password that a command shows is the one of `requirepass`; `None` when it shows none
/// or is about another user, who is the store's to know.
fn check_password(
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

/// The user and the password in a HELLO.
fn hello_auth<'a>(command: &Command<'a>) -> Option<(&'a [u8], &'a [u8])> {
    Hello::of(command).ok()?.auth
}

fn hello(command: &Command<'_>, app: &App) -> State {
    let resp3 = match command.arg(1) {
        Some(b"3") => Some(true),
        Some(b"2") => Some(false),
        _ => None,
    };
    let principal = hello_auth(command).map(|(user, _)| Principal::of(user, app));
    State::Hello { resp3, principal }
}

fn auth_user(command: &Command<'_>, app: &App) -> Principal {
    match command.arg(2) {
        Some(_) => Principal::of(command.arg(1).unwrap_or_default(), app),
        None => Principal::of(b"default", app),
    }
}

fn wants_our_section(command: &Command<'_>) -> bool {
    const SECTIONS: [&[u8]; 4] = [b"default", b"all", b"everything", b"larder"];
    let mut asked = command.args().skip(1).peekable();
    asked.peek().is_none()
        || asked.any(|arg| SECTIONS.iter().any(|section| arg.eq_ignore_ascii_case(section)))
}

fn reply_mode(command: &Command<'_>) -> Option<State> {
    let mode = command.arg(2).filter(|_| command.args().len() == 3)?;
    let states =
        [(&b"ON"[..], State::ReplyOn), (b"OFF", State::ReplyOff), (b"SKIP", State::ReplySkip)];
    states.into_iter().find(|(name, _)| mode.eq_ignore_ascii_case(name)).map(|(_, state)| state)
}

fn number(arg: Option<&[u8]>) -> Option<u32> {
    std::str::from_utf8(arg?).ok()?.parse().ok()
}
