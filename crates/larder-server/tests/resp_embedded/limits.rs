//! What is bounded: memory, time, replies.

use std::time::Duration;

use larder_testkit::eventually;

use crate::pair::{Alone, LIMIT};
use crate::wire::readable;

const OOM: &str = "-OOM command not allowed when used memory > 'maxmemory'.";

/// Bytes that the store holds.
fn used(wire: &mut crate::wire::Wire) -> u64 {
    let info = readable(&wire.line("INFO memory"));
    let used = info.split_whitespace().find_map(|field| field.strip_prefix("used_memory:"));
    used.unwrap().parse().unwrap()
}

#[test]
fn a_full_store_refuses_what_needs_more_and_does_the_rest() {
    const BYTES_MAX: u64 = 1 << 20;
    let alone = Alone::start(&["--store-maxmemory", "1mb"]);
    let mut wire = alone.wire();
    let value = "x".repeat(10_000);
    let mut keys = 0;
    while wire.line(&format!("SET key:{keys} {value}")) == b"+OK\r\n" {
        keys += 1;
    }
    assert!((90..=105).contains(&keys), "{keys} values of 10 kB fit into a megabyte");
    for refused in [
        &format!("SET new {value}"),
        &format!("SETNX new {value}"),
        &format!("APPEND key:0 {value}"),
        "SETRANGE key:0 20000 x",
        "SETRANGE new 20000 x",
        "COPY key:0 new",
        &format!("MSET key:0 small new {value} newer {value}"),
        &format!("MSETNX new {value} newer {value}"),
        &format!("GETSET key:0 {value}{value}"),
        &format!("SET key:0 {value}{value} GET"),
    ] {
        wire.expect(refused, OOM);
        assert!(used(&mut wire) <= BYTES_MAX);
    }
    wire.expect("EXISTS new newer", ":0");
    wire.expect("STRLEN key:0", ":10000");
    wire.expect("MULTI", "+OK");
    wire.expect("GET key", "+QUEUED");
    wire.expect(&format!("SET new {value}"), "+QUEUED");
    wire.expect("EXEC", &format!("*2 $-1 {OOM}"));
    // What takes no more room is done.
    wire.expect(&format!("SET key:0 {}", "y".repeat(10_000)), "+OK");
    wire.expect("RENAME key:0 k", "+OK");
    wire.expect("EXPIRE k 100", ":1");
    wire.expect("SET k short", "+OK");
    wire.expect("DEL key:1", ":1");
    wire.expect(&format!("SET new {value}"), "+OK");
    wire.expect("FLUSHALL", "+OK");
    assert_eq!(used(&mut wire), 0, "every byte is given back");
}

#[test]
fn what_has_expired_is_never_seen_and_gives_its_room_back() {
    let alone = Alone::start(&["--store-maxmemory", "1mb"]);
    let mut wire = alone.wire();
    wire.expect(&format!("SET large {} PX 50", "x".repeat(900_000)), "+OK");
    wire.expect("SET stays here", "+OK");
    eventually(LIMIT, "the key to expire", || wire.line("EXISTS large") == b":0\r\n");
    for (line, reply) in [
        ("GET large", "$-1"),
        ("TTL large", ":-2"),
        ("STRLEN large", ":0"),
        ("KEYS *", "*1 $5 stays"),
        ("SCAN 0", "*2 $1 0 *1 $5 stays"),
        ("RANDOMKEY", "$5 stays"),
        ("RENAME large x", "-ERR no such key"),
        ("PERSIST large", ":0"),
        ("DEL large", ":0"),
    ] {
        wire.expect(line, reply);
    }
    wire.expect("SET again soon PX 1", "+OK");
    eventually(LIMIT, "its room to be free", || wire.line("DBSIZE") == b":1\r\n");
    assert!(used(&mut wire) < 1000);
}

#[test]
fn a_watched_key_that_expires_ends_the_transaction() {
    let alone = Alone::start(&[]);
    let mut wire = alone.wire();
    eventually(LIMIT, "a watch to begin while the key is there", || {
        wire.expect("UNWATCH", "+OK");
        wire.expect("SET k v PX 50", "+OK");
        wire.expect("WATCH k", "+OK");
        wire.line("EXISTS k") == b":1\r\n"
    });
    eventually(LIMIT, "the key to expire", || wire.line("EXISTS k") == b":0\r\n");
    wire.expect("MULTI", "+OK");
    wire.expect("PING", "+QUEUED");
    wire.expect("EXEC", "*-1");
}

#[test]
fn a_client_that_does_not_read_makes_nobody_wait() {
    const READS: usize = 400;
    let alone = Alone::start(&["--io-threads", "1"]);
    let value = "x".repeat(1 << 20);
    let mut slow = alone.wire();
    slow.expect(&format!("SET large {value}"), "+OK");
    slow.send("GET large\r\n".repeat(READS).as_bytes());
    let mut other = alone.wire();
    (0..100).for_each(|_| other.expect("PING", "+PONG"));
    let resident = std::fs::read_to_string(format!("/proc/{}/statm", alone.larder.pid())).unwrap();
    let pages: usize = resident.split(' ').nth(1).unwrap().parse().unwrap();
    assert!(pages * 4096 < 200 << 20, "replies nobody reads take {pages} pages");
    for _ in 0..READS {
        assert_eq!(slow.reply().len(), value.len() + 12);
    }
    assert!(slow.is_silent_for(Duration::from_millis(50)));
}

#[test]
fn a_transaction_is_as_long_as_its_limit() {
    let alone = Alone::start(&[]);
    let mut wire = alone.wire();
    let value = "x".repeat(20 << 20);
    wire.expect("MULTI", "+OK");
    (0..3).for_each(|_| wire.expect(&format!("SET k {value}"), "+QUEUED"));
    wire.expect(&format!("SET k {value}"), "-ERR Larder: a transaction holds at most 64 MiB");
    wire.expect("EXEC", "-EXECABORT Transaction discarded because of previous errors.");
    wire.expect("EXISTS k", ":0");
}

#[test]
fn the_names_that_a_client_watches_take_no_more_than_their_limit() {
    let alone = Alone::start(&[]);
    let mut wire = alone.wire();
    let long = "x".repeat(5 << 20);
    (1..=3).for_each(|n| wire.expect(&format!("WATCH {n}{long}"), "+OK"));
    wire.expect(&format!("WATCH 1{long} 2{long}"), "+OK");
    let refused = "-ERR Larder: the names that a client watches take at most 16 MiB";
    wire.expect(&format!("WATCH 4{long}"), refused);
    wire.expect("UNWATCH", "+OK");
    wire.expect(&format!("WATCH 4{long}"), "+OK");
    let short: Vec<_> = (0..300_000).map(|n| n.to_string()).collect();
    wire.expect(&format!("WATCH {}", short.join(" ")), refused);
}
