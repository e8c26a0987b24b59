//! `near-verify`: hits are compared with Redis. Real differences are found, and concurrent changes
//! are not reported as differences.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use larder_testkit::Direction::ToClient;
use larder_testkit::{ConnectionFilter, Harness, LIMIT, eventually};

use crate::resp_client::{readable, written};
use crate::setup::{RespHarness, start, start_with_relay};

#[test]
fn concurrent_changes_are_not_reported_as_differences() {
    let Some(harness) = start_with_relay(&["--near-verify", "100%"]) else { return };
    let relay = harness.relay();
    // Invalidations arrive later than replies.
    relay.delay(ConnectionFilter::Sent("TRACKING"), ToClient, Duration::from_millis(5));
    let (mut wire, mut direct) = (harness.wire(), harness.direct());
    direct.line("SADD set a b c d e f g h i j k l m n o p");
    direct.line("HSET hash a 1 b 2 c 3");
    direct.line("RPUSH list a b c");
    let lines = ["GET n", "SMEMBERS set", "HGETALL hash", "LRANGE list 0 -1", "MGET n n", "TYPE n"];
    for round in 0..100 {
        for line in lines {
            (0..3).for_each(|_| drop(wire.line(line)));
        }
        match round % 4 {
            0 => drop(direct.line("INCR n")),
            1 => drop(direct.line(&format!("SADD set member{round}"))),
            2 => drop(direct.line(&format!("HSET hash a {round}"))),
            _ => drop(direct.line(&format!("SET n {round} PX 20"))),
        }
    }
    assert!(harness.larder.count("/verified/match") > 50, "{}", harness.larder.stats()["verified"]);
    assert_eq!(harness.larder.count("/verified/mismatch"), 0);
    let info = readable(&wire.line("INFO larder"));
    assert!(info.contains("larder_verified_mismatch:0"), "{info}");
}

#[test]
fn a_command_split_over_two_writes_after_a_hit_is_parsed() {
    let Some(harness) = start(&["--near-verify", "100%"]) else { return };
    let mut wire = harness.wire();
    wire.expect("SET longer-key value", "+OK");
    harness.warm_up(&mut wire, "GET longer-key", "$5 value");
    let (get, set) = (written("GET longer-key"), written("SET j hello"));
    for cut in 1..set.len() {
        harness.warm_up(&mut wire, "GET longer-key", "$5 value");
        wire.send(&[&get, &set[..cut]].concat());
        wire.expect_next("$5 value");
        wire.send(&set[cut..]);
        wire.expect_next("+OK");
    }
}

#[test]
fn a_differing_entry_is_counted_logged_and_invalidated() {
    let is_corrupting = Arc::new(AtomicBool::new(true));
    let flag = Arc::clone(&is_corrupting);
    let harness = Harness::builder(env!("CARGO_BIN_EXE_larder"))
        .through(move |redis| format!("redis://{}", start_corrupting_proxy(redis.addr(), flag)))
        .flags(&["--near-verify", "100%"])
        .start();
    let Some(harness) = harness else { return };
    let (mut wire, mut direct) = (harness.wire(), harness.direct());
    direct.expect("SET k truth", "+OK");
    harness.warm_up(&mut wire, "GET k", "$5 lying");
    eventually(LIMIT, "the difference to be found", || {
        wire.line("GET k");
        harness.larder.count("/verified/mismatch") > 0
    });
    assert!(harness.larder.log().contains("near cache and store differ"));
    is_corrupting.store(false, SeqCst);
    eventually(LIMIT, "the true value", || readable(&wire.line("GET k")) == "$5 truth");
}

/// Starts a proxy that replaces "truth" by "lying" in replies on the tracked connection while
/// `is_corrupting` is set.
fn start_corrupting_proxy(server: SocketAddr, is_corrupting: Arc<AtomicBool>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    // The thread ends with the process.
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let is_corrupting = Arc::clone(&is_corrupting);
            thread::spawn(move || forward(&client, server, &is_corrupting));
        }
    });
    addr
}

fn forward(client: &TcpStream, server: SocketAddr, is_corrupting: &AtomicBool) {
    let server = TcpStream::connect(server).unwrap();
    let is_tracked = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            copy_with(client, &server, |bytes| {
                if contains(bytes, b"TRACKING") {
                    is_tracked.store(true, SeqCst);
                }
            });
        });
        copy_with(&server, client, |bytes| {
            let at = bytes.windows(5).position(|part| part == b"truth");
            if let Some(at) = at.filter(|_| is_tracked.load(SeqCst) && is_corrupting.load(SeqCst)) {
                bytes[at..at + 5].copy_from_slice(b"lying");
            }
        });
    });
}

fn copy_with(mut from: &TcpStream, mut to: &TcpStream, mut edit: impl FnMut(&mut [u8])) {
    let mut buffer = [0; 8192];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        edit(&mut buffer[..length]);
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    to.shutdown(Shutdown::Both).ok();
    from.shutdown(Shutdown::Both).ok();
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|it| it == part)
}
