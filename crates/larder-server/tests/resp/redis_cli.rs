//! redis-cli, which comes with redis-server, in its common uses.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use larder_testkit::RedisServer;

use crate::resp_client::written;
use crate::setup::{RespHarness, start};

/// An interactive session. Each reply is the same on every server that starts empty.
const SESSION: &str = r##"
PING
SET greeting "hello \"world\"\n"
GET greeting
APPEND greeting !
STRLEN greeting
MSET a 1 b 2 c 3
MGET a b c missing
INCRBY a 41
INCRBYFLOAT a 0.5
SET a x NX GET
EXPIRE b 10000
PERSIST b
TTL b
RENAME c d
EXISTS c d
HSET user name Ann age 41
HGETALL user
HGETALL user
HINCRBY user age 1
HMGET user name age missing
RPUSH list a b c d
LRANGE list 0 -1
LPOP list 2
LINSERT list BEFORE d c2
BLMPOP 0 1 list LEFT
SADD ints 3 1 2
SMEMBERS ints
SINTERCARD 2 ints ints
ZADD board 10 ann 20.5 bob 30 cid
ZRANGE board 0 -1 WITHSCORES
ZRANGE board 0 -1 WITHSCORES
ZINCRBY board 5 ann
ZPOPMAX board
ZRANGEBYSCORE board -inf +inf WITHSCORES LIMIT 0 1
XADD log 1-1 event start
XADD log 1-2 event stop
XRANGE log - +
XGROUP CREATE log readers 0
XREADGROUP GROUP readers me COUNT 1 STREAMS log >
XPENDING log readers
XACK log readers 1-1
GEOADD towns 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
GEOSEARCH towns FROMLONLAT 15 37 BYRADIUS 200 km ASC WITHDIST
GEODIST towns Palermo Catania km
SETBIT bits 7 1
BITCOUNT bits
BITFIELD bits GET u8 0 INCRBY u8 8 255
PFADD visitors ann bob cid
PFCOUNT visitors
EVAL "return redis.call('SET', KEYS[1], ARGV[1])" 1 scripted v
EVAL "return {1, 'two', {3}, false}" 0
SCRIPT LOAD "return 1"
EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
FUNCTION LOAD "#!lua name=lib\nredis.register_function('twice', function(keys, args) return args[1] * 2 end)"
FCALL twice 0 21
FUNCTION DELETE lib
MULTI
SET t 1
INCR t
GET t
EXEC
MULTI
SET t 9
DISCARD
GET t
WATCH t
SET t 5
MULTI
SET t 6
EXEC
GET t
SCAN 0 MATCH a* COUNT 1000
HSCAN user 0
ZSCAN board 0
SSCAN ints 0
SELECT 5
DBSIZE
SET only here
SELECT 0
EXISTS only
COPY a a2
TYPE board
OBJECT ENCODING ints
CONFIG GET maxmemory
COMMAND COUNT
PUBLISH channel text
"##;

#[test]
fn a_session_prints_the_same_as_with_redis() {
    let Some(harness) = start(&[]) else { return };
    for version in ["-2", "-3"] {
        let reference = RedisServer::start();
        harness.direct().line("FLUSHALL");
        let through = output_of(harness.resp_port(), &[version], SESSION);
        assert_eq!(through, output_of(reference.port(), &[version], SESSION));
        assert!(!through.contains("ERR"), "{through}");
    }
    assert!(harness.larder.resp_hits() > 0);
}

#[test]
fn all_piped_commands_are_executed() {
    const SETS: usize = 20_000;
    let Some(harness) = start(&[]) else { return };
    let sets: Vec<u8> =
        (0..SETS).flat_map(|n| written(&format!("SET piped:{n} value:{n}"))).collect();
    let report = text(&run(harness.resp_port(), &["--pipe"], &sets));
    assert!(report.contains(&format!("errors: 0, replies: {SETS}")), "{report}");
    harness.direct().expect("DBSIZE", &format!(":{SETS}"));
    harness.wire().expect("GET piped:19999", "$11 value:19999");
}

#[test]
fn its_other_modes_work() {
    let Some(harness) = start(&[]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script.lua");
    std::fs::write(&script, "return {KEYS[1], ARGV[1]}").unwrap();
    let socket = harness.unix_socket();
    for n in 0..2500 {
        harness.direct().expect(&format!("SET many:{n} {n}"), "+OK");
    }
    for (args, input, expected) in [
        (&["-x", "SET", "from-stdin"][..], "a\nb", "OK\n"),
        (&["GET", "from-stdin"], "", "a\nb\n"),
        (&["-n", "5", "SET", "k", "5"], "", "OK\n"),
        (&["-n", "5", "GET", "k"], "", "5\n"),
        (&["EXISTS", "k"], "", "0\n"),
        (&["-r", "3", "INCR", "n"], "", "1\n2\n3\n"),
        (&["--csv", "MGET", "n", "missing"], "", "\"3\",NULL\n"),
        (&["-3", "--json", "MGET", "n", "missing"], "", "[\"3\",null]\n"),
        (&["--eval", path(&script), "key", ",", "arg"], "", "key\narg\n"),
        (&["-s", path(&socket), "INCR", "n"], "", "4\n"),
        (&["-s", path(&socket), "GET", "n"], "", "4\n"),
    ] {
        let output = run(harness.resp_port(), args, input.as_bytes());
        assert_eq!(text(&output), expected, "{args:?}");
    }
    let found = text(&run(harness.resp_port(), &["--scan", "--pattern", "many:*"], b""));
    assert_eq!(found.lines().count(), 2500);
    let biggest = text(&run(harness.resp_port(), &["--bigkeys"], b""));
    assert!(biggest.contains("Biggest string found"), "{biggest}");
}

#[test]
fn an_rdb_dump_passes_unchanged() {
    let Some(harness) = start(&[]) else { return };
    harness.direct().line("SET k v");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dump.rdb");
    run(harness.resp_port(), &["--rdb", path(&file)], b"");
    let dump = std::fs::read(&file).unwrap();
    assert!(dump.starts_with(b"REDIS00"), "{}", dump.escape_ascii());
}

/// Returns what redis-cli prints for these lines.
fn output_of(port: u16, args: &[&str], lines: &str) -> String {
    text(&run(port, args, lines.as_bytes()))
}

fn run(port: u16, args: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new("timeout")
        .args(["60", "redis-cli", "-e", "-p", &port.to_string()])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{args:?}: {output:?}");
    output
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}
