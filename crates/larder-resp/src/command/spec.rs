//! What is known of one command.

use super::{Cacheable, CommandKeys, KeySpec, Name};
use crate::request::Command;

/// One command, or one subcommand of a command that has some.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// In upper case, `CLIENT|TRACKING` for a subcommand; empty for what nobody knows.
    pub name: Name,
    /// How it is relayed, and what is forgotten for it.
    pub class: Class,
    /// Which of its arguments are keys.
    pub keys: KeySpec,
    /// Whether its reply may wait for other clients.
    pub blocking: bool,
    /// How its reply may be kept; there for [`Class::Read`] alone.
    pub cacheable: Option<Cacheable>,
    /// Whether its first argument may name a subcommand.
    pub(super) is_container: bool,
}

impl Spec {
    pub(super) fn new(name: Name, class: Class, keys: KeySpec) -> Self {
        Self { name, class, keys, blocking: false, cacheable: None, is_container: false }
    }

    /// Whether its first argument may be a subcommand, which has a spec of its own.
    pub fn is_container(&self) -> bool {
        self.is_container
    }

    /// The arguments of `command`, whose spec this is, that are keys.
    pub fn keys_of<'a>(&self, command: &Command<'a>) -> CommandKeys<'a> {
        self.keys.of(command)
    }
}

/// What a command does, as far as it matters to what is kept (rules R3, R4 and R13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It reads one key, at argument 1, and its reply may be kept where [`Spec::encode_read`] gives
    /// it a name. Where it does not, and on any road but the tracked one, it is an `OtherRead`.
    Read,
    /// It reads and never writes. Its keys are forgotten before its reply is handed on; when they
    /// are [`CommandKeys::Unknown`], fence.
    OtherRead,
    /// It may write to its keys, and reads no others. They are voided after its reply arrives and
    /// before it is handed on; when they are [`CommandKeys::Unknown`], fence.
    Write,
    /// It may write to any key: fence after its reply.
    WriteUnknown,
    /// It may change everything at once, unseen by the feed: all is forgotten after its reply.
    FlushAll,
    /// It neither reads nor writes keys.
    Neutral,
    /// The listener must notice it. Of these `EXEC` alone touches keys: it may write to any.
    Session(SessionCommand),
}

impl Class {
    /// Whether it may change data, so that it is never sent twice (R14).
    pub fn may_write(self) -> bool {
        match self {
            Self::Write | Self::WriteUnknown | Self::FlushAll => true,
            Self::Session(session) => session == SessionCommand::Exec,
            Self::Read | Self::OtherRead | Self::Neutral => false,
        }
    }
}

/// Commands that change what a connection is, or whose reply the listener makes or mends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionCommand {
    /// `HELLO`: protocol version, user, name.
    Hello,
    /// `AUTH`: the user.
    Auth,
    /// `SELECT`: the db.
    Select,
    /// `RESET`: everything as at the start.
    Reset,
    /// `QUIT`
    Quit,
    /// `MULTI`: commands are queued from here on.
    Multi,
    /// `EXEC`: runs the queue, and ends `WATCH`. May write to any key.
    Exec,
    /// `DISCARD`: drops the queue, and ends `WATCH`.
    Discard,
    /// `WATCH`
    Watch,
    /// `UNWATCH`
    Unwatch,
    /// `SUBSCRIBE`, `PSUBSCRIBE`, `SSUBSCRIBE`: as many replies as channels, then messages unasked.
    Subscribe,
    /// `UNSUBSCRIBE`, `PUNSUBSCRIBE`, `SUNSUBSCRIBE`: as many replies as channels, at least one.
    Unsubscribe,
    /// `MONITOR`: lines unasked.
    Monitor,
    /// `CLIENT` and what follows it.
    Client(ClientCommand),
    /// `SYNC`, `PSYNC`, `REPLCONF`: the connection becomes a replica's.
    Replicate,
    /// `READONLY`: on a cluster's replica, reads are answered there.
    Readonly,
    /// `READWRITE`: the end of `READONLY`.
    Readwrite,
    /// `ASKING`: of the next command only.
    Asking,
    /// `SCRIPT DEBUG`: the next script talks to a debugger, not in replies.
    ScriptDebug,
    /// `ACL SETUSER`, `ACL DELUSER`, `ACL LOAD`: what users may do changes (R12).
    AclChange,
    /// `INFO`: Larder adds a section.
    Info,
}

/// What follows `CLIENT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCommand {
    /// `CAPA` (Valkey)
    Capa,
    /// `CACHING`
    Caching,
    /// `GETNAME`
    GetName,
    /// `GETREDIR`
    GetRedir,
    /// `HELP`
    Help,
    /// `ID`
    Id,
    /// `IMPORT-SOURCE` (Valkey)
    ImportSource,
    /// `INFO`
    Info,
    /// `KILL`
    Kill,
    /// `LIST`
    List,
    /// `NO-EVICT`
    NoEvict,
    /// `NO-TOUCH`
    NoTouch,
    /// `PAUSE`
    Pause,
    /// `REPLY`: some or all replies are left out.
    Reply,
    /// `SETINFO`
    SetInfo,
    /// `SETNAME`
    SetName,
    /// `TRACKING`: the client keeps a cache of its own.
    Tracking,
    /// `TRACKINGINFO`
    TrackingInfo,
    /// `UNBLOCK`
    Unblock,
    /// `UNPAUSE`
    Unpause,
    /// Nothing, or what no server knew when this was written.
    Other,
}
