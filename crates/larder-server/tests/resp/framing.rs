//! Inline commands, commands and replies in small pieces, and very large ones.

use larder_testkit::{ConnectionFilter, Direction, Harness, LIMIT, RedisServer, eventually};

use crate::resp_client::{RespClient, written};
use crate::setup::{RespHarness, start, start_with_relay};

/// Inline commands, as typed in a terminal.
const INLINE: &[&str] = &[
    "PING\r\n",
    "PING\n",
    "ping hello\r\n",
    "  PING  \t hello \r\n",
    "\r\n\r\n  \r\nPING\r\n",
    "SET typed 1\r\nGET typed\r\nGET typed\nINCR typed\r\n",
    "SET 'a key' \"with \\\"quotes\\\", \\x41 and \\n\"\r\nGET 'a key'\r\n",
    "SET typed ''\r\nGET typed\r\nSTRLEN typed\r\n",
    "NOSUCH command\r\n",
    "GET\r\n",
    "PING\r\n*2\r\n$3\r\nGET\r\n$5\r\ntyped\r\nPING\r\n",
    "*0\r\nPING\r\n*-1\r\nPING\r\n",
    "*1\r\n$0\r\n\r\nPING\r\n",
];

/// Commands with replies of every type, and one that blocks.
const MIXED: &[&str] = &[
    "SET s 'some text'",
    "GET s",
    "MGET s missing",
    "HSET h f v g w",
    "HGETALL h",
    "ZADD z 1 a 2.5 b",
    "ZRANGE z 0 -1 WITHSCORES",
    "LRANGE missing 0 -1",
    "BLPOP missing 0.01",
    "INCR s",
    "MULTI",
    "GET s",
    "EXEC",
    "DEBUG PROTOCOL attrib",
    "DEBUG PROTOCOL verbatim",
    "DEBUG PROTOCOL double",
    "EVAL 'return {1, {2, {3, false}}}' 0",
    "EXISTS s",
];

#[test]
fn inline_commands_are_parsed_as_in_redis() {
    let Some(harness) = start(&[]) else { return };
    let reference = RedisServer::start();
    for line in INLINE {
        let through = harness.wire().exchange(line.as_bytes());
        let direct = RespClient::open(reference.port()).exchange(line.as_bytes());
        assert_eq!(through.escape_ascii().to_string(), direct.escape_ascii().to_string(), "{line}");
    }
}

#[test]
fn replies_that_arrive_byte_by_byte_are_complete() {
    let Some(harness) = start_with_relay(&[]) else { return };
    let relay = harness.relay();
    let reference = RedisServer::start();
    relay.trickle(ConnectionFilter::All, Direction::ToClient, 1);
    for version in ["2", "3"] {
        let mut through = harness.wire().speaking(version);
        let mut direct = RespClient::open(reference.port()).speaking(version);
        for line in MIXED.iter().chain(MIXED) {
            through.expect_bytes(line, &direct.line(line));
        }
    }
}

#[test]
fn commands_that_arrive_byte_by_byte_are_complete() {
    let Some(harness) = start(&[]) else { return };
    let reference = RedisServer::start();
    let sent: Vec<u8> = MIXED.iter().flat_map(|line| written(line)).collect();
    let (mut through, mut direct) = (harness.wire(), RespClient::open(reference.port()));
    for byte in &sent {
        through.send(&[*byte]);
    }
    direct.send(&sent);
    for line in MIXED {
        assert_eq!(through.reply(), direct.reply(), "{line}");
    }
}

#[test]
fn values_of_two_megabytes_pass_without_being_cached() {
    let Some(harness) = start(&[]) else { return };
    fill_large(&harness);
    for version in ["2", "3"] {
        let mut through = harness.wire().speaking(version);
        let mut direct = harness.direct().speaking(version);
        for line in LARGE.iter().chain(LARGE) {
            through.expect_bytes(line, &direct.line(line));
        }
    }
    assert_eq!(harness.larder.resp_hits(), 0);
}

#[test]
fn values_of_two_megabytes_are_cached_if_the_limit_permits() {
    let Some(harness) = start(&["--near-max-value", "4mb"]) else { return };
    fill_large(&harness);
    for version in ["2", "3"] {
        let mut through = harness.wire().speaking(version);
        let mut direct = harness.direct().speaking(version);
        for line in LARGE {
            let expected = direct.line(line);
            eventually(LIMIT, &format!("{line} to be served from memory"), || {
                let before = harness.larder.resp_hits();
                through.expect_bytes(line, &expected);
                harness.larder.resp_hits() > before
            });
        }
    }
}

const LARGE: &[&str] =
    &["GET large", "HGETALL h", "MGET large missing large", "GETRANGE large 9 1999999"];

fn fill_large(harness: &Harness) {
    let value: Vec<u8> = (0..2 << 20).map(|at: u32| (at % 251) as u8).collect();
    let mut wire = harness.wire();
    assert_eq!(wire.call(&[b"SET", b"large", &value]), b"+OK\r\n");
    assert_eq!(wire.call(&[b"HSET", b"h", b"f", b"v", b"large", &value]), b":2\r\n");
}

#[test]
fn a_client_that_does_not_read_does_not_delay_others() {
    let Some(harness) = start(&[]) else { return };
    let mut wire = harness.wire();
    let value = vec![b'x'; 1 << 20];
    wire.call(&[b"SET", b"large", &value]);
    let mut stalled = harness.wire();
    // More than all buffers in between hold, and more than Larder reads before it stops.
    let asked = 200;
    stalled.send(&written("ECHO first"));
    (0..asked).for_each(|_| stalled.send(&written("GETRANGE large 0 -1")));
    for _ in 0..100 {
        wire.expect("ECHO hello", "$5 hello");
        wire.expect("STRLEN large", ":1048576");
    }
    stalled.expect_next("$5 first");
    for _ in 0..asked {
        assert_eq!(stalled.reply().len(), value.len() + "$1048576\r\n\r\n".len());
    }
}
