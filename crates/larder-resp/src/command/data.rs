//! The table as data: every command of Redis 7.0 to 8.x and of Valkey up to 9, grouped by what
//! it does. Commands of modules are not here: which keys they touch, their server cannot promise.
//!
//! A subcommand is written as `CONFIG|GET`. Where only its container is named, it stands for every
//! subcommand that is not; where only subcommands are, the others may write to any key.

use super::{Cacheable, Class, ClientCommand, KeySpec, SessionCommand};
use crate::reply::Resp2Layout;

/// Commands that are treated alike.
#[derive(Clone, Copy)]
pub(super) struct Group {
    pub(super) class: Class,
    pub(super) keys: KeySpec,
    pub(super) blocking: bool,
    pub(super) cacheable: Option<Cacheable>,
    /// In upper case, between blanks.
    pub(super) names: &'static str,
}

/// The second argument, of subcommands that have one key.
const SECOND: KeySpec = range(2, 2, 1);
const FIRST_TWO: KeySpec = range(1, 2, 1);
/// All but the last argument, which is a time-out.
const ALL_BUT_LAST: KeySpec = range(1, -2, 1);
const COUNTED: KeySpec = KeySpec::Counted { also: 0, count: 1, step: 1 };
const COUNTED_BEHIND_TIMEOUT: KeySpec = KeySpec::Counted { also: 0, count: 2, step: 1 };
const COUNTED_BEHIND_KEY: KeySpec = KeySpec::Counted { also: 1, count: 2, step: 1 };
const COUNTED_PAIRS: KeySpec = KeySpec::Counted { also: 0, count: 1, step: 2 };

/// As many arguments as one likes.
const ANY: usize = usize::MAX;

pub(super) static GROUPS: &[Group] = &[
    // Kept.
    kept(args(2, 2), "GET STRLEN TYPE LLEN SCARD SMEMBERS ZCARD"),
    kept(args(3, 3), "GETBIT LINDEX SISMEMBER ZSCORE ZRANK ZREVRANK"),
    kept(args(4, 4), "GETRANGE LRANGE ZCOUNT"),
    kept(args(2, 5), "BITCOUNT"),
    kept(args(3, 6), "BITPOS"),
    kept(args(4, 5), "GEODIST"),
    kept(args(2, ANY), "GEOHASH"),
    kept(args(3, ANY), "SMISMEMBER ZMSCORE"),
    kept(Cacheable { resp2_layout: Resp2Layout::NullArray, ..args(2, ANY) }, "GEOPOS"),
    kept(
        Cacheable { resp2_layout: Resp2Layout::FlatPairs, ..args(4, ANY) },
        "ZRANGE ZREVRANGE ZRANGEBYSCORE ZREVRANGEBYSCORE ZRANGEBYLEX ZREVRANGEBYLEX",
    ),
    kept(of_hash(2, 2), "HGETALL HKEYS HLEN HVALS"),
    kept(of_hash(3, 3), "HEXISTS HGET HSTRLEN"),
    kept(of_hash(3, ANY), "HMGET"),
    // With one key.
    Group { keys: KeySpec::ALL, ..kept(args(2, 2), "EXISTS") },
    Group { keys: KeySpec::ALL, ..kept(Cacheable { is_multi_get: true, ..args(2, ANY) }, "MGET") },
    //
    // Other reads.
    group(
        Class::OtherRead,
        KeySpec::FIRST,
        "BITFIELD_RO DIGEST DUMP EXPIRETIME GEORADIUSBYMEMBER_RO GEORADIUS_RO GEOSEARCH \
         HEXPIRETIME HPEXPIRETIME HPTTL HRANDFIELD HSCAN HTTL LPOS PEXPIRETIME PTTL SRANDMEMBER \
         SSCAN SUBSTR TTL XLEN XPENDING XRANGE XREVRANGE ZLEXCOUNT ZRANDMEMBER ZSCAN",
    ),
    group(
        Class::OtherRead,
        SECOND,
        "MEMORY|USAGE OBJECT|ENCODING OBJECT|FREQ OBJECT|IDLETIME OBJECT|REFCOUNT \
         XINFO|CONSUMERS XINFO|GROUPS XINFO|STREAM",
    ),
    group(Class::OtherRead, FIRST_TWO, "LCS"),
    group(Class::OtherRead, KeySpec::ALL, "SDIFF SINTER SUNION TOUCH"),
    group(Class::OtherRead, COUNTED, "SINTERCARD ZDIFF ZINTER ZINTERCARD ZUNION"),
    waiting(group(Class::OtherRead, KeySpec::Streams, "XREAD")),
    group(Class::OtherRead, KeySpec::FirstUnless(&["BY", "GET"]), "SORT_RO"),
    // They look at all keys, or a script decides at which.
    group(
        Class::OtherRead,
        KeySpec::Unknown,
        "CLUSTERSCAN CLUSTER|COUNTKEYSINSLOT CLUSTER|GETKEYSINSLOT DBSIZE EVALSHA_RO EVAL_RO \
         FCALL_RO KEYS RANDOMKEY SCAN",
    ),
    //
    // Writes with known keys.
    group(
        Class::Write,
        KeySpec::FIRST,
        "APPEND BITFIELD DECR DECRBY DELEX DELIFEQ EXPIRE EXPIREAT GEOADD GETDEL GETEX GETSET HDEL \
         HEXPIRE HEXPIREAT HGETDEL HGETEX HINCRBY HINCRBYFLOAT HMSET HPERSIST HPEXPIRE HPEXPIREAT \
         HSET HSETEX HSETNX INCR INCRBY INCRBYFLOAT LINSERT LPOP LPUSH LPUSHX LREM LSET LTRIM MOVE \
         PERSIST PEXPIRE PEXPIREAT PFADD PSETEX RESTORE RESTORE-ASKING RPOP RPUSH RPUSHX SADD SET \
         SETBIT SETEX SETNX SETRANGE SPOP SREM XACK XACKDEL XADD XAUTOCLAIM XCFGSET XCLAIM XDEL \
         XDELEX XSETID XTRIM ZADD ZINCRBY ZPOPMAX ZPOPMIN ZREM ZREMRANGEBYLEX ZREMRANGEBYRANK \
         ZREMRANGEBYSCORE",
    ),
    group(
        Class::Write,
        SECOND,
        "PFDEBUG XGROUP|CREATE XGROUP|CREATECONSUMER XGROUP|DELCONSUMER XGROUP|DESTROY XGROUP|SETID",
    ),
    group(
        Class::Write,
        FIRST_TWO,
        "COPY GEOSEARCHSTORE LMOVE RENAME RENAMENX RPOPLPUSH SMOVE ZRANGESTORE",
    ),
    waiting(group(Class::Write, FIRST_TWO, "BLMOVE BRPOPLPUSH")),
    // PFCOUNT stores what it counted.
    group(
        Class::Write,
        KeySpec::ALL,
        "DEL PFCOUNT PFMERGE SDIFFSTORE SINTERSTORE SUNIONSTORE UNLINK",
    ),
    group(Class::Write, range(1, -1, 2), "MSET MSETNX"),
    group(Class::Write, range(2, -1, 1), "BITOP"),
    waiting(group(Class::Write, ALL_BUT_LAST, "BLPOP BRPOP BZPOPMAX BZPOPMIN")),
    group(Class::Write, COUNTED, "LMPOP ZMPOP"),
    waiting(group(Class::Write, COUNTED_BEHIND_TIMEOUT, "BLMPOP BZMPOP")),
    group(Class::Write, COUNTED_BEHIND_KEY, "ZDIFFSTORE ZINTERSTORE ZUNIONSTORE"),
    group(Class::Write, COUNTED_PAIRS, "MSETEX"),
    waiting(group(Class::Write, KeySpec::Streams, "XREADGROUP")),
    group(
        Class::Write,
        KeySpec::FirstUnless(&["STORE", "STOREDIST"]),
        "GEORADIUS GEORADIUSBYMEMBER",
    ),
    group(Class::Write, KeySpec::FirstUnless(&["STORE", "BY", "GET"]), "SORT"),
    // Functions are data, but no keys.
    group(
        Class::Write,
        KeySpec::None,
        "FUNCTION|DELETE FUNCTION|FLUSH FUNCTION|LOAD FUNCTION|RESTORE",
    ),
    //
    // Writes to any key. CONFIG SET may lower `maxmemory`, which evicts.
    group(Class::WriteUnknown, KeySpec::Unknown, "CONFIG|SET EVAL EVALSHA FCALL MIGRATE"),
    //
    // Everything may be another afterwards.
    group(
        Class::FlushAll,
        KeySpec::Unknown,
        "DEBUG FAILOVER FLUSHALL FLUSHDB MODULE|LOAD MODULE|LOADEX MODULE|UNLOAD REPLICAOF SFLUSH \
         SLAVEOF SWAPDB TRIMSLOTS",
    ),
    group(
        Class::FlushAll,
        KeySpec::Unknown,
        "CLUSTER|ADDSLOTS CLUSTER|ADDSLOTSRANGE CLUSTER|BUMPEPOCH CLUSTER|CANCELSLOTMIGRATIONS \
         CLUSTER|DELSLOTS CLUSTER|DELSLOTSRANGE CLUSTER|FAILOVER CLUSTER|FLUSHSLOT \
         CLUSTER|FLUSHSLOTS CLUSTER|FORGET CLUSTER|MEET CLUSTER|MIGRATESLOTS CLUSTER|MIGRATION \
         CLUSTER|REPLICATE CLUSTER|RESET CLUSTER|SET-CONFIG-EPOCH CLUSTER|SETSLOT CLUSTER|SYNCSLOTS",
    ),
    //
    // Neither read nor write.
    group(
        Class::Neutral,
        KeySpec::None,
        "BGREWRITEAOF BGSAVE COMMAND ECHO LASTSAVE LOLWUT PFSELFTEST PING PUBLISH ROLE SAVE \
         SHUTDOWN SPUBLISH TIME",
    ),
    waiting(group(Class::Neutral, KeySpec::None, "WAIT WAITAOF")),
    group(
        Class::Neutral,
        KeySpec::None,
        "ACL|CAT ACL|DRYRUN ACL|GENPASS ACL|GETUSER ACL|HELP ACL|LIST ACL|LOG ACL|SAVE ACL|USERS \
         ACL|WHOAMI COMMANDLOG|GET COMMANDLOG|HELP COMMANDLOG|LEN COMMANDLOG|RESET COMMAND|COUNT \
         COMMAND|DOCS COMMAND|GETKEYS COMMAND|GETKEYSANDFLAGS COMMAND|HELP COMMAND|INFO \
         COMMAND|LIST CONFIG|GET CONFIG|HELP CONFIG|RESETSTAT CONFIG|REWRITE FUNCTION|DUMP \
         FUNCTION|HELP FUNCTION|KILL FUNCTION|LIST FUNCTION|STATS HOTKEYS|GET HOTKEYS|HELP \
         HOTKEYS|RESET HOTKEYS|START HOTKEYS|STOP LATENCY|DOCTOR LATENCY|GRAPH LATENCY|HELP \
         LATENCY|HISTOGRAM LATENCY|HISTORY LATENCY|LATEST LATENCY|RESET MEMORY|DOCTOR MEMORY|HELP \
         MEMORY|MALLOC-STATS MEMORY|PURGE MEMORY|STATS MODULE|HELP MODULE|LIST OBJECT|HELP \
         PUBSUB|CHANNELS PUBSUB|HELP PUBSUB|NUMPAT PUBSUB|NUMSUB PUBSUB|SHARDCHANNELS \
         PUBSUB|SHARDNUMSUB SCRIPT|EXISTS SCRIPT|FLUSH SCRIPT|HELP SCRIPT|KILL SCRIPT|LOAD \
         SCRIPT|SHOW SLOWLOG|GET SLOWLOG|HELP SLOWLOG|LEN SLOWLOG|RESET XGROUP|HELP XINFO|HELP",
    ),
    group(
        Class::Neutral,
        KeySpec::None,
        "CLUSTER|COUNT-FAILURE-REPORTS CLUSTER|GETSLOTMIGRATIONS CLUSTER|HELP CLUSTER|INFO \
         CLUSTER|KEYSLOT CLUSTER|LINKS CLUSTER|MYID CLUSTER|MYSHARDID CLUSTER|NODES \
         CLUSTER|REPLICAS CLUSTER|SAVECONFIG CLUSTER|SHARDS CLUSTER|SLAVES CLUSTER|SLOT-STATS \
         CLUSTER|SLOTS",
    ),
    //
    // What the listener notices.
    session(SessionCommand::Hello, "HELLO"),
    session(SessionCommand::Auth, "AUTH"),
    session(SessionCommand::Select, "SELECT"),
    session(SessionCommand::Reset, "RESET"),
    session(SessionCommand::Quit, "QUIT"),
    session(SessionCommand::Multi, "MULTI"),
    Group { keys: KeySpec::Unknown, ..session(SessionCommand::Exec, "EXEC") },
    session(SessionCommand::Discard, "DISCARD"),
    session(SessionCommand::Watch, "WATCH"),
    session(SessionCommand::Unwatch, "UNWATCH"),
    session(SessionCommand::Subscribe, "SUBSCRIBE PSUBSCRIBE SSUBSCRIBE"),
    session(SessionCommand::Unsubscribe, "UNSUBSCRIBE PUNSUBSCRIBE SUNSUBSCRIBE"),
    session(SessionCommand::Monitor, "MONITOR"),
    session(SessionCommand::Replicate, "SYNC PSYNC REPLCONF"),
    session(SessionCommand::Readonly, "READONLY"),
    session(SessionCommand::Readwrite, "READWRITE"),
    session(SessionCommand::Asking, "ASKING"),
    session(SessionCommand::ScriptDebug, "SCRIPT|DEBUG"),
    session(SessionCommand::AclChange, "ACL|SETUSER ACL|DELUSER ACL|LOAD"),
    session(SessionCommand::Info, "INFO"),
    client(ClientCommand::Capa, "CLIENT|CAPA"),
    client(ClientCommand::Caching, "CLIENT|CACHING"),
    client(ClientCommand::GetName, "CLIENT|GETNAME"),
    client(ClientCommand::GetRedir, "CLIENT|GETREDIR"),
    client(ClientCommand::Help, "CLIENT|HELP"),
    client(ClientCommand::Id, "CLIENT|ID"),
    client(ClientCommand::ImportSource, "CLIENT|IMPORT-SOURCE"),
    client(ClientCommand::Info, "CLIENT|INFO"),
    client(ClientCommand::Kill, "CLIENT|KILL"),
    client(ClientCommand::List, "CLIENT|LIST"),
    client(ClientCommand::NoEvict, "CLIENT|NO-EVICT"),
    client(ClientCommand::NoTouch, "CLIENT|NO-TOUCH"),
    client(ClientCommand::Pause, "CLIENT|PAUSE"),
    client(ClientCommand::Reply, "CLIENT|REPLY"),
    client(ClientCommand::SetInfo, "CLIENT|SETINFO"),
    client(ClientCommand::SetName, "CLIENT|SETNAME"),
    client(ClientCommand::Tracking, "CLIENT|TRACKING"),
    client(ClientCommand::TrackingInfo, "CLIENT|TRACKINGINFO"),
    client(ClientCommand::Unblock, "CLIENT|UNBLOCK"),
    client(ClientCommand::Unpause, "CLIENT|UNPAUSE"),
    client(ClientCommand::Other, "CLIENT"),
];

const fn range(first: u16, last: i16, step: u16) -> KeySpec {
    KeySpec::Range { first, last, step }
}

const fn group(class: Class, keys: KeySpec, names: &'static str) -> Group {
    Group { class, keys, blocking: false, cacheable: None, names }
}

const fn waiting(group: Group) -> Group {
    Group { blocking: true, ..group }
}

const fn kept(cacheable: Cacheable, names: &'static str) -> Group {
    Group { cacheable: Some(cacheable), ..group(Class::Read, KeySpec::FIRST, names) }
}

/// So many arguments, the name included.
const fn args(min: usize, max: usize) -> Cacheable {
    Cacheable {
        resp2_layout: Resp2Layout::Plain,
        is_multi_get: false,
        reads_hash_fields: false,
        args_min: min,
        args_max: max,
    }
}

const fn of_hash(min: usize, max: usize) -> Cacheable {
    Cacheable { reads_hash_fields: true, ..args(min, max) }
}

const fn session(session: SessionCommand, names: &'static str) -> Group {
    group(Class::Session(session), KeySpec::None, names)
}

const fn client(client: ClientCommand, names: &'static str) -> Group {
    session(SessionCommand::Client(client), names)
}
