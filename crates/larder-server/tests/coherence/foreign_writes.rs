//! Writes made past Larder: its memory follows them, and only them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use larder_testkit::{RedisServer, require_redis};

use crate::http_client::{Found, Reader};
use crate::setup::{HttpHarness, larder, start};

const ROUNDS: u64 = 1000;
/// From the reply of a foreign write to the last read that may miss it,
const STALE_MAX: Duration = Duration::from_millis(50);
/// and on a machine that has no time for Larder.
const BOUND: Duration = Duration::from_secs(1);
const PATHS: [&str; 2] = ["/get/k", "/v1/keys/k"];

/// What a read must find.
#[derive(Clone, Copy, Debug)]
struct Expected {
    /// The round in which the value was set.
    value: Option<u64>,
    /// In seconds.
    ttl: Option<u64>,
}

#[test]
fn no_read_is_stale_50_ms_after_a_foreign_write() {
    if !require_redis() {
        return;
    }
    let redis = RedisServer::start();
    let larder = larder(&redis.url()).start();
    larder.wait_until_coherent();
    let (oldest_allowed, over) = (AtomicU64::new(0), AtomicBool::new(false));
    let connect = || Reader::connect(larder.port());
    let hits = thread::scope(|threads| {
        let hammer = threads.spawn(|| hammer(connect(), &oldest_allowed, &over));
        let over = WhenOver(&over);
        let mut follower = Follower { reader: connect(), pids: [larder.pid(), redis.pid()] };
        let mut foreign = redis.client();
        let mut expected = Expected { value: None, ttl: None };
        for round in 1..=ROUNDS {
            let command;
            (command, expected) = write(round, expected);
            let starved = starved(&follower.pids);
            command.exec(&mut foreign).unwrap();
            follower.sees(expected, round, starved);
            oldest_allowed.store(expected.value.unwrap_or(round), SeqCst);
        }
        drop(over);
        hammer.join().unwrap()
    });
    println!("{hits} hits beside, {} GETs in Redis", redis.command_calls("get"));
    assert!(hits > 100, "{hits} hits");
    assert!(larder.stats()["near"]["hits"].as_u64().unwrap() > ROUNDS, "{}", larder.stats());
}

/// What somebody else does in this round, and what is true then.
fn write(round: u64, before: Expected) -> (redis::Cmd, Expected) {
    let gone = Expected { value: None, ttl: None };
    let (words, expected) = match round % 10 {
        2 => ("EXPIRE k 100", Expected { ttl: Some(100), ..before }),
        3 => ("PERSIST k", Expected { ttl: None, ..before }),
        4 => ("DEL k", gone),
        6 => ("PEXPIRE k 1", gone),
        8 => ("FLUSHALL", gone),
        0 => ("FLUSHDB", gone),
        _ => ("SET k", Expected { value: Some(round), ttl: None }),
    };
    let mut command = redis::Cmd::new();
    command.arg(words.split(' ').collect::<Vec<_>>());
    if words == "SET k" {
        command.arg(round);
    }
    (command, expected)
}

/// Reads after each write.
struct Follower {
    reader: Reader,
    /// Who must have their turn before a write shows.
    pids: [u32; 2],
}

impl Follower {
    /// Reads until the write shows, and then until it shows from memory, so that the next one finds
    /// the key hot. `starved` is what [`starved`] said before the write.
    fn sees(&mut self, expected: Expected, round: u64, starved: Duration) {
        let replied = Instant::now();
        let mut reads = PATHS.iter().cycle().map(|path| self.reader.get(path));
        let shows = |found: &Found| {
            let late = found.asked - replied;
            let fresh = expected.admits(found);
            if !fresh && late >= STALE_MAX {
                let excused = self::starved(&self.pids).saturating_sub(starved);
                let in_time = late < BOUND.min(STALE_MAX + excused);
                assert!(in_time, "round {round}, {late:?} late: {found:?}, {expected:?}");
            }
            fresh
        };
        reads.find(shows);
        let stays = |found: &Found| {
            assert!(expected.admits(found), "round {round}, back in time: {found:?}, {expected:?}");
            found.is_hit()
        };
        assert!(reads.take(100).any(|found| stays(&found)), "round {round}: no hit");
    }
}

/// How long the threads of these processes have waited for a processor so far, all added up; zero
/// where the kernel does not tell. A push cannot show before Redis and Larder have had their turn.
fn starved(pids: &[u32]) -> Duration {
    let waited = |pid: &u32| {
        let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten();
        let stats = threads.filter_map(|thread| {
            let stat = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            stat.split(' ').nth(1)?.parse::<u64>().ok()
        });
        stats.sum::<u64>()
    };
    Duration::from_nanos(pids.iter().map(waited).sum())
}

/// Says so when the writes are over, or the test is.
struct WhenOver<'a>(&'a AtomicBool);

impl Drop for WhenOver<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// Keeps the key hot, and sees that no value comes back that was replaced. Gives the number of hits.
fn hammer(mut reader: Reader, oldest_allowed: &AtomicU64, over: &AtomicBool) -> u64 {
    let mut hits = 0;
    while !over.load(SeqCst) {
        let oldest = oldest_allowed.load(SeqCst);
        let found = reader.get(PATHS[1]);
        let value = found.value().map(|value| value.parse::<u64>().unwrap());
        assert!(value.is_none_or(|value| value >= oldest), "{found:?} after {oldest}");
        hits += u64::from(found.is_hit());
        // Hot, and yet the machine has time for others.
        thread::sleep(Duration::from_micros(200));
    }
    hits
}

impl Expected {
    fn admits(self, found: &Found) -> bool {
        let value = found.value().map(|body| {
            // `/get/k` answers an object, `/v1/keys/k` the value alone.
            let json: serde_json::Value = serde_json::from_str(body).unwrap();
            json["value"].as_str().unwrap_or(body).parse().unwrap()
        });
        // Without a time to live of the key's own the near tier keeps an entry for 300 s.
        let ttl = match self.ttl {
            Some(seconds) => 0..=seconds,
            None => 101..=300,
        };
        value == self.value && found.hit_ttl().is_none_or(|left| ttl.contains(&left))
    }
}

#[test]
fn with_a_healthy_feed_hits_never_reach_redis() {
    let Some(harness) = start(&[]) else { return };
    let span = match std::env::var("LARDER_TEST_LONG") {
        Ok(_) => Duration::from_secs(30),
        Err(_) => BOUND * 6,
    };
    assert_eq!(harness.put("k", "v"), 204);
    harness.warm_up("k", "v");
    let (gets, beats) = (harness.redis.command_calls("get"), harness.redis.command_calls("role"));
    let (start, mut reader, mut hits) = (Instant::now(), harness.reader(), 0);
    while start.elapsed() < span {
        let found = reader.get(PATHS[hits % 2]);
        assert!(found.is_hit(), "{found:?}");
        hits += 1;
        thread::sleep(Duration::from_millis(2));
    }
    println!("{hits} hits in {span:?}");
    assert!(hits > 500, "{hits} hits");
    assert_eq!(harness.redis.command_calls("get"), gets, "after {hits} hits");
    assert!(harness.redis.command_calls("role") > beats + 6, "the feed is asked for signs of life");
}

#[test]
fn writes_of_several_keys_at_once_show_in_each() {
    let Some(harness) = start(&[]) else { return };
    let mut foreign = harness.redis.client();
    let script = "for _, key in ipairs({'a', 'b'}) do redis.call('SET', key, 'script') end";
    let mut transaction = redis::pipe();
    transaction.atomic().cmd("SET").arg("a").arg("exec").cmd("SET").arg("b").arg("exec");
    let mut shows = |value: &str, write: &mut dyn FnMut(&mut redis::Connection)| {
        write(&mut foreign);
        harness.warm_up("a", value);
        harness.warm_up("b", value);
    };
    shows("mset", &mut |redis| {
        redis::cmd("MSET").arg(&["a", "mset", "b", "mset"]).exec(redis).unwrap();
    });
    // Keys that the command does not name.
    shows("script", &mut |redis| {
        redis::cmd("EVAL").arg(script).arg(0).exec(redis).unwrap();
    });
    shows("exec", &mut |redis| transaction.exec(redis).unwrap());
}
