//! Writes whose answer is lost: the client is told that the outcome is not known, and nothing is
//! written twice (R14).

use std::thread;
use std::time::Duration;

use larder_testkit::ConnectionFilter::{self, Sent};
use larder_testkit::Direction::ToClient;
use larder_testkit::{Harness, LIMIT, Monitor, eventually, http};

use crate::setup::{HttpHarness, path, start};

const WRITES: usize = 200;
/// The connection that writes go out on.
const PLAIN: ConnectionFilter = Sent("larder-commands");

/// What happens to a write.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    /// The connection is cut at about the time of the write.
    Cut,
    /// It is carried out, then the connection is cut before the reply arrives.
    ReplyCut,
    /// It is carried out, and the reply never arrives.
    ReplySwallowed,
}

impl Fault {
    fn of(write: usize) -> Self {
        match write % 40 {
            1 | 7 | 8 | 13 | 21 | 27 | 28 | 33 => Self::Cut,
            3 | 9 | 15 | 16 | 23 | 29 | 35 | 36 => Self::ReplyCut,
            5 => Self::ReplySwallowed,
            _ => Self::None,
        }
    }
}

#[test]
fn a_write_is_never_sent_twice_and_a_lost_one_is_said_to_be_lost() {
    let Some(harness) = start(&["--store-timeout", "1s"]) else { return };
    let monitor = Monitor::start(&harness.redis);
    let mut reader = harness.reader();
    let mut statuses = Vec::new();
    for write in 1..=WRITES {
        let status = put(&harness, &monitor, write);
        statuses.push(status);
        let carried_out = status == 204 || monitor.count(&set(write)) == 1;
        // Hot for the next write; and who knows that a write was carried out reads what it wrote.
        let found = reader.get(&path("k"));
        assert!(!carried_out || found.value() == Some(&*write.to_string()), "{found:?}");
    }
    // What comes last has been seen once this has.
    harness.foreign(&["SET", "k", "the end"]);
    eventually(LIMIT, "MONITOR to end", || monitor.count(r#""the end""#) == 1);
    for (write, status) in (1..=WRITES).zip(&statuses) {
        let times = monitor.count(&set(write));
        let right = match status {
            204 => times == 1,
            502 | 504 => times <= 1,
            503 => times == 0,
            _ => false,
        };
        assert!(right, "write {write} was answered {status} and carried out {times} times");
    }
    let count = |wanted: &[u16]| statuses.iter().filter(|status| wanted.contains(status)).count();
    let (acknowledged, lost) = (count(&[204]), count(&[502, 504]));
    println!("{acknowledged} acknowledged, {lost} lost");
    assert!(acknowledged >= WRITES / 2, "{acknowledged} acknowledged");
    assert!(lost >= WRITES / 5, "{lost} lost");
}

#[test]
fn a_time_out_while_there_was_no_connection_ends_none_that_comes_later() {
    let Some(harness) = start(&["--store-timeout", "500ms"]) else { return };
    for write in 0..6 {
        harness.relay().hold(PLAIN, ToClient);
        harness.relay().cut(PLAIN);
        let held = || harness.relay().buffered_bytes(PLAIN, ToClient) > 0;
        eventually(LIMIT, "the next handshake to be held up", held);
        // This waits for the connection, in vain.
        assert_eq!(harness.put("k", "too early"), 504);
        thread::scope(|threads| {
            let put = threads.spawn(|| harness.put("k", "in time"));
            thread::sleep(Duration::from_millis(50));
            harness.relay().release(PLAIN, ToClient);
            assert_eq!(put.join().unwrap(), 204, "write {write}");
        });
    }
    assert_eq!(harness.redis.command_calls("set"), 6, "what timed out in the queue is not sent");
}

/// Writes through Larder, with this write's fault; gives the status.
fn put(harness: &Harness, monitor: &Monitor, write: usize) -> u16 {
    eventually(LIMIT, "the plain connection to be there", || {
        let past_near = [("cache-control", "no-cache")];
        [200, 404].contains(&http::get(&harness.larder.url(&path("k")), &past_near).status)
    });
    let value = write.to_string();
    let carried_out = || eventually(LIMIT, &set(write), || monitor.count(&set(write)) == 1);
    let relay = &harness.relay();
    thread::scope(|threads| match Fault::of(write) {
        Fault::None => harness.put("k", &value),
        Fault::Cut => {
            let put = threads.spawn(|| harness.put("k", &value));
            // Ever at another point of its way.
            thread::sleep(Duration::from_micros(write as u64 * 37 % 3000));
            relay.cut(PLAIN);
            put.join().unwrap()
        }
        Fault::ReplyCut => {
            relay.hold(PLAIN, ToClient);
            let put = threads.spawn(|| harness.put("k", &value));
            carried_out();
            relay.cut(PLAIN);
            relay.release(PLAIN, ToClient);
            let status = put.join().unwrap();
            assert_eq!(status, 502, "write {write}");
            status
        }
        Fault::ReplySwallowed => {
            relay.blackhole(PLAIN, ToClient);
            let put = threads.spawn(|| harness.put("k", &value));
            carried_out();
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
