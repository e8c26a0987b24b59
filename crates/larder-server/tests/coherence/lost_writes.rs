//! Writes whose reply is lost: the client is told that the outcome is unknown, and nothing is
//! written twice (R14).

use std::thread;
use std::time::Duration;

use larder_testkit::ConnectionFilter::{self, Sent};
use larder_testkit::Direction::ToClient;
use larder_testkit::{Harness, LIMIT, Monitor, eventually, http};

use crate::setup::{HttpHarness, path, start};

const WRITES: usize = 200;
/// The connection that carries writes.
const PLAIN: ConnectionFilter = Sent("larder-commands");

/// A fault injected during a write.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    /// The connection is cut at about the time of the write.
    Cut,
    /// The write is executed, then the connection is cut before the reply arrives.
    ReplyCut,
    /// The write is executed, and the reply never arrives.
    ReplyDropped,
}

impl Fault {
    fn of(write: usize) -> Self {
        match write % 40 {
            1 | 7 | 8 | 13 | 21 | 27 | 28 | 33 => Self::Cut,
            3 | 9 | 15 | 16 | 23 | 29 | 35 | 36 => Self::ReplyCut,
            5 => Self::ReplyDropped,
            _ => Self::None,
        }
    }
}

#[test]
fn a_write_is_never_sent_twice_and_an_unknown_outcome_is_reported() {
    let Some(harness) = start(&["--store-timeout", "1s"]) else { return };
    let monitor = Monitor::start(&harness.redis);
    let mut reader = harness.reader();
    let mut statuses = Vec::new();
    for write in 1..=WRITES {
        let status = put(&harness, &monitor, write);
        statuses.push(status);
        let executed = status == 204 || monitor.count(&set(write)) == 1;
        // Warms the key up for the next write. A client that knows that its write was executed must
        // read it.
        let found = reader.get(&path("k"));
        assert!(!executed || found.value() == Some(&*write.to_string()), "{found:?}");
    }
    // Once this is recorded, so is everything before it.
    harness.foreign(&["SET", "k", "the end"]);
    eventually(LIMIT, "MONITOR to catch up", || monitor.count(r#""the end""#) == 1);
    for (write, status) in (1..=WRITES).zip(&statuses) {
        let times = monitor.count(&set(write));
        let is_valid = match status {
            204 => times == 1,
            502 | 504 => times <= 1,
            503 => times == 0,
            _ => false,
        };
        assert!(is_valid, "write {write} returned {status} and executed {times} times");
    }
    let count = |wanted: &[u16]| statuses.iter().filter(|status| wanted.contains(status)).count();
    let (acknowledged, lost) = (count(&[204]), count(&[502, 504]));
    println!("{acknowledged} acknowledged, {lost} lost");
    assert!(acknowledged >= WRITES / 2, "{acknowledged} acknowledged");
    assert!(lost >= WRITES / 5, "{lost} lost");
}

#[test]
fn a_timeout_while_disconnected_does_not_close_a_later_connection() {
    let Some(harness) = start(&["--store-timeout", "500ms"]) else { return };
    for write in 0..6 {
        harness.relay().hold(PLAIN, ToClient);
        harness.relay().cut(PLAIN);
        let held = || harness.relay().buffered_bytes(PLAIN, ToClient) > 0;
        eventually(LIMIT, "the next handshake to be held", held);
        // This write waits in vain for the connection.
        assert_eq!(harness.put("k", "too early"), 504);
        thread::scope(|threads| {
            let put = threads.spawn(|| harness.put("k", "in time"));
            thread::sleep(Duration::from_millis(50));
            harness.relay().release(PLAIN, ToClient);
            assert_eq!(put.join().unwrap(), 204, "write {write}");
        });
    }
    assert_eq!(
        harness.redis.command_calls("set"),
        6,
        "a write that timed out in the queue was sent"
    );
}

/// Writes through Larder under this write's fault. Returns the status.
fn put(harness: &Harness, monitor: &Monitor, write: usize) -> u16 {
    eventually(LIMIT, "the plain connection to be there", || {
        let bypass = [("cache-control", "no-cache")];
        [200, 404].contains(&http::get(&harness.larder.url(&path("k")), &bypass).status)
    });
    let value = write.to_string();
    let executed = || eventually(LIMIT, &set(write), || monitor.count(&set(write)) == 1);
    let relay = &harness.relay();
    thread::scope(|threads| match Fault::of(write) {
        Fault::None => harness.put("k", &value),
        Fault::Cut => {
            let put = threads.spawn(|| harness.put("k", &value));
            // At a different point of the exchange each time.
            thread::sleep(Duration::from_micros(write as u64 * 37 % 3000));
            relay.cut(PLAIN);
            put.join().unwrap()
        }
        Fault::ReplyCut => {
            relay.hold(PLAIN, ToClient);
            let put = threads.spawn(|| harness.put("k", &value));
            executed();
            relay.cut(PLAIN);
            relay.release(PLAIN, ToClient);
            let status = put.join().unwrap();
            assert_eq!(status, 502, "write {write}");
            status
        }
        Fault::ReplyDropped => {
            relay.blackhole(PLAIN, ToClient);
            let put = threads.spawn(|| harness.put("k", &value));
            executed();
            let status = put.join().unwrap();
            assert_eq!(status, 504, "write {write}");
            relay.heal();
            relay.cut(PLAIN);
            status
        }
    })
}

fn set(write: usize) -> String {
    format!(r#""SET" "k" "{write}""#)
}
