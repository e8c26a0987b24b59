//! What the table says about one command.

use super::{
    cacheable::Cacheable,
    key_spec::{CommandKeys, KeySpec},
    name::Name,
};
use crate::request::Command;

/// One command or subcommand.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// In upper case, `CLIENT|TRACKING` for a subcommand. Empty for an unknown command.
    pub name: Name,
    /// How it is forwarded, and what it invalidates.
    pub class: Class,
    /// Which of its arguments are keys.
    pub keys: KeySpec,
    /// Whether its reply may have to wait for other clients.
    pub blocking: bool,
    /// How its reply may be cached; set for [`Class::Read`] only.
    pub cacheable: Option<Cacheable>,
    /// The number of its arguments, if the server has this command.
    pub arity: Option<Arity>,
    /// Whether its first argument may name a subcommand that has a spec of its own.
    pub(super) is_container: bool,
    /// Whether it is the command of a module, so that the server may say so.
    pub(super) of_module: bool,
}

impl Spec {
    pub(super) fn new(name: Name, class: Class, keys: KeySpec) -> Self {
        let (blocking, is_container, of_module) = (false, false, false);
        let (cacheable, arity) = (None, None);
        Self { name, class, keys, blocking, cacheable, arity, is_container, of_module }
    }

    /// Returns whether its first argument may name a subcommand, which has a spec of its own.
    pub fn is_container(&self) -> bool {
        self.is_container
    }

    /// Returns the keys among the arguments of `command`, whose spec this is.
    pub fn keys_of<'a>(&self, command: &Command<'a>) -> CommandKeys<'a> {
        self.keys.of(command)
    }
}

/// The number of arguments that a command takes, its name included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arity {
    /// As in the reply to `COMMAND`: a negative number is a minimum.
    number: i16,
}

impl Arity {
    /// Returns the arity that a server gives as this number.
    pub(super) fn new(number: i64) -> Option<Self> {
        i16::try_from(number).ok().filter(|number| *number != 0).map(|number| Self { number })
    }

    /// Returns whether a command may have this many arguments.
    pub fn allows(self, args: usize) -> bool {
        let count = usize::from(self.number.unsigned_abs());
        if self.number < 0 { args >= count } else { args == count }
    }
}

/// What a command does, as far as it affects cached values (rules R3, R4 and R13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It reads one key, at argument 1. Its reply may be cached if [`Spec::encode_read`] accepts the
    /// command and the reply was read on the tracking connection. Otherwise it is an `OtherRead`.
    Read,
    /// It reads and never writes. Its keys are invalidated before its reply is forwarded; if they are
    /// [`CommandKeys::Unknown`], a fence comes first.
    OtherRead,
    /// It may write to its keys, and reads no others. They are invalidated after its reply arrives
    /// and before it is forwarded; if they are [`CommandKeys::Unknown`], a fence comes first.
    Write,
    /// It may write to any key: a fence follows its reply.
    WriteUnknown,
    /// It may change everything without invalidations: all entries are removed after its reply.
    FlushAll,
    /// It neither reads nor writes keys.
    Neutral,
    /// It affects the connection. Of these only `EXEC` touches keys: it may write to any.
    Session(SessionCommand),
}

impl Class {
    /// Returns whether it may change data, so that it must never be sent twice (R14).
    pub fn may_write(self) -> bool {
        match self {
            Self::Write | Self::WriteUnknown | Self::FlushAll => true,
            Self::Session(session) => session == SessionCommand::Exec,
            Self::Read | Self::OtherRead | Self::Neutral => false,
        }
    }
}

/// Commands that change the state of a connection, or whose reply the listener makes or changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionCommand {
    /// `HELLO`: protocol version, user, name.
    Hello,
    /// `AUTH`: the user.
    Auth,
    /// `SELECT`: the db.
    Select,
    /// `RESET`: the state of a new connection.
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
    /// `SUBSCRIBE`, `PSUBSCRIBE`, `SSUBSCRIBE`: one reply per channel, then messages.
    Subscribe,
    /// `UNSUBSCRIBE`, `PUNSUBSCRIBE`, `SUNSUBSCRIBE`: one reply per channel, at least one.
    Unsubscribe,
    /// `MONITOR`: a stream of lines.
    Monitor,
    /// `CLIENT` with a subcommand.
    Client(ClientCommand),
    /// `SYNC`, `PSYNC`, `REPLCONF`: the connection becomes that of a replica.
    Replicate,
    /// `READONLY`: a replica of a cluster serves reads itself.
    Readonly,
    /// `READWRITE`: ends `READONLY`.
    Readwrite,
    /// `ASKING`: affects the next command only.
    Asking,
    /// `SCRIPT DEBUG`: the next script uses the debugger's protocol instead of replies.
    ScriptDebug,
    /// `ACL SETUSER`, `ACL DELUSER`, `ACL LOAD`: change the rights of users (R12).
    AclChange,
    /// `INFO`: Larder adds a section.
    Info,
    /// `CLUSTER SLOTS`, `CLUSTER SHARDS`, `CLUSTER NODES`: the addresses of other nodes.
    ClusterTopology,
    /// `HIMPORT PREPARE`: defines names of fields for later commands of the connection.
    Prepare,
}

/// A subcommand of `CLIENT`.
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
    /// `MAINT_NOTIFICATIONS` (Redis)
    MaintNotifications,
    /// `NO-EVICT`
    NoEvict,
    /// `NO-TOUCH`
    NoTouch,
    /// `PAUSE`
    Pause,
    /// `REPLY`: turns some or all replies off.
    Reply,
    /// `SETINFO`
    SetInfo,
    /// `SETNAME`
    SetName,
    /// `TRACKING`: the client has a cache of its own.
    Tracking,
    /// `TRACKINGINFO`
    TrackingInfo,
    /// `UNBLOCK`
    Unblock,
    /// `UNPAUSE`
    Unpause,
    /// None, or one that no server had when this was written.
    Other,
}
