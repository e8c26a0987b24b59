//! The counters agree with what clients asked and with what the server was asked.

use std::thread;

use larder_testkit::{Harness, LIMIT, eventually, http};
use serde_json::Value;

use crate::client::{Client, Reply};
use crate::setup::{ClientHarness, start};

/// No flight becomes too old to be joined while a slow machine answers, and no thread looks for a
/// value just before another one caches it: either would send a read twice.
const FLAGS: &[&str] = &["--staleness-bound", "10s", "--io-threads", "1"];
/// Keys in each `MGET`.
const MGET_KEYS: u64 = 5;
const READS: [&str; 3] = ["get", "strlen", "exists"];
const WRITES: [&str; 5] = ["set", "del", "incr", "lpush", "eval"];

/// Counts of both listeners, and of the server's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    /// Reads of all results.
    reads: u64,
    /// Reads that the server answered.
    sent: u64,
    errors: u64,
    writes: u64,
    refused: u64,
    failed: u64,
    server_reads: u64,
    server_writes: u64,
}

impl Counts {
    fn of(harness: &Harness) -> Self {
        let stats = harness.larder.stats();
        let mut counts = Self::default();
        for listener in ["resp", "http"] {
            let number = |pointer: &str| {
                stats.pointer(&format!("/{listener}{pointer}")).and_then(Value::as_u64).unwrap()
            };
            let bypass = stats[listener]["requests"]["bypass"].as_object().unwrap();
            let bypassed: u64 = bypass.values().filter_map(Value::as_u64).sum();
            let sent = number("/requests/miss") + bypassed;
            counts.sent += sent;
            counts.reads += sent + number("/requests/hit") + number("/requests/collapsed");
            counts.errors += number("/requests/error");
            counts.writes += number("/writes/done");
            counts.refused += number("/writes/refused");
            counts.failed += number("/writes/error");
        }
        let calls = |commands: &[&str]| -> u64 {
            commands.iter().map(|command| harness.redis.command_calls(command)).sum()
        };
        counts.server_reads = calls(&READS) + MGET_KEYS * calls(&["mget"]);
        counts.server_writes = calls(&WRITES);
        counts
    }

    fn since(self, before: Self) -> Self {
        Self {
            reads: self.reads - before.reads,
            sent: self.sent - before.sent,
            errors: self.errors - before.errors,
            writes: self.writes - before.writes,
            refused: self.refused - before.refused,
            failed: self.failed - before.failed,
            server_reads: self.server_reads - before.server_reads,
            server_writes: self.server_writes - before.server_writes,
        }
    }
}

/// A small generator of numbers: the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % limit
    }

    fn key(&mut self) -> String {
        format!("key:{}", self.below(60))
    }

    fn read(&mut self) -> (String, u64) {
        match self.below(5) {
            0 => {
                let keys: Vec<_> = (0..MGET_KEYS).map(|_| self.key()).collect();
                (format!("MGET {}", keys.join(" ")), MGET_KEYS)
            }
            1 => (format!("STRLEN {}", self.key()), 1),
            2 => (format!("EXISTS {}", self.key()), 1),
            _ => (format!("GET {}", self.key()), 1),
        }
    }

    fn write(&mut self) -> String {
        match self.below(4) {
            0 => format!("DEL {}", self.key()),
            1 => format!("INCR {}", self.key()),
            _ => format!("SET {} text", self.key()),
        }
    }
}

/// Sends commands in one write.
fn pipeline(client: &mut Client, lines: &[String]) {
    client.pipeline(&lines.iter().map(String::as_str).collect::<Vec<_>>());
}

/// Waits until every invalidation that the server has sent is applied: a reply that an invalidation
/// overtakes is not cached, and may be read again.
fn fence(client: &mut Client) {
    client.expect("EVAL 'return 1' 0", 1);
}

/// What the test has sent.
#[derive(Default)]
struct Sent {
    reads: u64,
    writes: u64,
}

fn random_turn(harness: &Harness, client: &mut Client, random: &mut Random, sent: &mut Sent) {
    let mut read = |random: &mut Random| {
        let (line, keys) = random.read();
        sent.reads += keys;
        line
    };
    let key = |random: &mut Random| harness.larder.url(&format!("/v1/keys/{}", random.key()));
    match random.below(8) {
        0 => {
            let lines: Vec<_> = (0..=random.below(30)).map(|_| read(random)).collect();
            pipeline(client, &lines);
        }
        1 => drop(client.call(&read(random))),
        2 => {
            client.call(&random.write());
            sent.writes += 1;
        }
        3 => {
            let mut lines = Vec::new();
            for _ in 0..=random.below(10) {
                lines.push(read(random));
                lines.push(random.write());
                sent.writes += 1;
            }
            pipeline(client, &lines);
        }
        4 => {
            http::get(&key(random), &[]);
            sent.reads += 1;
        }
        5 => {
            http::get(&key(random), &[("cache-control", "no-cache")]);
            sent.reads += 1;
        }
        6 => {
            assert_eq!(http::put(&key(random), &[], "over HTTP").status, 204);
            sent.writes += 1;
        }
        _ => {
            http::delete(&key(random), &[]);
            sent.writes += 1;
        }
    }
    fence(client);
    sent.writes += 1;
}

#[test]
fn counters_agree_with_those_of_the_server_on_random_commands() {
    let Some(harness) = start(FLAGS) else { return };
    let mut client = harness.client();
    for seed in 1..=4 {
        let (mut random, mut sent) = (Random(seed), Sent::default());
        fence(&mut client);
        let before = Counts::of(&harness);
        for _ in 0..150 {
            random_turn(&harness, &mut client, &mut random, &mut sent);
        }
        let counts = Counts::of(&harness).since(before);
        let what = format!("seed {seed}: {counts:?}");
        assert_eq!((counts.errors, counts.failed), (0, 0), "{what}");
        assert_eq!(counts.reads, sent.reads, "{what}");
        assert_eq!(counts.writes + counts.refused, sent.writes, "{what}");
        assert_eq!(counts.sent, counts.server_reads, "{what}");
        assert_eq!(counts.writes + counts.refused, counts.server_writes, "{what}");
        assert!(counts.refused > 0 && counts.sent > 0 && counts.reads > counts.sent, "{what}");
    }
}

#[test]
fn what_a_pipeline_sends_to_the_server_counts_as_misses() {
    const KEYS: u64 = 4_000;
    const WARM: u64 = KEYS / 25;
    let Some(harness) = start(FLAGS) else { return };
    for (prefix, keys_of_each) in [("get", 1), ("mget", MGET_KEYS)] {
        let key = |number: u64| format!("{prefix}:{number}");
        let mut client = harness.client();
        for number in (0..KEYS).step_by(25) {
            client.call(&format!("GET {}", key(number)));
        }
        let before = Counts::of(&harness);
        let numbers: Vec<_> = (0..KEYS).collect();
        for pipelined in numbers.chunks(1_000) {
            let lines: Vec<_> = pipelined
                .chunks(keys_of_each as usize)
                .map(|numbers| {
                    let keys: Vec<_> = numbers.iter().copied().map(key).collect();
                    format!("{} {}", prefix.to_uppercase(), keys.join(" "))
                })
                .collect();
            pipeline(&mut client, &lines);
        }
        let counts = Counts::of(&harness).since(before);
        assert_eq!((counts.reads, counts.errors), (KEYS, 0), "{prefix}: {counts:?}");
        assert_eq!(counts.sent, counts.server_reads, "{prefix}: {counts:?}");
        assert!(counts.sent >= KEYS - WARM, "{prefix}: {counts:?}");
    }
}

#[test]
fn readers_that_share_a_fetch_are_counted_apart_from_the_one_that_sent_it() {
    let Some(harness) = start(FLAGS) else { return };
    let before = Counts::of(&harness);
    thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                let lines: Vec<_> = (0..2_000).map(|number| format!("GET cold:{number}")).collect();
                pipeline(&mut harness.client(), &lines);
            });
        }
    });
    let counts = Counts::of(&harness).since(before);
    assert_eq!((counts.reads, counts.errors), (8_000, 0), "{counts:?}");
    assert_eq!(counts.sent, counts.server_reads, "{counts:?}");
}

#[test]
fn an_error_reply_counts_as_an_answer() {
    let Some(harness) = start(FLAGS) else { return };
    let mut client = harness.client();
    client.expect("LPUSH list a", 1);
    fence(&mut client);
    let before = Counts::of(&harness);
    assert!(client.call("GET list").error().starts_with("WRONGTYPE"));
    assert!(client.call("GETRANGE list 0 1").is_error());
    assert_eq!(http::get(&harness.larder.url("/v1/keys/list"), &[]).status, 422);
    client.expect("MGET list", Reply::List(vec![Reply::Nil]));
    assert!(client.call("INCR list").is_error());
    assert!(client.pipeline(&["SET k v", "GET list"])[1].is_error());
    let counts = Counts::of(&harness).since(before);
    assert_eq!((counts.reads, counts.sent, counts.errors), (5, 5, 0), "{counts:?}");
    assert_eq!((counts.writes, counts.refused), (1, 1), "{counts:?}");
}

#[test]
fn commands_of_a_transaction_count_once_it_has_run() {
    let Some(harness) = start(FLAGS) else { return };
    let mut client = harness.client();
    let before = Counts::of(&harness);
    client.pipeline(&["MULTI", "SET k v", "GET k", "INCR k", "DISCARD"]);
    client.pipeline(&["MULTI", "SET k v", "GET", "EXEC"]);
    assert_eq!(Counts::of(&harness).since(before).writes, 0, "none has run");
    client.pipeline(&["MULTI", "SET k v", "GET k", "INCR k", "EXEC"]);
    let counts = Counts::of(&harness).since(before);
    assert_eq!((counts.reads, counts.sent, counts.errors), (1, 1, 0), "{counts:?}");
    assert_eq!((counts.writes, counts.refused, counts.failed), (1, 1, 0), "{counts:?}");
    assert_eq!(counts.server_writes, 2, "{counts:?}");
}

#[test]
fn what_an_unreachable_server_does_not_answer_counts_as_failed() {
    let harness = Harness::builder(env!("CARGO_BIN_EXE_larder")).flags(FLAGS).start();
    let Some(harness) = harness else { return };
    let before = harness.larder.stats();
    harness.redis.kill();
    eventually(LIMIT, "larder to notice", || harness.larder.stats()["coherent"] == false);
    let mut client = harness.client();
    for _ in 0..5 {
        assert!(client.call("SET k w").error().starts_with("LOADING"));
    }
    assert!(client.call("GET k").is_error());
    assert!(client.call("PUBLISH channel text").is_error());
    let key = harness.larder.url("/v1/keys/k");
    assert_eq!(http::put(&key, &[], "w").status, 503);
    assert_eq!(http::delete(&key, &[]).status, 503);
    assert_eq!(http::get(&key, &[]).status, 503);
    let after = harness.larder.stats();
    let more = |pointer: &str| {
        let count = |stats: &Value| stats.pointer(pointer).and_then(Value::as_u64).unwrap();
        count(&after) - count(&before)
    };
    assert_eq!((more("/resp/requests/error"), more("/resp/writes/error")), (1, 5), "{after}");
    assert_eq!((more("/http/requests/error"), more("/http/writes/error")), (1, 2), "{after}");
    assert_eq!((more("/resp/writes/done"), more("/http/writes/done")), (0, 0), "{after}");
}

#[test]
fn commands_in_flight_when_the_connection_ends_count_as_failed() {
    let Some(harness) = start(FLAGS) else { return };
    let mut client = harness.client();
    client.expect("SET k v", "OK");
    harness.redis.pause();
    client.send_commands(&["SET k w", "GET k", "MULTI"]);
    eventually(LIMIT, "the commands to be sent", || {
        harness.larder.count("/resp/forwarded/write") == 2
    });
    harness.redis.kill();
    assert!(client.is_closed());
    eventually(LIMIT, "the loss to be counted", || {
        harness.larder.count("/resp/writes/error") == 1
            && harness.larder.count("/resp/requests/error") == 1
    });
    assert_eq!(harness.larder.count("/resp/writes/done"), 1);
}
