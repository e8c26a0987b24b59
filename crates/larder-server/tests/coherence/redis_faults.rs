//! Redis changes its role, cuts its clients, restarts or stops: Larder is coherent after each, and
//! was not restarted.

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
fn after_replicaof_nothing_comes_from_memory_until_the_server_is_a_primary_again() {
    let Some(harness) = harness() else { return };
    let primary = RedisServer::builder().arg("--repl-diskless-sync-delay", "0").start();
    primary.cmd(&["SET", "k", "of the primary"]);

    harness.foreign(&["REPLICAOF", "127.0.0.1", &primary.port().to_string()]);
    let turned = Instant::now();
    let mut reader = harness.reader();
    eventually(LIMIT, "the primary's data to be read", || {
        let found = reader.get(&path("k"));
        let is_late = found.asked >= turned + BOUND;
        assert!(!is_late || !found.is_hit(), "{found:?}");
        // While it loads the primary's data it answers errors.
        is_late && found.status == 200 && found.body == "of the primary"
    });
    eventually(LIMIT, "health to say why", || {
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
fn after_its_connections_are_killed() {
    let Some(harness) = harness() else { return };
    let mut reader = harness.reader();
    for round in 0..20 {
        let (value, epoch) = (round.to_string(), harness.larder.count("/feed/epochs"));
        assert!(harness.redis.kill_clients() >= 1);
        harness.foreign(&["SET", "k", &value]);
        // Unread meanwhile: whatever is left of the epoch that ended is there to be found.
        harness.wait_for_epoch_after(epoch);
        assert_eq!(reader.get(&path("k")).value(), Some(&*value));
        harness.warm_up("k", &value);
    }
    harness.assert_coherent();
}

#[test]
fn while_redis_is_gone_nothing_comes_from_memory_and_after_a_restart_nothing_old_does() {
    let Some(harness) = harness() else { return };
    let epoch = harness.larder.count("/feed/epochs");
    harness.redis.kill();
    let mut reader = harness.reader();
    eventually(LIMIT, "the loss to be seen", || reader.get(&path("k")).status == 503);
    for _ in 0..100 {
        assert_eq!(reader.get(&path("k")).status, 503);
    }
    harness.redis.restart();
    harness.wait_for_epoch_after(epoch);
    assert_eq!(harness.reader().get(&path("k")).value(), None);
    harness.assert_coherent();
}

#[test]
fn while_redis_is_stopped_hits_end_at_the_bound_and_come_back_after() {
    for stopped_for in [Duration::from_secs(2), Duration::from_secs(6)] {
        let Some(harness) = harness() else { return };
        stop(&harness, stopped_for);
        harness.warm_up("k", "written while stopped");
        harness.assert_coherent();
    }
}

/// Stops Redis, with a foreign write in its socket, and wakes it.
fn stop(harness: &Harness, span: Duration) {
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
