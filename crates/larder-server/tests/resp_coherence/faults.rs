//! Faults of Redis and of the network: hits are never older than the staleness bound, and
//! everything works again afterwards.

use std::thread::sleep;
use std::time::{Duration, Instant};

use larder_testkit::Direction::{Both, ToClient, ToServer};
use larder_testkit::{ConnectionFilter, Harness, LIMIT, eventually, http};

use crate::client::{Client, Reply, encode};
use crate::setup::{ClientHarness, RedisHarness, Standalone, TRACKED, start};

const BOUND: Duration = Duration::from_secs(1);

/// Starts a harness with a hot key.
fn harness() -> Option<Harness> {
    let harness = start(&["--store-timeout", "1s"])?;
    harness.foreign_client().call("SET k old");
    harness.warm_up(&mut harness.client(), "GET k", "old");
    Some(harness)
}

/// Makes a foreign write whose invalidation may be lost, and reads until it is visible, within the
/// bound.
fn assert_follows_write(harness: &Harness, reader: &mut Client, value: &str) {
    harness.foreign_client().expect(&format!("SET k '{value}'"), "OK");
    let encode = Instant::now();
    loop {
        let asked = Instant::now();
        let found = reader.call("GET k");
        if found == value.into() {
            break;
        }
        assert!(asked < encode + BOUND, "{found:?} {:?} after {value}", asked - encode);
    }
    for _ in 0..20 {
        // And it stays visible.
        reader.expect("GET k", value);
    }
}

#[test]
fn writes_are_visible_after_the_tracked_connection_is_cut() {
    let Some(harness) = harness() else { return };
    let mut reader = harness.client();
    for round in 0..10 {
        harness.relay().cut(TRACKED);
        assert_follows_write(&harness, &mut reader, &format!("cut {round}"));
        harness.warm_up_eventually(&mut reader, "GET k", &*format!("cut {round}"));
    }
    harness.assert_coherent();
}

#[test]
fn writes_are_visible_while_the_tracked_connection_is_partitioned() {
    let Some(harness) = harness() else { return };
    let mut reader = harness.client();
    for (round, direction) in [ToClient, ToServer, Both].into_iter().enumerate() {
        harness.relay().blackhole(TRACKED, direction);
        assert_follows_write(&harness, &mut reader, &format!("swallowed {round}"));
        let hits = harness.larder.resp_hits();
        sleep(BOUND);
        for _ in 0..10 {
            reader.expect("GET k", &*format!("swallowed {round}"));
        }
        assert_eq!(harness.larder.resp_hits(), hits, "a hit was served past the bound");
        harness.relay().heal();
        harness.relay().cut(TRACKED);
        harness.assert_coherent();
        harness.warm_up_eventually(&mut reader, "GET k", &*format!("swallowed {round}"));
    }
}

#[test]
fn hits_stop_at_the_bound_while_redis_is_suspended_and_replies_arrive_when_it_resumes() {
    let Some(harness) = harness() else { return };
    let mut reader = harness.client();
    let mut foreign = harness.foreign_client();
    harness.redis.pause();
    let stopped = Instant::now();
    foreign.send_commands(&["SET k new"]);
    // Hits for at most one bound, then a read waits for Redis.
    let mut hits = 0;
    loop {
        let asked = Instant::now();
        reader.send(&encode(&["GET k"])).unwrap();
        if reader.is_silent_for(Duration::from_millis(200)) {
            break;
        }
        assert!(asked < stopped + BOUND, "a hit {:?} after the stop", asked - stopped);
        assert_eq!(reader.reply(), "old".into());
        hits += 1;
    }
    assert!(hits > 0);
    sleep(BOUND);
    harness.redis.resume();
    assert_eq!(reader.reply(), "new".into());
    harness.warm_up_eventually(&mut harness.client(), "GET k", "new");
    harness.assert_coherent();
}

#[test]
fn no_old_value_is_served_after_a_restart_without_data() {
    let Some(harness) = harness() else { return };
    let mut idle = harness.client();
    let mut with_state = harness.client();
    idle.call("PING");
    with_state.expect("SELECT 3", "OK");
    harness.redis.restart();
    assert!(with_state.is_closed());
    let restarted = Instant::now();
    let mut seen = Reply::from("old");
    while seen != Reply::Nil {
        let asked = Instant::now();
        seen = idle.call("GET k");
        let late = asked.saturating_duration_since(restarted + BOUND);
        assert!(late.is_zero() || seen == Reply::Nil, "{seen:?} {late:?} too late");
    }
    harness.warm_up(&mut idle, "GET k", Reply::Nil);
    harness.assert_coherent();
}

#[test]
fn larder_is_coherent_after_its_connections_are_killed() {
    let Some(harness) = harness() else { return };
    for round in 0..20 {
        let mut idle = harness.client();
        idle.call("PING");
        harness.redis.kill_clients();
        let mut reader = harness.client();
        assert_follows_write(&harness, &mut reader, &format!("killed {round}"));
        harness.warm_up_eventually(&mut reader, "GET k", &*format!("killed {round}"));
        // This client had no session state to lose and has been idle since.
        idle.expect("SET idle 1", "OK");
    }
    harness.assert_coherent();
}

#[test]
fn commands_fail_at_once_while_redis_is_down_and_work_again_afterwards() {
    let Some(harness) = harness() else { return };
    let larder = harness.another();
    let mut client = larder.client();
    client.expect("GET k", "old");
    harness.redis.kill();
    eventually(LIMIT, "hits to stop", || client.call("GET k").is_error());
    let start = Instant::now();
    let replies = client.pipeline(&["SET k 1", "GET k", "PING", "EVAL 'return 1' 0", "GET x"]);
    assert!(replies.iter().all(Reply::is_error), "{replies:?}");
    assert!(start.elapsed() < BOUND, "{:?}", start.elapsed());
    harness.redis.restart();
    eventually(LIMIT, "commands to work again", || client.call("SET k 2") == "OK".into());
    client.expect("GET k", "2");
    larder.warm_up(&mut client, "GET k", "2");
}

#[test]
fn a_pipeline_waits_for_a_single_connection_attempt() {
    let Some(harness) = harness() else { return };
    // A connection to another database starts with a handshake, which gets no reply.
    let larder = Standalone::start(&format!("{}/1", harness.relay().url()), &[]);
    harness.relay().ignore(true);
    harness.relay().cut(ConnectionFilter::All);
    let mut client = larder.client();
    let start = Instant::now();
    let replies = client.pipeline(&["SET k 1"; 20]);
    assert!(replies.iter().all(Reply::is_error), "{replies:?}");
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    harness.relay().ignore(false);
    eventually(LIMIT, "commands to work again", || client.call("SET k 2") == "OK".into());
    client.expect("GET k", "2");
}

#[test]
fn nothing_old_is_served_after_redis_becomes_a_replica() {
    let Some(harness) = harness() else { return };
    let mut reader = harness.client();
    // A refused write reveals the new role, on whichever connection it was sent.
    harness.foreign_client().expect("REPLICAOF 127.0.0.1 1", "OK");
    assert!(harness.client().call("SET k 1").error().starts_with("READONLY"));
    let hits = harness.larder.resp_hits();
    reader.call("GET k");
    assert_eq!(harness.larder.resp_hits(), hits);
    harness.foreign_client().expect("REPLICAOF NO ONE", "OK");
    harness.assert_coherent();
    // The same through Larder itself.
    harness.warm_up(&mut reader, "GET k", "old");
    harness.client().expect("REPLICAOF 127.0.0.1 1", "OK");
    let hits = harness.larder.resp_hits();
    reader.call("GET k");
    assert_eq!(harness.larder.resp_hits(), hits);
    harness.client().expect("REPLICAOF NO ONE", "OK");
    harness.assert_coherent();
}

#[test]
fn late_heartbeats_are_logged_once_and_so_is_their_return() {
    let Some(harness) = harness() else { return };
    // Whether hits were suspended, or served again, line by line.
    let logged = || -> Vec<bool> {
        let log = harness.larder.log();
        let lines = log
            .lines()
            .map(|line| (line.contains("no recent heartbeat"), line.contains("hits are served")));
        lines.filter(|(suspended, served)| suspended != served).map(|(it, _)| it).collect()
    };
    for round in 1..=2 {
        harness.relay().hold(TRACKED, ToClient);
        eventually(LIMIT, "hits to be suspended", || logged().last() == Some(&true));
        assert_eq!(harness.larder.stats()["coherent"], false);
        harness.relay().release(TRACKED, ToClient);
        eventually(LIMIT, "hits to be served", || logged().last() == Some(&false));
        assert!(logged().len() >= 2 * round);
    }
    for pair in logged().chunks(2) {
        assert_eq!(pair, [true, false], "each is logged once");
    }
}

#[test]
fn connections_that_keep_failing_are_replaced_ever_more_slowly() {
    let Some(harness) = harness() else { return };
    let start = Instant::now();
    for _ in 0..8 {
        let epoch = harness.larder.count("/feed/epochs");
        harness.relay().cut(TRACKED);
        harness.wait_for_epoch_after(epoch);
    }
    // Half of 25, 50, 100, 200, 400, 800, 1000 and 1000 ms; the other half is random.
    assert!(start.elapsed() > Duration::from_millis(1_787), "{:?}", start.elapsed());
}

/// Its error may say anything, and anybody may run it.
#[test]
fn the_error_of_a_script_says_nothing_about_the_server() {
    let Some(harness) = start(&[]) else { return };
    let mut client = harness.client();
    harness.warm_up(&mut client, "GET k", Reply::Nil);
    let epochs = harness.larder.count("/feed/epochs");
    for error in ["LOADING x", "READONLY x", "MASTERDOWN x", "NOAUTH made up"] {
        let script = format!("EVAL 'return redis.error_reply(\"{error}\")' 0");
        for _ in 0..5 {
            assert!(client.call(&script).error().contains(error));
            client.call("MULTI");
            client.call(&script);
            client.call("EXEC");
        }
        let ready = http::get(&harness.larder.url("/readyz"), &[]).text();
        assert!(ready.contains("\"ok\"") && !ready.contains("made up"), "{error}: {ready}");
    }
    assert_eq!(harness.larder.count("/feed/epochs"), epochs);
}
