//! The table as data: every command of Redis 7.0 to 8.10 and of Valkey up to 9.1, and those of
//! well-known modules, grouped by what they do. Other commands of modules are unknown: a server
//! cannot guarantee which keys they touch.
//!
//! A subcommand is written as `CONFIG|GET`. An entry for a container alone applies to every
//! subcommand without an entry. If there are entries for subcommands only, other subcommands may
//! write to any key.

use super::{
    cacheable::Cacheable,
    key_spec::KeySpec,
    spec::{Class, ClientCommand, SessionCommand},
};
use crate::reply::Resp2Layout;

/// Commands with the same properties.
#[derive(Clone, Copy)]
pub(super) struct Group {
    pub(super) class: Class,
    pub(super) keys: KeySpec,
    pub(super) blocking: bool,
    pub(super) cacheable: Option<Cacheable>,
    pub(super) of_module: bool,
    /// In upper case, separated by spaces.
    pub(super) names: &'static str,
}

/// Argument 2: the only key of a subcommand.
const SECOND: KeySpec = range(2, 2, 1);
const FIRST_TWO: KeySpec = range(1, 2, 1);
/// All but the last argument, which is a timeout.
const ALL_BUT_LAST: KeySpec = range(1, -2, 1);
const COUNTED: KeySpec = KeySpec::Counted { destination: 0, count: 1, step: 1 };
const COUNTED_AFTER_TIMEOUT: KeySpec = KeySpec::Counted { destination: 0, count: 2, step: 1 };
const COUNTED_AFTER_DESTINATION: KeySpec = KeySpec::Counted { destination: 1, count: 2, step: 1 };
const COUNTED_PAIRS: KeySpec = KeySpec::Counted { destination: 0, count: 1, step: 2 };

/// No upper limit on the number of arguments.
const ANY: usize = usize::MAX;

pub(super) static GROUPS: &[Group] = &[
    // Cacheable reads.
    cacheable(args(2, 2), "GET STRLEN TYPE LLEN SCARD SMEMBERS ZCARD"),
    cacheable(args(3, 3), "GETBIT LINDEX SISMEMBER ZSCORE ZRANK ZREVRANK"),
    cacheable(args(4, 4), "GETRANGE LRANGE ZCOUNT"),
    cacheable(args(2, 5), "BITCOUNT"),
    cacheable(args(3, 6), "BITPOS"),
    cacheable(args(4, 5), "GEODIST"),
    cacheable(args(2, ANY), "GEOHASH"),
    cacheable(args(3, ANY), "SMISMEMBER ZMSCORE"),
    cacheable(Cacheable { resp2_layout: Resp2Layout::NullArray, ..args(2, ANY) }, "GEOPOS"),
    cacheable(
        Cacheable { resp2_layout: Resp2Layout::FlatPairs, ..args(4, ANY) },
        "ZRANGE ZREVRANGE ZRANGEBYSCORE ZREVRANGEBYSCORE ZRANGEBYLEX ZREVRANGEBYLEX",
    ),
    cacheable(hash_args(2, 2), "HGETALL HKEYS HLEN HVALS"),
    cacheable(hash_args(3, 3), "HEXISTS HGET HSTRLEN"),
    cacheable(hash_args(3, ANY), "HMGET"),
    // Vector sets, in RESP3 with booleans, doubles and maps. `VSIM` and `VINFO` are left out: the one
    // is an approximation, the other is for operators.
    of_module(cacheable(args(2, 2), "VCARD VDIM")),
    of_module(cacheable(args(3, 3), "VGETATTR VISMEMBER")),
    of_module(cacheable(args(3, 4), "VEMB VLINKS")),
    // `EXISTS` with one key only; `MGET` as one `GET` per key.
    Group { keys: KeySpec::ALL, ..cacheable(args(2, 2), "EXISTS") },
    Group {
        keys: KeySpec::ALL,
        ..cacheable(Cacheable { is_multi_get: true, ..args(2, ANY) }, "MGET")
    },
    //
    // Other reads.
    group(
        Class::OtherRead,
        KeySpec::FIRST,
        "ARCOUNT ARGET ARGETRANGE ARGREP ARINFO ARLASTITEMS ARLEN ARMGET ARNEXT AROP ARSCAN \
         BITFIELD_RO DIGEST DUMP EXPIRETIME GEORADIUSBYMEMBER_RO GEORADIUS_RO GEOSEARCH \
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
    group(
        Class::OtherRead,
        COUNTED,
        "SDIFFCARD SINTERCARD SUNIONCARD ZDIFF ZINTER ZINTERCARD ZUNION",
    ),
    blocking(group(Class::OtherRead, KeySpec::Streams, "XREAD")),
    group(Class::OtherRead, KeySpec::FirstUnless(&["BY", "GET"]), "SORT_RO"),
    // Reads of all keys, or of keys that a script chooses.
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
        "APPEND ARDEL ARDELRANGE ARINSERT ARMSET ARRING ARSEEK ARSET BITFIELD DECR DECRBY DELEX \
         DELIFEQ EXPIRE EXPIREAT GEOADD GETDEL GETEX GETSET HDEL HEXPIRE HEXPIREAT HGETDEL HGETEX \
         HINCRBY HINCRBYFLOAT HMSET HPERSIST HPEXPIRE HPEXPIREAT HSET HSETEX HSETNX INCR INCRBY \
         INCRBYFLOAT INCREX LINSERT LPOP LPUSH LPUSHX LREM LSET LTRIM MOVE PERSIST PEXPIRE \
         PEXPIREAT PFADD PSETEX RESTORE RESTORE-ASKING RPOP RPUSH RPUSHX SADD SET SETBIT SETEX \
         SETNX SETRANGE SPOP SREM XACK XACKDEL XADD XAUTOCLAIM XCFGSET XCLAIM XDEL XDELEX \
         XIDMPRECORD XNACK XSETID XTRIM ZADD ZINCRBY ZPOPMAX ZPOPMIN ZREM ZREMRANGEBYLEX \
         ZREMRANGEBYRANK ZREMRANGEBYSCORE",
    ),
    group(
        Class::Write,
        SECOND,
        "HIMPORT|SET PFDEBUG XGROUP|CREATE XGROUP|CREATECONSUMER XGROUP|DELCONSUMER XGROUP|DESTROY XGROUP|SETID",
    ),
    group(
        Class::Write,
        FIRST_TWO,
        "COPY GEOSEARCHSTORE LMOVE LMOVEM RENAME RENAMENX RPOPLPUSH SMOVE ZRANGESTORE",
    ),
    blocking(group(Class::Write, FIRST_TWO, "BLMOVE BLMOVEM BRPOPLPUSH")),
    // `PFCOUNT` may store the count in the key.
    group(
        Class::Write,
        KeySpec::ALL,
        "DEL PFCOUNT PFMERGE SDIFFSTORE SINTERSTORE SUNIONSTORE UNLINK",
    ),
    group(Class::Write, range(1, -1, 2), "MSET MSETNX"),
    group(Class::Write, range(2, -1, 1), "BITOP"),
    blocking(group(Class::Write, ALL_BUT_LAST, "BLPOP BRPOP BZPOPMAX BZPOPMIN")),
    group(Class::Write, COUNTED, "LMPOP ZMPOP"),
    blocking(group(Class::Write, COUNTED_AFTER_TIMEOUT, "BLMPOP BZMPOP")),
    group(Class::Write, COUNTED_AFTER_DESTINATION, "ZDIFFSTORE ZINTERSTORE ZUNIONSTORE"),
    group(Class::Write, COUNTED_PAIRS, "MSETEX"),
    blocking(group(Class::Write, KeySpec::Streams, "XREADGROUP")),
    group(
        Class::Write,
        KeySpec::FirstUnless(&["STORE", "STOREDIST"]),
        "GEORADIUS GEORADIUSBYMEMBER",
    ),
    group(Class::Write, KeySpec::FirstUnless(&["STORE", "BY", "GET"]), "SORT"),
    // Functions are data, but not keys.
    group(
        Class::Write,
        KeySpec::None,
        "FUNCTION|DELETE FUNCTION|FLUSH FUNCTION|LOAD FUNCTION|RESTORE",
    ),
    //
    // Modules: vector sets, JSON, probabilistic types, time series, suggestions of the search.
    of_module(group(
        Class::OtherRead,
        KeySpec::FIRST,
        "VINFO VRANDMEMBER VRANGE VSIM JSON.ARRINDEX JSON.ARRLEN JSON.GET JSON.OBJKEYS JSON.OBJLEN \
         JSON.RESP JSON.STRLEN JSON.TYPE BF.CARD BF.EXISTS BF.INFO BF.MEXISTS BF.SCANDUMP CF.COUNT \
         CF.EXISTS CF.INFO CF.MEXISTS CF.SCANDUMP CMS.INFO CMS.QUERY TDIGEST.BYRANK \
         TDIGEST.BYREVRANK TDIGEST.CDF TDIGEST.INFO TDIGEST.MAX TDIGEST.MIN TDIGEST.QUANTILE \
         TDIGEST.RANK TDIGEST.REVRANK TDIGEST.TRIMMED_MEAN TOPK.COUNT TOPK.INFO TOPK.LIST TOPK.QUERY \
         TS.GET TS.INFO TS.RANGE TS.REVRANGE FT.SUGGET FT.SUGLEN",
    )),
    of_module(group(Class::OtherRead, ALL_BUT_LAST, "JSON.MGET")),
    of_module(group(
        Class::Write,
        KeySpec::FIRST,
        "VADD VREM VSETATTR JSON.ARRAPPEND JSON.ARRINSERT JSON.ARRPOP JSON.ARRTRIM JSON.CLEAR \
         JSON.DEL JSON.FORGET JSON.MERGE JSON.NUMINCRBY JSON.NUMMULTBY JSON.SET JSON.STRAPPEND \
         JSON.TOGGLE BF.ADD BF.INSERT BF.LOADCHUNK BF.MADD BF.RESERVE CF.ADD CF.ADDNX CF.DEL \
         CF.INSERT CF.INSERTNX CF.LOADCHUNK CF.RESERVE CMS.INCRBY CMS.INITBYDIM CMS.INITBYPROB \
         TDIGEST.ADD TDIGEST.CREATE TDIGEST.RESET TOPK.ADD TOPK.INCRBY TOPK.RESERVE TS.ADD TS.ALTER \
         TS.CREATE TS.DECRBY TS.DEL TS.INCRBY FT.SUGADD FT.SUGDEL",
    )),
    of_module(group(Class::Write, FIRST_TWO, "TS.CREATERULE TS.DELETERULE")),
    of_module(group(Class::Write, range(1, -1, 3), "JSON.MSET TS.MADD")),
    of_module(group(Class::Write, COUNTED_AFTER_DESTINATION, "CMS.MERGE TDIGEST.MERGE")),
    //
    // Writes to any key. `CONFIG SET` may lower `maxmemory`, which evicts keys.
    group(Class::WriteUnknown, KeySpec::Unknown, "CONFIG|SET EVAL EVALSHA FCALL MIGRATE"),
    //
    // All data may differ afterwards.
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
    // Neither reads nor writes.
    group(
        Class::Neutral,
        KeySpec::None,
        "BACKUP BGREWRITEAOF BGSAVE COMMAND ECHO LASTSAVE LOLWUT PFSELFTEST PING PUBLISH ROLE SAVE \
         SHUTDOWN SPUBLISH TIME",
    ),
    blocking(group(Class::Neutral, KeySpec::None, "WAIT WAITAOF")),
    group(
        Class::Neutral,
        KeySpec::None,
        "ACL|CAT ACL|DRYRUN ACL|GENPASS ACL|GETUSER ACL|HELP ACL|LIST ACL|LOG ACL|SAVE ACL|USERS \
         ACL|WHOAMI COMMANDLOG|GET COMMANDLOG|HELP COMMANDLOG|LEN COMMANDLOG|RESET COMMAND|COUNT \
         COMMAND|DOCS COMMAND|GETKEYS COMMAND|GETKEYSANDFLAGS COMMAND|HELP COMMAND|INFO \
         COMMAND|LIST CONFIG|GET CONFIG|HELP CONFIG|RESETSTAT CONFIG|REWRITE FUNCTION|DUMP \
         FUNCTION|HELP FUNCTION|KILL FUNCTION|LIST FUNCTION|STATS HIMPORT|DISCARD \
         HIMPORT|DISCARDALL HOTKEYS|GET HOTKEYS|HELP \
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
         CLUSTER|KEYSLOT CLUSTER|LINKS CLUSTER|MYID CLUSTER|MYSHARDID CLUSTER|REPLICAS \
         CLUSTER|SAVECONFIG CLUSTER|SLAVES CLUSTER|SLOT-STATS",
    ),
    //
    // Commands that affect the connection.
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
    session(SessionCommand::ClusterTopology, "CLUSTER|NODES CLUSTER|SHARDS CLUSTER|SLOTS"),
    session(SessionCommand::Prepare, "HIMPORT|PREPARE"),
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
    client(ClientCommand::MaintNotifications, "CLIENT|MAINT_NOTIFICATIONS"),
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
    Group { class, keys, blocking: false, cacheable: None, of_module: false, names }
}

const fn of_module(group: Group) -> Group {
    Group { of_module: true, ..group }
}

const fn blocking(group: Group) -> Group {
    Group { blocking: true, ..group }
}

const fn cacheable(cacheable: Cacheable, names: &'static str) -> Group {
    Group { cacheable: Some(cacheable), ..group(Class::Read, KeySpec::FIRST, names) }
}

/// Cacheable with this many arguments, the name included.
const fn args(min: usize, max: usize) -> Cacheable {
    Cacheable {
        resp2_layout: Resp2Layout::Plain,
        is_multi_get: false,
        reads_hash_fields: false,
        args_min: min,
        args_max: max,
    }
}

const fn hash_args(min: usize, max: usize) -> Cacheable {
    Cacheable { reads_hash_fields: true, ..args(min, max) }
}

const fn session(session: SessionCommand, names: &'static str) -> Group {
    group(Class::Session(session), KeySpec::None, names)
}

const fn client(client: ClientCommand, names: &'static str) -> Group {
    session(SessionCommand::Client(client), names)
}
