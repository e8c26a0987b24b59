//! Every command of Redis 7.0, and what later servers added. Arguments are written as for `crate::resp_client::written`, and the order
//! makes each command find the data that it needs. Replies are the same on every server that starts
//! empty.

use super::{newer, server, types};

pub(super) const SCRIPT: &[&str] = &[
    types::STRINGS,
    types::BITS,
    types::KEYS,
    types::LISTS,
    types::HASHES,
    types::SETS,
    types::SORTED_SETS,
    types::GEO,
    types::HYPERLOGLOGS,
    types::STREAMS,
    newer::NEWER_STRINGS,
    newer::NEWER_HASHES,
    newer::NEWER_STREAMS,
    newer::VECTORS,
    SCRIPTS,
    TRANSACTIONS,
    server::SERVER,
    server::CLUSTER,
    newer::NEWER_SERVER,
    SHAPES,
];

const SCRIPTS: &str = r#"
EVAL 'return redis.call("SET", KEYS[1], ARGV[1])' 1 scripted v
EVAL 'return {1, "two", {3, false}, {ok="fine"}}' 0
EVAL 'return redis.error_reply("MY own error")' 0
EVAL 'return redis.call("INCR", "scripted")' 0
EVAL 'this is no lua' 0
EVAL 'redis.setresp(3); return {map={a=1}}' 0
EVAL 'redis.setresp(3); return {double=3.25}' 0
EVAL 'redis.setresp(3); return redis.call("HGETALL", "h")' 0
EVAL 'redis.setresp(3); return {true, {set={x=true}}, {big_number="12345678901234567890"}}' 0
EVAL 'redis.setresp(3); return {verbatim_string={format="txt", string="text"}}' 0
EVAL_RO 'return redis.call("GET", KEYS[1])' 1 scripted
EVAL_RO 'return redis.call("SET", KEYS[1], 1)' 1 scripted
SCRIPT LOAD 'return ARGV[1]'
EVALSHA 098e0f0d1448c0a81dafe820f66d460eb09263da 0 x
EVALSHA ffffffffffffffffffffffffffffffffffffffff 0
EVALSHA_RO 098e0f0d1448c0a81dafe820f66d460eb09263da 0 x
SCRIPT EXISTS 098e0f0d1448c0a81dafe820f66d460eb09263da ffff
SCRIPT KILL
SCRIPT HELP
SCRIPT FLUSH
GET scripted
FUNCTION LOAD '#!lua name=lib\x0aredis.register_function{function_name="put", callback=function(k, a) return redis.call("SET", k[1], a[1]) end}\x0aredis.register_function{function_name="see", callback=function(k) return redis.call("GET", k[1]) end, flags={"no-writes"}}'
FUNCTION LOAD 'no header'
FCALL put 1 called v
FCALL nothing 0
FCALL_RO see 1 called
FCALL_RO put 1 called w
FUNCTION LIST
FUNCTION LIST LIBRARYNAME lib WITHCODE
FUNCTION STATS
FUNCTION DUMP
FUNCTION KILL
FUNCTION HELP
FUNCTION RESTORE nonsense
FUNCTION DELETE lib
FUNCTION DELETE lib
FUNCTION FLUSH
GET called
"#;

const TRANSACTIONS: &str = r"
MULTI
SET t 1
GET t
MGET t missing
HGETALL h
NOSUCH t
EXEC
MULTI
SET t 1
GET t
MGET t missing
HGETALL h
ZRANGE z 0 -1 WITHSCORES
INCR s
EXEC
GET t
MULTI
MULTI
INCR t
DISCARD
GET t
EXEC
DISCARD
WATCH t
GET t
UNWATCH
WATCH t
SET t 2
MULTI
SET t 3
EXEC
GET t
WATCH
UNWATCH
";

/// Replies that no ordinary command returns.
const SHAPES: &str = r#"
DEBUG PROTOCOL string
DEBUG PROTOCOL integer
DEBUG PROTOCOL double
DEBUG PROTOCOL null
DEBUG PROTOCOL array
DEBUG PROTOCOL set
DEBUG PROTOCOL map
DEBUG PROTOCOL attrib
DEBUG PROTOCOL verbatim
DEBUG PROTOCOL true
DEBUG PROTOCOL false
DEBUG PROTOCOL bignum
EVAL 'local t = 1 for i = 1, 30 do t = {t} end return t' 0
EVAL 'return string.rep("x", 70000)' 0
FLUSHALL
DBSIZE
"#;

/// Commands that change the state of their connection. Each line gets a connection of its own, on
/// which it is sent in one write, followed by QUIT. (Left out: SUBSCRIBE within a transaction in
/// RESP3, whose reply is invalid RESP3; QUIT after CLIENT REPLY OFF, which Redis 7.0 does not
/// execute.)
pub(super) const CONNECTIONS: &[&str] = &[
    "QUIT",
    "PING ; QUIT ; PING",
    "SELECT 5 ; SET k 5 ; RESET ; GET k",
    "MULTI ; SET k 1 ; RESET ; GET k ; EXEC",
    "CLIENT SETNAME me ; RESET ; CLIENT GETNAME",
    "SUBSCRIBE a b a ; PING ; UNSUBSCRIBE a ; PUBLISH b text ; UNSUBSCRIBE ; GET k",
    "PSUBSCRIBE p* q* ; PING hello ; PUNSUBSCRIBE p* q* ; PING hello",
    "SSUBSCRIBE a ; SUNSUBSCRIBE a ; SUNSUBSCRIBE a b ; PING",
    "SUBSCRIBE a ; GET k ; RESET ; GET k",
    "SUBSCRIBE ; SUBSCRIBE a ; QUIT",
    "SUBSCRIBE a ; PSUBSCRIBE a* ; UNSUBSCRIBE ; UNSUBSCRIBE ; PUNSUBSCRIBE ; ECHO end",
    "CLIENT REPLY OFF ; SET k 1 ; GET k ; CLIENT REPLY ON ; GET k",
    "CLIENT REPLY SKIP ; SET k 2 ; GET k",
    "CLIENT REPLY SKIP ; CLIENT REPLY SKIP ; GET k ; GET k",
    "CLIENT REPLY OFF ; CLIENT REPLY SKIP ; GET k ; CLIENT REPLY ON ; GET k",
    "CLIENT TRACKING ON ; CLIENT TRACKINGINFO ; GET k ; CLIENT TRACKING OFF ; GET k",
    "CLIENT TRACKING ON OPTIN ; CLIENT CACHING yes ; GET k",
    "CLIENT TRACKING ON BCAST PREFIX a PREFIX ab",
    "REPLCONF listening-port 1 ; PING",
    "REPLCONF capa eof",
    "HELLO ; GET k",
    "HELLO 2 ; HGETALL missing ; HELLO 3 ; HGETALL missing ; HELLO 2 ; HGETALL missing",
    "HELLO 3 SETNAME me ; CLIENT GETNAME ; CLIENT TRACKING ON ; HELLO 2 ; GET k",
    "HELLO 3 AUTH default wrong ; GET missing",
    "HELLO 3 AUTH default ; GET missing",
    "HELLO 3 SETNAME ; GET missing",
    "MULTI ; HELLO 3 ; EXEC ; GET missing",
    "MULTI ; SELECT 3 ; SET k 3 ; EXEC ; GET k",
    "MULTI ; AUTH default wrong ; EXEC ; GET k",
    "MULTI ; QUIT",
    "MULTI ; MONITOR ; EXEC",
    "WATCH k ; MULTI ; WATCH k ; EXEC ; GET k",
    "ECHO a ; MONITOR ; QUIT",
    "PSYNC ; PING",
    "SCRIPT DEBUG NO ; PING",
    "SCRIPT DEBUG frob ; PING",
    "SHUTDOWN NOSUCH ; PING",
    "SHUTDOWN ABORT ; PING",
    "ACL SETUSER me on nopass ~k +get +multi +exec +hello ; AUTH me x ; GET k ; GET other ; SET k 1",
];

/// Commands whose replies cannot be compared, and why.
pub(super) const UNEQUAL: &[(&str, &str)] = &[
    ("ACL|GENPASS", "random; its error is compared"),
    ("BGREWRITEAOF", "depends on whether another child process is running"),
    ("BGSAVE", "depends on whether another child process is running"),
    ("CLIENT|CAPA", "asks for redirections, which no client of Larder is to see"),
    ("CLIENT|ID", "counts the connections of the server; see `session`"),
    ("CLIENT|INFO", "shows the connection itself; see `session`"),
    ("CLIENT|LIST", "shows Larder's connections; see `session`"),
    ("INFO", "changes with every command, and has a section of Larder's; see `session`"),
    ("LASTSAVE", "the time of the start"),
    ("LOLWUT", "random output"),
    ("MEMORY|MALLOC-STATS", "changes with every allocation"),
    ("MEMORY|STATS", "changes with every allocation"),
    ("PFSELFTEST", "takes seconds and changes no data"),
    ("RANDOMKEY", "random"),
    ("SYNC", "a dump with the time in it; see `redis_cli`"),
    ("TIME", "the time"),
];
