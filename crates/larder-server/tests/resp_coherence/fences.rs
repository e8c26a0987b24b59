//! After a command that may write to any key, the reply waits until all invalidations that Redis
//! has sent by then are processed (R4), and no longer.

use std::thread;
use std::time::{Duration, Instant};

use larder_testkit::Direction::{Both, ToClient};
use larder_testkit::LIMIT;

use crate::client::{Client, Reply};
use crate::setup::{ClientHarness, RedisHarness, TRACKED, start};

const DELAY: Duration = Duration::from_millis(300);
const BOUND: Duration = Duration::from_secs(1);
const CLIENTS: usize = 25;

#[test]
fn a_reply_waits_for_pending_invalidations_and_the_next_read_is_new() {
    let Some(harness) = start(&[]) else { return };
    harness.relay().delay(TRACKED, ToClient, DELAY);
    let rounds = if std::env::var("LARDER_TEST_LONG").is_ok() { 40 } else { 4 };
    let hits = harness.larder.resp_hits();
    thread::scope(|threads| {
        for number in 0..CLIENTS {
            let (mut client, mut reader) = (harness.client(), harness.client());
            threads.spawn(move || {
                let key = format!("k:{number}");
                let get = format!("GET {key}");
                (0..rounds).for_each(|round| {
                    // Filled first, then served from memory.
                    let old = reader.call(&get);
                    reader.expect(&get, old);
                    let new = format!("new {round}");
                    let write = write(&key, &new, number + round);
                    let write: Vec<_> = write.iter().map(String::as_str).collect();
                    let asked = Instant::now();
                    client.send_commands(&write);
                    let replies: Vec<_> = write.iter().map(|_| client.reply()).collect();
                    assert!(asked.elapsed() >= DELAY, "{write:?}: {:?}", asked.elapsed());
                    assert!(!replies.last().unwrap().is_error(), "{replies:?}");
                    reader.expect(&get, &*new);
                    client.expect(&get, &*new);
                });
            });
        }
    });
    let hits = harness.larder.resp_hits() - hits;
    assert!(hits >= (CLIENTS * rounds) as u64, "{hits} hits: the earlier reads were not cached");
}

/// Returns one of several writes to a key that the command does not name.
fn write(key: &str, value: &str, kind: usize) -> Vec<String> {
    let eval = format!("EVAL 'redis.call(\"SET\", \"{key}\", \"{value}\") return 1' 0");
    match kind % 4 {
        0 => vec!["MULTI".into(), format!("SET {key} '{value}'"), "EXEC".into()],
        // Later replies of the same client wait too.
        1 => vec![eval, "PING".into()],
        2 => vec!["PING".into(), eval],
        _ => vec![eval],
    }
}

#[test]
fn later_replies_wait_for_the_fence_but_other_clients_do_not() {
    let Some(harness) = start(&[]) else { return };
    harness.relay().delay(TRACKED, ToClient, DELAY);
    let mut client = harness.client();
    let mut other = harness.client();
    other.call("PING");
    client.call("PING");
    for _ in 0..3 {
        let asked = Instant::now();
        client.send_commands(&["EVAL 'return 1' 0"]);
        client.send_commands(&["ECHO behind"]);
        other.expect("PING", "PONG");
        assert!(asked.elapsed() < DELAY / 2, "another client waited {:?}", asked.elapsed());
        assert_eq!(client.reply(), 1.into());
        assert!(asked.elapsed() >= DELAY);
        assert_eq!(client.reply(), "behind".into());
        // Commands that neither read nor write keys need no fence.
        let asked = Instant::now();
        client.pipeline(&["PUBLISH a b", "CONFIG GET maxmemory", "SCRIPT EXISTS x", "PING"]);
        assert!(asked.elapsed() < DELAY / 2, "{:?}", asked.elapsed());
    }
}

/// A fault on the tracked connection.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Slow,
    BlackHole,
    Refused,
    Ignored,
}

#[test]
fn a_fence_lasts_at_most_the_bound_and_the_next_read_is_new() {
    thread::scope(|threads| {
        for fault in [Fault::Slow, Fault::BlackHole, Fault::Refused, Fault::Ignored] {
            threads.spawn(move || fence_under(fault));
        }
    });
}

fn fence_under(fault: Fault) {
    let Some(harness) = start(&[]) else { return };
    let (mut writer, mut reader) = (harness.client(), harness.client());
    writer.expect("SET k old", "OK");
    reader.call("PING");
    harness.warm_up(&mut reader, "GET k", "old");
    match fault {
        Fault::Slow => harness.relay().delay(TRACKED, ToClient, BOUND * 2),
        Fault::BlackHole => harness.relay().blackhole(TRACKED, Both),
        Fault::Refused => {
            harness.relay().refuse(true);
            harness.relay().cut(TRACKED);
        }
        Fault::Ignored => {
            harness.relay().ignore(true);
            harness.relay().cut(TRACKED);
        }
    }
    let waits = (0..5).map(|round| {
        let asked = Instant::now();
        set_by_script(&mut writer, &format!("new {round}"));
        let waited = asked.elapsed();
        reader.expect("GET k", &*format!("new {round}"));
        waited
    });
    let waits: Vec<_> = waits.collect();
    // Once the epoch has ended there is nothing to wait for. On a busy machine some take longer.
    assert!(*waits.iter().min().unwrap() < BOUND, "{fault:?}: {waits:?}");
    assert!(waits.iter().all(|&waited| waited < LIMIT), "{fault:?}: {waits:?}");
    harness.relay().heal();
    harness.relay().refuse(false);
    harness.relay().ignore(false);
    harness.relay().delay(TRACKED, ToClient, Duration::ZERO);
    harness.relay().cut(TRACKED);
    harness.assert_coherent();
}

fn set_by_script(client: &mut Client, value: &str) {
    let script = format!("EVAL 'redis.call(\"SET\", \"k\", \"{value}\")' 0");
    client.expect(&script, Reply::Nil);
}

/// Redis sends messages and replies to blocked commands on one connection, and invalidations on
/// another.
#[test]
fn a_client_woken_by_another_sees_its_earlier_writes() {
    let Some(harness) = start(&[]) else { return };
    harness.relay().delay(TRACKED, ToClient, DELAY / 5);
    let mut foreign = harness.foreign_client();
    let (mut worker, mut listener, mut reader) =
        (harness.client(), harness.client(), harness.client());
    listener.call("SUBSCRIBE news");
    foreign.call("SET job 0");
    for round in 1..10 {
        let (old, new) = ((round - 1).to_string(), round.to_string());
        harness.warm_up(&mut reader, "GET job", &*old);
        let set = format!("SET job {new}");
        if round % 2 == 0 {
            worker.send_commands(&["BLPOP queue 0"]);
            foreign.pipeline(&[&set, "LPUSH queue 1"]);
            assert!(!worker.reply().is_error());
            worker.expect("GET job", &*new);
        } else {
            foreign.pipeline(&[&set, "PUBLISH news 1"]);
            listener.reply();
            reader.expect("GET job", &*new);
        }
    }
}
