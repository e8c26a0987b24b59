//! Limits on memory, time to live, unread replies, transactions and watched keys.

use std::time::Duration;

use larder_testkit::eventually;

use crate::resp_client::readable;
use crate::setup::{Embedded, LIMIT};

const OOM: &str = "-OOM command not allowed when used memory > 'maxmemory'.";

/// Returns the bytes that the store uses.
fn used_memory(client: &mut crate::resp_client::RespClient) -> u64 {
    let info = readable(&client.line("INFO memory"));
    let used = info.split_whitespace().find_map(|field| field.strip_prefix("used_memory:"));
    used.unwrap().parse().unwrap()
}

#[test]
fn a_full_store_refuses_only_commands_that_need_more_memory() {
    const BYTES_MAX: u64 = 1 << 20;
    let server = Embedded::start(&["--store-maxmemory", "1mb"]);
    let mut client = server.client();
    let value = "x".repeat(10_000);
    let mut keys = 0;
    while client.line(&format!("SET key:{keys} {value}")) == b"+OK\r\n" {
        keys += 1;
    }
    assert!((90..=105).contains(&keys), "{keys} values of 10 kB fit into 1 MiB");
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
        client.expect(refused, OOM);
        assert!(used_memory(&mut client) <= BYTES_MAX);
    }
    client.expect("EXISTS new newer", ":0");
    client.expect("STRLEN key:0", ":10000");
    client.expect("MULTI", "+OK");
    client.expect("GET key", "+QUEUED");
    client.expect(&format!("SET new {value}"), "+QUEUED");
    client.expect("EXEC", &format!("*2 $-1 {OOM}"));
    // Commands that need no more memory still succeed.
    client.expect(&format!("SET key:0 {}", "y".repeat(10_000)), "+OK");
    client.expect("RENAME key:0 k", "+OK");
    client.expect("EXPIRE k 100", ":1");
    client.expect("SET k short", "+OK");
    client.expect("DEL key:1", ":1");
    client.expect(&format!("SET new {value}"), "+OK");
    client.expect("FLUSHALL", "+OK");
    assert_eq!(used_memory(&mut client), 0, "FLUSHALL frees all memory");
}

#[test]
fn an_expired_key_is_never_returned_and_its_memory_is_freed() {
    let server = Embedded::start(&["--store-maxmemory", "1mb"]);
    let mut client = server.client();
    client.expect(&format!("SET large {} PX 50", "x".repeat(900_000)), "+OK");
    client.expect("SET stays here", "+OK");
    eventually(LIMIT, "the key to expire", || client.line("EXISTS large") == b":0\r\n");
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
        client.expect(line, reply);
    }
    client.expect("SET again soon PX 1", "+OK");
    eventually(LIMIT, "the expired key to be removed", || client.line("DBSIZE") == b":1\r\n");
    assert!(used_memory(&mut client) < 1000);
}

#[test]
fn a_watched_key_that_expires_aborts_the_transaction() {
    let server = Embedded::start(&[]);
    let mut client = server.client();
    eventually(LIMIT, "WATCH to run before the key expires", || {
        client.expect("UNWATCH", "+OK");
        client.expect("SET k v PX 50", "+OK");
        client.expect("WATCH k", "+OK");
        client.line("EXISTS k") == b":1\r\n"
    });
    eventually(LIMIT, "the key to expire", || client.line("EXISTS k") == b":0\r\n");
    client.expect("MULTI", "+OK");
    client.expect("PING", "+QUEUED");
    client.expect("EXEC", "*-1");
}

#[test]
fn a_client_that_does_not_read_delays_no_other_client() {
    const READS: usize = 400;
    let server = Embedded::start(&["--io-threads", "1"]);
    let value = "x".repeat(1 << 20);
    let mut slow = server.client();
    slow.expect(&format!("SET large {value}"), "+OK");
    slow.send("GET large\r\n".repeat(READS).as_bytes());
    let mut other = server.client();
    (0..100).for_each(|_| other.expect("PING", "+PONG"));
    let resident = std::fs::read_to_string(format!("/proc/{}/statm", server.larder.pid())).unwrap();
    let pages: usize = resident.split(' ').nth(1).unwrap().parse().unwrap();
    assert!(pages * 4096 < 200 << 20, "unread replies take {pages} pages");
    for _ in 0..READS {
        assert_eq!(slow.reply().len(), value.len() + 12);
    }
    assert!(slow.is_silent_for(Duration::from_millis(50)));
}

#[test]
fn a_transaction_beyond_its_size_limit_is_refused() {
    let server = Embedded::start(&[]);
    let mut client = server.client();
    let value = "x".repeat(20 << 20);
    client.expect("MULTI", "+OK");
    (0..3).for_each(|_| client.expect(&format!("SET k {value}"), "+QUEUED"));
    client.expect(&format!("SET k {value}"), "-ERR Larder: a transaction holds at most 64 MiB");
    client.expect("EXEC", "-EXECABORT Transaction discarded because of previous errors.");
    client.expect("EXISTS k", ":0");
}

#[test]
fn watched_keys_beyond_their_memory_limit_are_refused() {
    let server = Embedded::start(&[]);
    let mut client = server.client();
    let long = "x".repeat(5 << 20);
    (1..=3).for_each(|n| client.expect(&format!("WATCH {n}{long}"), "+OK"));
    client.expect(&format!("WATCH 1{long} 2{long}"), "+OK");
    let refused = "-ERR Larder: the names that a client watches take at most 16 MiB";
    client.expect(&format!("WATCH 4{long}"), refused);
    client.expect("UNWATCH", "+OK");
    client.expect(&format!("WATCH 4{long}"), "+OK");
    let short: Vec<_> = (0..300_000).map(|n| n.to_string()).collect();
    client.expect(&format!("WATCH {}", short.join(" ")), refused);
}
