//! State of a disconnected client never leaks into later clients.

use std::{io::Write, os::unix::net::UnixStream, thread, time::Duration};

use larder_testkit::{Harness, LIMIT, eventually};

use crate::resp_client::{RespClient, written};
use crate::setup::{RespHarness, start};

/// The state of clients when they disconnect.
const SESSIONS: &[&[&str]] = &[
    &["SELECT 5"],
    &["MULTI", "SET k of-a-closed-client"],
    &["WATCH k", "MULTI", "INCR n"],
    &["SUBSCRIBE channel"],
    &["PSUBSCRIBE *"],
    &["MONITOR"],
    &["HELLO 3", "CLIENT TRACKING ON BCAST"],
    &["CLIENT REPLY ON", "CLIENT SETNAME closed"],
    &["HELLO 3", "SELECT 5", "MULTI"],
];

#[test]
fn the_next_thousand_clients_start_with_fresh_sessions() {
    let Some(harness) = start(&[]) else { return };
    let mut direct = harness.direct();
    for line in ["SET k v", "SELECT 5", "SET k of-db-5"] {
        direct.expect(line, "+OK");
    }
    for life in SESSIONS.iter().cycle().take(90) {
        let mut wire = harness.wire();
        life.iter().for_each(|line| drop(wire.line(line)));
        // Truncated within a command.
        wire.send(b"*2\r\n$3\r\nGET\r\n$1");
    }
    for n in 0..1000 {
        let mut wire = harness.wire();
        wire.expect("GET k", "$1 v");
        if n % 10 == 0 {
            wire.expect("CLIENT GETNAME", "$-1");
            wire.expect("EXEC", "-ERR EXEC without MULTI");
            wire.expect("GETRANGE k 0 -1", "$1 v");
            wire.expect("PING", "+PONG");
        }
    }
    eventually(LIMIT, "all clients to be gone", || {
        harness.larder.count("/resp/upstream_connections") == 0
    });
    assert_eq!(harness.redis.info("clients", "tracking_clients").as_deref(), Some("1"));
    harness.direct().expect("PUBSUB NUMPAT", ":0");
    harness.direct().expect("PUBSUB CHANNELS", "*0");
    harness.direct().expect("EXISTS n", ":0");
}

#[test]
fn clients_that_disconnect_before_their_reply_free_their_slots() {
    let Some(harness) = start(&["--maxclients", "40"]) else { return };
    let mut wire = harness.wire();
    wire.expect("SET k v", "+OK");
    harness.warm_up(&mut wire, "GET k", "$1 v");
    for round in 0..200 {
        let mut gone = UnixStream::connect(harness.unix_socket()).unwrap();
        // Some connections are awaited first; others are accepted together with their first
        // command.
        thread::sleep(Duration::from_millis(round % 3));
        gone.write_all(&written("GET k").repeat(2)).unwrap();
        drop(gone);
        wire.expect("GET k", "$1 v");
    }
    eventually(LIMIT, "the others to be gone", || {
        harness.larder.count("/resp/connected_clients") == 1
    });
}

#[test]
fn closing_an_idle_client_closes_its_upstream_connection() {
    let Some(harness) = start(&["--timeout", "1s"]) else { return };
    let mut idle: Vec<_> = (0..5).map(|_| harness.wire()).collect();
    for wire in &mut idle {
        wire.expect("SET k v", "+OK");
    }
    assert_eq!(harness.larder.count("/resp/upstream_connections"), 5);
    assert!(idle.iter_mut().all(RespClient::is_closed));
    eventually(LIMIT, "all to be gone", || harness.larder.count("/resp/connected_clients") == 0);
    assert_eq!(harness.larder.count("/resp/upstream_connections"), 0);
}

#[test]
fn a_disconnected_blocked_client_pops_nothing() {
    let Some(harness) = start(&[]) else { return };
    for _ in 0..20 {
        let mut wire = harness.wire();
        wire.send(&written("BLPOP jobs 0"));
        wait_for_blocked_clients(&harness, 1);
        drop(wire);
        wait_for_blocked_clients(&harness, 0);
    }
    harness.direct().expect("RPUSH jobs work", ":1");
    harness.wire().expect("BLPOP jobs 0", "*2 $4 jobs $4 work");
}

#[test]
fn a_half_closed_client_gets_all_replies() {
    let Some(harness) = start(&[]) else { return };
    let sent: Vec<u8> = (0..500).flat_map(|_| b"INCR n\r\nGET n\r\n".to_vec()).collect();
    let expected = (1..=500).map(|n| format!(":{n}\r\n${}\r\n{n}", n.to_string().len()));
    let expected = expected.collect::<Vec<_>>().join("\r\n") + "\r\n";
    assert_eq!(String::from_utf8(harness.wire().exchange(&sent)).unwrap(), expected);
    assert_eq!(harness.wire().exchange(b"GET n\r\nPING\r\n"), b"$3\r\n500\r\n+PONG\r\n");
    assert_eq!(
        harness.wire().exchange(b"MULTI\r\nDECR n\r\nEXEC\r\n"),
        b"+OK\r\n+QUEUED\r\n*1\r\n:499\r\n"
    );
}

#[test]
fn reset_clears_the_session() {
    let Some(harness) = start(&[]) else { return };
    harness.direct().expect("HSET h f v", ":1");
    for life in SESSIONS {
        let mut wire = harness.wire();
        life.iter().for_each(|line| drop(wire.line(line)));
        wire.send(&written("RESET"));
        until(&mut wire, b"+RESET\r\n");
        wire.expect("CLIENT GETNAME", "$-1");
        wire.expect("EXEC", "-ERR EXEC without MULTI");
        harness.warm_up(&mut wire, "HGETALL h", "*2 $1 f $1 v");
    }
}

fn wait_for_blocked_clients(harness: &Harness, count: u64) {
    eventually(LIMIT, &format!("{count} clients to be blocked"), || {
        harness.redis.info("clients", "blocked_clients") == Some(count.to_string())
    });
}

/// Reads until this reply; MONITOR lines may come before it.
fn until(wire: &mut RespClient, reply: &[u8]) {
    while wire.reply() != reply {}
}
