//! Writes that bypass Larder invalidate the keys they change, and no others.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use larder_testkit::{RedisServer, require_redis};

use crate::http_client::{Found, HttpClient};
use crate::setup::{HttpHarness, larder, start};

const ROUNDS: u64 = 1000;
/// Maximum time from the reply to a foreign write to the last stale read,
const STALE_MAX: Duration = Duration::from_millis(50);
/// and the limit if the machine gives Larder no CPU time.
const BOUND: Duration = Duration::from_secs(1);
const PATHS: [&str; 2] = ["/get/k", "/v1/keys/k"];

/// The result that a read must have.
#[derive(Clone, Copy, Debug)]
struct Expected {
    /// The round that set the value.
    value: Option<u64>,
    /// The TTL in seconds.
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
    let connect = || HttpClient::connect(larder.port());
    let hits = thread::scope(|threads| {
        let hammer = threads.spawn(|| hammer(connect(), &oldest_allowed, &over));
        let over = SetOnDrop(&over);
        let mut follower = Follower { reader: connect(), pids: [larder.pid(), redis.pid()] };
        let mut foreign = redis.client();
        let mut expected = Expected { value: None, ttl: None };
        for round in 1..=ROUNDS {
            let command;
            (command, expected) = write(round, expected);
            let starved = starved(&follower.pids);
            command.exec(&mut foreign).unwrap();
            follower.assert_sees_write(expected, round, starved);
            oldest_allowed.store(expected.value.unwrap_or(round), SeqCst);
        }
        drop(over);
        hammer.join().unwrap()
    });
    println!("{hits} concurrent hits, {} GETs in Redis", redis.command_calls("get"));
    assert!(hits > 100, "{hits} hits");
    assert!(larder.stats()["near"]["hits"].as_u64().unwrap() > ROUNDS, "{}", larder.stats());
}

/// Returns the foreign command of this round, and the state after it.
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

/// A client that reads after each write.
struct Follower {
    reader: HttpClient,
    /// The processes that need CPU time before a write becomes visible.
    pids: [u32; 2],
}

impl Follower {
    /// Reads until the write is visible, and then until it is served from memory, so that the key
    /// is hot for the next write. `starved` is the result of [`starved`] before the write.
    fn assert_sees_write(&mut self, expected: Expected, round: u64, starved: Duration) {
        let replied = Instant::now();
        let mut reads = PATHS.iter().cycle().map(|path| self.reader.get(path));
        let is_fresh = |found: &Found| {
            let late = found.asked - replied;
            let fresh = expected.matches(found);
            if !fresh && late >= STALE_MAX {
                let excused = self::starved(&self.pids).saturating_sub(starved);
                let in_time = late < BOUND.min(STALE_MAX + excused);
                assert!(in_time, "round {round}, {late:?} late: {found:?}, {expected:?}");
            }
            fresh
        };
        reads.find(is_fresh);
        let is_hit_and_fresh = |found: &Found| {
            assert!(
                expected.matches(found),
                "round {round}, back in time: {found:?}, {expected:?}"
            );
            found.is_hit()
        };
        assert!(reads.take(100).any(|found| is_hit_and_fresh(&found)), "round {round}: no hit");
    }
}

/// Returns the total time for which the threads of these processes have waited for a CPU so far, or
/// zero if the kernel does not report it. An invalidation takes effect only after Redis and Larder
/// have run.
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

/// Sets the flag on drop: at the end of the writes, or if the test panics.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// Keeps the key hot and asserts that no replaced value comes back. Returns the number of hits.
fn hammer(mut reader: HttpClient, oldest_allowed: &AtomicU64, over: &AtomicBool) -> u64 {
    let mut hits = 0;
    while !over.load(SeqCst) {
        let oldest = oldest_allowed.load(SeqCst);
        let found = reader.get(PATHS[1]);
        let value = found.value().map(|value| value.parse::<u64>().unwrap());
        assert!(value.is_none_or(|value| value >= oldest), "{found:?} after {oldest}");
        hits += u64::from(found.is_hit());
        // Keeps the key hot, but leaves CPU time to others.
        thread::sleep(Duration::from_micros(200));
    }
    hits
}

impl Expected {
    fn matches(self, found: &Found) -> bool {
        let value = found.value().map(|body| {
            // `/get/k` returns an object, `/v1/keys/k` only the value.
            let json: serde_json::Value = serde_json::from_str(body).unwrap();
            json["value"].as_str().unwrap_or(body).parse().unwrap()
        });
        // If the key has no TTL, the near cache keeps the entry for 300 s.
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
    let (start, mut reader, mut hits, mut late) = (Instant::now(), harness.reader(), 0, 0);
    while start.elapsed() < span {
        let found = reader.get(PATHS[hits % 2]);
        if found.is_hit() {
            hits += 1;
        } else {
            // On a busy machine a heartbeat can be late.
            assert!(found.cache_status.contains("not-coherent"), "{found:?}");
            late += 1;
        }
        thread::sleep(Duration::from_millis(2));
    }
    println!("{hits} hits in {span:?}, {late} without a heartbeat");
    assert!(hits > 500 && hits > 9 * late, "{hits} hits, {late} others");
    let gets = harness.redis.command_calls("get") - gets;
    assert!(gets <= late as u64, "{gets} after {hits} hits and {late} others");
    assert!(harness.redis.command_calls("role") > beats + 6, "no heartbeats were sent");
}

#[test]
fn a_write_of_several_keys_invalidates_each_of_them() {
    let Some(harness) = start(&[]) else { return };
    let mut foreign = harness.redis.client();
    let script = "for _, key in ipairs({'a', 'b'}) do redis.call('SET', key, 'script') end";
    let mut transaction = redis::pipe();
    transaction.atomic().cmd("SET").arg("a").arg("exec").cmd("SET").arg("b").arg("exec");
    let mut is_fresh = |value: &str, write: &mut dyn FnMut(&mut redis::Connection)| {
        write(&mut foreign);
        harness.warm_up("a", value);
        harness.warm_up("b", value);
    };
    is_fresh("mset", &mut |redis| {
        redis::cmd("MSET").arg(&["a", "mset", "b", "mset"]).exec(redis).unwrap();
    });
    // The command does not name the keys.
    is_fresh("script", &mut |redis| {
        redis::cmd("EVAL").arg(script).arg(0).exec(redis).unwrap();
    });
    is_fresh("exec", &mut |redis| transaction.exec(redis).unwrap());
}
