//! Redis changes its role, cuts its clients, restarts or stops: Larder is coherent after each, and
//! was not restarted.

use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use larder_testkit::{RedisServer, eventually};

use crate::stand::{LIMIT, Stand, path};

const BOUND: Duration = Duration::from_secs(1);

fn stand() -> Option<Stand> {
    let stand = Stand::start(&["--store-timeout", "1s"])?;
    stand.foreign(&["SET", "k", "old"]);
    stand.heat("k", "old");
    Some(stand)
}

#[test]
fn after_replicaof_nothing_comes_from_memory_until_the_server_is_a_primary_again() {
    let Some(stand) = stand() else { return };
    let primary = RedisServer::builder().arg("--repl-diskless-sync-delay", "0").start();
    primary.cmd(&["SET", "k", "of the primary"]);

    stand.foreign(&["REPLICAOF", "127.0.0.1", &primary.port().to_string()]);
    let turned = Instant::now();
    let mut reader = stand.reader();
    eventually(LIMIT, "the primary's data to be read", || {
        let found = reader.get(&path("k"));
        let is_late = found.asked >= turned + BOUND;
        assert!(!is_late || !found.is_hit(), "{found:?}");
        // While it loads the primary's data it answers errors.
        is_late && found.status == 200 && found.body == "of the primary"
    });
    eventually(LIMIT, "health to say why", || stand.stats()["feed"]["link"] == "pass-through");
    let why = stand.stats()["feed"]["why"].to_string();
    assert!(why.contains("slave"), "{why}");
    assert_eq!(stand.put("k", "to a replica"), 503);
    primary.cmd(&["SET", "k", "replicated"]);
    eventually(LIMIT, "a replicated write to be read", || {
        reader.get(&path("k")).value() == Some("replicated")
    });

    stand.foreign(&["REPLICAOF", "NO", "ONE"]);
    stand.heat("k", "replicated");
    stand.proves_coherent();
}

#[test]
fn after_its_connections_are_killed() {
    let Some(stand) = stand() else { return };
    let mut reader = stand.reader();
    for round in 0..20 {
        let (value, epoch) = (round.to_string(), stand.count("/feed/epochs"));
        assert!(stand.redis.kill_clients() >= 1);
        stand.foreign(&["SET", "k", &value]);
        // Unread meanwhile: whatever is left of the epoch that ended is there to be found.
        stand.is_coherent_in_an_epoch_after(epoch);
        assert_eq!(reader.get(&path("k")).value(), Some(&*value));
        stand.heat("k", &value);
    }
    stand.proves_coherent();
}

#[test]
fn while_redis_is_gone_nothing_comes_from_memory_and_after_a_restart_nothing_old_does() {
    let Some(stand) = stand() else { return };
    let epoch = stand.count("/feed/epochs");
    stand.redis.kill();
    let mut reader = stand.reader();
    eventually(LIMIT, "the loss to be seen", || reader.get(&path("k")).status == 503);
    for _ in 0..100 {
        assert_eq!(reader.get(&path("k")).status, 503);
    }
    stand.redis.restart();
    stand.is_coherent_in_an_epoch_after(epoch);
    assert_eq!(stand.reader().get(&path("k")).value(), None);
    stand.proves_coherent();
}

#[test]
fn while_redis_is_stopped_hits_end_at_the_bound_and_come_back_after() {
    for stopped_for in [Duration::from_secs(2), Duration::from_secs(6)] {
        let Some(stand) = stand() else { return };
        stop(&stand, stopped_for);
        stand.heat("k", "written while stopped");
        stand.proves_coherent();
    }
}

/// Stops Redis, with a foreign write in its socket, and wakes it.
fn stop(stand: &Stand, span: Duration) {
    let mut foreign = stand.redis.client();
    stand.redis.pause();
    let stopped = Instant::now();
    thread::scope(|threads| {
        threads.spawn(|| {
            let write = redis::cmd("SET").arg(&["k", "written while stopped"]).exec(&mut foreign);
            write.unwrap();
        });
        let (mut reader, mut hits, mut refusals) = (stand.reader(), 0, 0);
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
        stand.redis.resume();
    });
}
