//! Redis changes its role, closes its clients, restarts or is suspended. Larder is coherent after
//! each of these, without a restart.

use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use larder_testkit::{Harness, LIMIT, RedisServer, eventually};

use crate::setup::{HttpHarness, path, start};

const BOUND: Duration = Duration::from_secs(1);

fn harness() -> Option<Harness> {
    let harness = start(&["--store-timeout", "1s"])?;
    harness.foreign(&["SET", "k", "old"]);
    harness.warm_up("k", "old");
    Some(harness)
}

#[test]
fn no_hit_is_served_while_redis_is_a_replica() {
    let Some(harness) = harness() else { return };
    let primary = RedisServer::builder().arg("--repl-diskless-sync-delay", "0").start();
    primary.cmd(&["SET", "k", "of the primary"]);

    harness.foreign(&["REPLICAOF", "127.0.0.1", &primary.port().to_string()]);
    let changed_role = Instant::now();
    let mut reader = harness.reader();
    eventually(LIMIT, "the primary's data to be read", || {
        let found = reader.get(&path("k"));
        let is_late = found.asked >= changed_role + BOUND;
        assert!(!is_late || !found.is_hit(), "{found:?}");
        // While Redis loads the primary's data it returns errors.
        is_late && found.status == 200 && found.body == "of the primary"
    });
    eventually(LIMIT, "health to report the reason", || {
        harness.larder.stats()["feed"]["state"] == "pass-through"
    });
    let why = harness.larder.stats()["feed"]["reason"].to_string();
    assert!(why.contains("slave"), "{why}");
    assert_eq!(harness.put("k", "to a replica"), 503);
    primary.cmd(&["SET", "k", "replicated"]);
    eventually(LIMIT, "a replicated write to be read", || {
        reader.get(&path("k")).value() == Some("replicated")
    });

    harness.foreign(&["REPLICAOF", "NO", "ONE"]);
    harness.warm_up("k", "replicated");
    harness.assert_coherent();
}

#[test]
fn larder_is_coherent_after_its_connections_are_killed() {
    let Some(harness) = harness() else { return };
    let mut reader = harness.reader();
    for round in 0..20 {
        let (value, epoch) = (round.to_string(), harness.larder.count("/feed/epochs"));
        assert!(harness.redis.kill_clients() >= 1);
        harness.foreign(&["SET", "k", &value]);
        // The key is not read in between, so that the next read would find any entry left from the
        // old epoch.
        harness.wait_for_epoch_after(epoch);
        assert_eq!(reader.get(&path("k")).value(), Some(&*value));
        harness.warm_up("k", &value);
    }
    harness.assert_coherent();
}

#[test]
fn no_hit_is_served_while_redis_is_down_and_no_old_value_after_a_restart() {
    let Some(harness) = harness() else { return };
    let epoch = harness.larder.count("/feed/epochs");
    harness.redis.kill();
    let mut reader = harness.reader();
    eventually(LIMIT, "the outage to be noticed", || reader.get(&path("k")).status == 503);
    for _ in 0..100 {
        assert_eq!(reader.get(&path("k")).status, 503);
    }
    harness.redis.restart();
    harness.wait_for_epoch_after(epoch);
    assert_eq!(harness.reader().get(&path("k")).value(), None);
    harness.assert_coherent();
}

#[test]
fn hits_stop_at_the_bound_while_redis_is_suspended_and_resume_afterwards() {
    for stopped_for in [Duration::from_secs(2), Duration::from_secs(6)] {
        let Some(harness) = harness() else { return };
        suspend_redis(&harness, stopped_for);
        harness.warm_up("k", "written while stopped");
        harness.assert_coherent();
    }
}

/// Suspends Redis with a foreign write in its socket, and resumes it.
fn suspend_redis(harness: &Harness, span: Duration) {
    let mut foreign = harness.redis.client();
    harness.redis.pause();
    let stopped = Instant::now();
    thread::scope(|threads| {
        threads.spawn(|| {
            let write = redis::cmd("SET").arg(&["k", "written while stopped"]).exec(&mut foreign);
            write.unwrap();
        });
        let (mut reader, mut hits, mut refusals) = (harness.reader(), 0, 0);
        while stopped.elapsed() < span {
            let found = reader.get(&path("k"));
            assert!(!found.is_hit() || found.asked < stopped + BOUND, "{found:?}");
            match found.is_hit() {
                true => hits += 1,
                false => refusals += 1,
            }
            sleep(Duration::from_millis(1));
        }
        assert!(hits > 0 && refusals > 0, "{hits} hits, {refusals} refusals");
        harness.redis.resume();
    });
}
