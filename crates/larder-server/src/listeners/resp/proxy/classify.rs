//! What a command means to the proxy: the answer of the command table, with the arguments parsed
//! where they change the client's state.

use super::{
    context::ProxyContext,
    hello::Hello,
    read_context::Protocol,
    session::auth::{Login, Principal},
    uncached_read::KeyedRead,
    withheld::Withheld,
};
use crate::stats::resp::Forwarded;
use larder_resp::{
    command::{Class, ClientCommand, CommandKeys, KeyArgs, SessionCommand, Spec},
    request::Command,
};

/// What a command that goes upstream does.
#[derive(Clone, Debug)]
pub(super) enum CommandKind<'a> {
    /// It reads these keys; `None` if they are unknown.
    Read(Option<KeyedRead<'a>>),
    /// It may write to these keys; `None` if they are unknown.
    Write(Option<KeyArgs<'a>>),
    /// It may change everything.
    Flush,
    /// It touches no key.
    Neutral,
    /// Larder appends a section to its reply.
    Info,
    /// It would lead the client past Larder.
    Withheld(Withheld),
    /// It changes the client's state.
    State(StateChange),
}

/// A change of a client's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum StateChange {
    Hello {
        protocol: Option<Protocol>,
        principal: Option<Principal>,
    },
    Auth {
        principal: Principal,
    },
    Select(u32),
    Multi,
    Exec,
    Discard,
    Watch,
    Unwatch,
    /// Also the opposite.
    Subscribe,
    Tracking,
    Monitor,
    /// The connection no longer carries replies.
    Bytes,
    ReplyOn,
    ReplyOff,
    ReplySkip,
    /// Names that later commands of the connection use.
    Prepare,
}

impl<'a> CommandKind<'a> {
    pub(super) fn of(spec: &'a Spec, command: &'a Command<'a>, context: &ProxyContext) -> Self {
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
            Class::Session(session) => Self::of_session(session, spec, command, context),
        }
    }

    fn of_session(
        session: SessionCommand,
        spec: &Spec,
        command: &Command<'a>,
        context: &ProxyContext,
    ) -> Self {
        let principal = || {
            let login = Login::of(spec, command, &context.config().resp);
            login.principal(spec, command, context)
        };
        let change = match session {
            // The store refuses it, and says why.
            SessionCommand::Hello if Hello::parse(command).is_err() => return Self::Neutral,
            SessionCommand::Hello => {
                let protocol = Hello::protocol(command);
                StateChange::Hello { protocol, principal: principal() }
            }
            SessionCommand::Auth => match principal() {
                Some(principal) => StateChange::Auth { principal },
                None => return Self::Neutral,
            },
            SessionCommand::Select => match parse_db(command.arg(1)) {
                Some(db) => StateChange::Select(db),
                None => return Self::Neutral,
            },
            SessionCommand::Multi => StateChange::Multi,
            SessionCommand::Exec => StateChange::Exec,
            SessionCommand::Discard => StateChange::Discard,
            SessionCommand::Watch => StateChange::Watch,
            SessionCommand::Unwatch => StateChange::Unwatch,
            SessionCommand::Subscribe | SessionCommand::Unsubscribe => StateChange::Subscribe,
            SessionCommand::Monitor => StateChange::Monitor,
            SessionCommand::Prepare => StateChange::Prepare,
            SessionCommand::Replicate | SessionCommand::ScriptDebug => StateChange::Bytes,
            SessionCommand::Client(ClientCommand::Tracking) => StateChange::Tracking,
            SessionCommand::Client(ClientCommand::Reply) => match reply_mode(command) {
                Some(change) => change,
                None => return Self::Neutral,
            },
            // While it is fenced, Larder notices which clients it has killed, and serves them no more
            // hits.
            SessionCommand::Client(ClientCommand::Kill) => return Self::Read(None),
            // It may change what a user may read (R12).
            SessionCommand::AclChange => return Self::Flush,
            SessionCommand::ClusterTopology => return Self::Withheld(Withheld::Topology),
            SessionCommand::Client(ClientCommand::Capa | ClientCommand::MaintNotifications) => {
                let name = command.arg(1).unwrap_or_default();
                return Self::Withheld(Withheld::Subcommand(name.into()));
            }
            SessionCommand::Info if wants_larder_section(command) => return Self::Info,
            SessionCommand::Info
            | SessionCommand::Client(_)
            | SessionCommand::Readonly
            | SessionCommand::Readwrite
            | SessionCommand::Asking
            | SessionCommand::Reset
            | SessionCommand::Quit => return Self::Neutral,
        };
        Self::State(change)
    }

    /// Returns whether it may go upstream only once every earlier reply has arrived, because it
    /// changes how replies are counted. Redis since 7.2 does not answer a failed AUTH if it still
    /// has replies to send (redis/redis#15640).
    pub(super) fn needs_all_replies(&self) -> bool {
        matches!(
            self,
            Self::State(
                StateChange::Auth { .. }
                    | StateChange::Hello { principal: Some(_), .. }
                    | StateChange::Subscribe
                    | StateChange::Monitor
                    | StateChange::Bytes
                    | StateChange::ReplyOn
                    | StateChange::ReplyOff
                    | StateChange::ReplySkip
            )
        )
    }

    /// Returns the counter that it belongs to.
    pub(super) fn class(&self) -> Forwarded {
        match self {
            Self::Read(_) => Forwarded::Read,
            Self::Write(_) | Self::Flush | Self::State(StateChange::Exec) => Forwarded::Write,
            Self::Neutral | Self::Info | Self::Withheld(_) | Self::State(_) => Forwarded::Other,
        }
    }
}

fn wants_larder_section(command: &Command<'_>) -> bool {
    const SECTIONS: [&[u8]; 4] = [b"default", b"all", b"everything", b"larder"];
    let mut sections = command.args().skip(1).peekable();
    sections.peek().is_none()
        || sections.any(|arg| SECTIONS.iter().any(|section| arg.eq_ignore_ascii_case(section)))
}

fn reply_mode(command: &Command<'_>) -> Option<StateChange> {
    let mode = command.arg(2).filter(|_| command.args().len() == 3)?;
    let changes = [
        (&b"ON"[..], StateChange::ReplyOn),
        (b"OFF", StateChange::ReplyOff),
        (b"SKIP", StateChange::ReplySkip),
    ];
    changes.into_iter().find(|(name, _)| mode.eq_ignore_ascii_case(name)).map(|(_, change)| change)
}

fn parse_db(arg: Option<&[u8]>) -> Option<u32> {
    std::str::from_utf8(arg?).ok()?.parse().ok()
}
