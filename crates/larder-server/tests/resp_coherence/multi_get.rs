//! `MGET` shows one moment of the store, as in Redis, whether its keys are in memory or not.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use larder_testkit::Direction::ToServer;
use larder_testkit::{Harness, LIMIT, eventually};

use crate::client::{Client, Reply};
use crate::setup::{ClientHarness, RedisHarness, TRACKED, start};

/// Reads of the race; `LARDER_TEST_MGETS` sets another number.
const READS: u64 = 20_000;
const READERS: u64 = 2;
/// The keys that change together.
const KEYS: [&str; 8] = ["m:0", "m:1", "m:2", "m:3", "m:4", "m:5", "m:6", "m:7"];

#[test]
fn an_mget_never_shows_half_of_a_change_of_several_keys() {
    let Some(harness) = start(&[]) else { return };
    let reads = std::env::var("LARDER_TEST_MGETS").map_or(READS, |reads| reads.parse().unwrap());
    let (left, done) = (AtomicU64::new(reads), AtomicBool::new(false));
    let hits = harness.larder.resp_hits();
    harness.foreign_client().call(&mset(0));
    let versions = thread::scope(|threads| {
        let readers: Vec<_> = (0..READERS)
            .map(|reader| {
                let (harness, left) = (&harness, &left);
                threads.spawn(move || read_together(harness, reader, left))
            })
            .collect();
        // Keys are also read one at a time, so that a new value may be cached beside old ones.
        threads.spawn(|| read_apart(&harness, &done));
        threads.spawn(|| change(&mut harness.foreign_client(), &done));
        let versions: u64 = readers.into_iter().map(|reader| reader.join().unwrap()).sum();
        done.store(true, SeqCst);
        versions
    });
    let hits = harness.larder.resp_hits() - hits;
    println!("{reads} reads of 8 keys saw {versions} changes; {hits} hits");
    assert!(versions > 50 && hits > reads, "{versions} changes, {hits} hits");
}

/// Reads the keys together, in both orders, alone and in pipelines. Returns how many changes it saw.
fn read_together(harness: &Harness, reader: u64, left: &AtomicU64) -> u64 {
    let client = harness.client();
    let mut client = if reader.is_multiple_of(2) { client } else { client.resp3() };
    let forwards = format!("MGET {}", KEYS.join(" "));
    let backwards = format!(
        "MGET {} m:7",
        KEYS.map(String::from).into_iter().rev().collect::<Vec<_>>().join(" ")
    );
    let (mut last, mut versions) = (Reply::Nil, 0);
    for commands in
        [&[&*forwards][..], &[&backwards], &["GET m:3", &forwards, "GET m:5", &backwards]]
            .into_iter()
            .cycle()
    {
        if left.fetch_sub(1, SeqCst).cast_signed() <= 0 {
            return versions;
        }
        for reply in client.pipeline(commands) {
            let Reply::List(values) = reply else { continue };
            assert!(values.iter().all(|value| *value == values[0]), "{values:?}");
            versions += u64::from(values[0] != last);
            last = values[0].clone();
        }
    }
    versions
}

fn read_apart(harness: &Harness, done: &AtomicBool) {
    let mut client = harness.client();
    for key in KEYS.iter().cycle() {
        if done.load(SeqCst) {
            return;
        }
        client.call(&format!("GET {key}"));
    }
}

/// Changes all keys at once, in each way that Redis has, with pauses in which they become hits.
fn change(foreign: &mut Client, done: &AtomicBool) {
    for version in 1_u64.. {
        if done.load(SeqCst) {
            return;
        }
        let set = mset(version);
        match version % 3 {
            0 => drop(foreign.call(&set)),
            1 => {
                let sets = KEYS.map(|key| format!("SET {key} {version}"));
                let sets = sets.iter().map(String::as_str);
                let transaction: Vec<_> =
                    ["MULTI"].into_iter().chain(sets).chain(["EXEC"]).collect();
                foreign.pipeline(&transaction);
            }
            _ => {
                let script = "for _, k in ipairs(KEYS) do redis.call(\"SET\", k, ARGV[1]) end";
                foreign.call(&format!("EVAL '{script}' 8 {} {version}", KEYS.join(" ")));
            }
        }
        if version % 8 == 0 {
            thread::sleep(Duration::from_millis(2));
        }
    }
}

fn mset(version: u64) -> String {
    format!("MSET {}", KEYS.map(|key| format!("{key} {version}")).join(" "))
}

/// The order in which keys are looked up must not matter.
#[test]
fn an_mget_with_a_missing_key_does_not_mix_in_older_values_from_memory() {
    let Some(harness) = start(&[]) else { return };
    let mut foreign = harness.foreign_client();
    for read in ["MGET hot cold", "MGET cold hot"] {
        let mut client = harness.client();
        foreign.pipeline(&["DEL cold", "SET hot old"]);
        harness.warm_up_eventually(&mut client, "GET hot", "old");
        harness.relay().hold(TRACKED, ToServer);
        client.send_commands(&[read]);
        eventually(LIMIT, "the read to be sent", || {
            harness.relay().buffered_bytes(TRACKED, ToServer) > 0
                && harness.larder.stats()["fills_in_flight"] == 1
        });
        foreign.call("MSET hot new cold new");
        harness.relay().release(TRACKED, ToServer);
        assert_eq!(client.reply(), Reply::texts(["new", "new"]), "{read}");
    }
}

#[test]
fn an_mget_reads_all_its_keys_at_once_and_caches_those_that_were_missing() {
    let Some(harness) = start(&[]) else { return };
    let mut foreign = harness.foreign_client();
    foreign.call("MSET hot 1 cold 2 other 3");
    let mut client = harness.client();
    harness.warm_up(&mut client, "GET hot", "1");
    let calls = || ["mget", "get", "pttl"].map(|command| harness.redis.command_calls(command));
    let (before, hits) = (calls(), harness.larder.resp_hits());
    let expected = Reply::List(vec!["1".into(), "2".into(), Reply::Nil, "2".into(), "3".into()]);
    client.expect("MGET hot cold none cold other", expected.clone());
    let after = calls();
    assert_eq!([0, 1, 2].map(|at| after[at] - before[at]), [1, 0, 3]);
    assert_eq!(harness.larder.resp_hits(), hits, "the store answered it");
    client.expect("MGET hot cold none cold other", expected);
    client.expect("GET other", "3");
    assert_eq!(calls(), after, "all are in memory");
    assert_eq!(harness.larder.resp_hits() - hits, 6);
    foreign.call("SET none 4");
    harness.warm_up_eventually(&mut client, "MGET hot none", Reply::texts(["1", "4"]));
}

#[test]
fn an_mget_of_all_kinds_of_keys_is_answered_as_by_redis() {
    let Some(harness) = start(&["--near-max-value", "1kb"]) else { return };
    let mut foreign = harness.foreign_client();
    let large = "x".repeat(2_000);
    foreign.pipeline(&[
        "RPUSH list a",
        "SET text v",
        "SET brief v PX 600000",
        &format!("SET large {large}"),
    ]);
    for resp3 in [false, true] {
        let mut client = if resp3 { harness.client().resp3() } else { harness.client() };
        let mut direct = if resp3 { foreign_resp3(&harness) } else { harness.foreign_client() };
        for line in [
            "MGET list",
            "MGET text list none",
            "MGET none none",
            "MGET large text",
            "MGET text large list brief none",
            "MGET text text",
            "MGET",
        ] {
            let expected = direct.call(line);
            for _ in 0..3 {
                client.expect(line, expected.clone());
            }
        }
        // A key of another type is null in an MGET, and an error by itself.
        assert!(client.call("GET list").is_error());
        assert_eq!(client.call("MGET list"), direct.call("MGET list"));
    }
}

fn foreign_resp3(harness: &Harness) -> Client {
    harness.foreign_client().resp3()
}

#[test]
fn an_mget_is_answered_when_the_feed_is_lost_under_it() {
    let Some(harness) = start(&[]) else { return };
    harness.foreign_client().call("MSET a 1 b 2");
    let mut client = harness.client();
    harness.relay().hold(TRACKED, ToServer);
    client.send_commands(&["MGET a b", "GET a", "MGET b a"]);
    eventually(LIMIT, "the reads to be sent", || harness.larder.stats()["fills_in_flight"] == 2);
    harness.relay().cut(TRACKED);
    assert_eq!(client.reply(), Reply::texts(["1", "2"]));
    assert_eq!(client.reply(), "1".into());
    assert_eq!(client.reply(), Reply::texts(["2", "1"]));
    harness.relay().release(TRACKED, ToServer);
    harness.assert_coherent();
}
