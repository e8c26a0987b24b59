//! The road to Redis breaks in every way, or Redis does: what is served from memory is never older
//! than the bound, and afterwards everything is as before.

use std::thread::sleep;
use std::time::{Duration, Instant};

use larder_testkit::Direction::{Both, ToClient, ToServer};
use larder_testkit::{Which, eventually};

use crate::client::{Answer, Client, written};
use crate::stand::{Door, LIMIT, Stand, TRACKED};

const BOUND: Duration = Duration::from_secs(1);

/// A stand with a hot key.
fn stand() -> Option<Stand> {
    let stand = Stand::start(&["--store-timeout", "1s"])?;
    stand.foreign().call("SET k old");
    stand.heat(&mut stand.client(), "GET k", "old");
    Some(stand)
}

/// A foreign write that the feed may not tell, and reads until it shows: no later than the bound.
fn follows(stand: &Stand, reader: &mut Client, value: &str) {
    stand.foreign().expect(&format!("SET k '{value}'"), "OK");
    let written = Instant::now();
    loop {
        let asked = Instant::now();
        let found = reader.call("GET k");
        if found == value.into() {
            break;
        }
        assert!(asked < written + BOUND, "{found:?} {:?} after {value}", asked - written);
    }
    for _ in 0..20 {
        // And does not go back.
        reader.expect("GET k", value);
    }
}

#[test]
fn when_the_feed_is_cut() {
    let Some(stand) = stand() else { return };
    let mut reader = stand.client();
    for round in 0..30 {
        stand.relay.cut(TRACKED);
        follows(&stand, &mut reader, &format!("cut {round}"));
        stand.door.heat_soon(&mut reader, "GET k", &*format!("cut {round}"));
    }
    stand.proves_coherent();
}

#[test]
fn when_the_feed_is_swallowed() {
    let Some(stand) = stand() else { return };
    let mut reader = stand.client();
    for (round, direction) in [ToClient, ToServer, Both].into_iter().enumerate() {
        stand.relay.blackhole(TRACKED, direction);
        follows(&stand, &mut reader, &format!("swallowed {round}"));
        let hits = stand.door.hits();
        sleep(BOUND);
        for _ in 0..10 {
            reader.expect("GET k", &*format!("swallowed {round}"));
        }
        assert_eq!(stand.door.hits(), hits, "nothing is served past the bound");
        stand.relay.heal();
        stand.relay.cut(TRACKED);
        stand.proves_coherent();
        stand.door.heat_soon(&mut reader, "GET k", &*format!("swallowed {round}"));
    }
}

#[test]
fn while_redis_is_stopped_hits_end_at_the_bound_and_replies_come_when_it_goes_on() {
    let Some(stand) = stand() else { return };
    let mut reader = stand.client();
    let mut foreign = stand.foreign();
    stand.redis.pause();
    let stopped = Instant::now();
    foreign.ask(&["SET k new"]);
    // Hits for at most one bound; then a read waits for Redis.
    let mut hits = 0;
    loop {
        let asked = Instant::now();
        reader.send(&written(&["GET k"])).unwrap();
        if reader.is_silent_for(Duration::from_millis(200)) {
            break;
        }
        assert!(asked < stopped + BOUND, "a hit {:?} after the stop", asked - stopped);
        assert_eq!(reader.answer(), "old".into());
        hits += 1;
    }
    assert!(hits > 0);
    sleep(BOUND);
    stand.redis.resume();
    assert_eq!(reader.answer(), "new".into());
    stand.door.heat_soon(&mut stand.client(), "GET k", "new");
    stand.proves_coherent();
}

#[test]
fn after_a_restart_that_lost_everything() {
    let Some(stand) = stand() else { return };
    let mut idle = stand.client();
    let mut with_state = stand.client();
    idle.call("PING");
    with_state.expect("SELECT 3", "OK");
    stand.redis.restart();
    assert!(with_state.is_closed());
    let restarted = Instant::now();
    let mut seen = Answer::from("old");
    while seen != Answer::Nil {
        let asked = Instant::now();
        seen = idle.call("GET k");
        let late = asked.saturating_duration_since(restarted + BOUND);
        assert!(late.is_zero() || seen == Answer::Nil, "{seen:?} {late:?} too late");
    }
    stand.heat(&mut idle, "GET k", Answer::Nil);
    stand.proves_coherent();
}

#[test]
fn after_all_of_larders_connections_are_killed() {
    let Some(stand) = stand() else { return };
    for round in 0..20 {
        let mut idle = stand.client();
        idle.call("PING");
        stand.redis.kill_clients();
        let mut reader = stand.client();
        follows(&stand, &mut reader, &format!("killed {round}"));
        stand.door.heat_soon(&mut reader, "GET k", &*format!("killed {round}"));
        // It had nothing to lose, and that is long ago.
        idle.expect("SET idle 1", "OK");
    }
    stand.proves_coherent();
}

#[test]
fn while_redis_is_gone_commands_are_refused_at_once_and_work_again_after() {
    let Some(stand) = stand() else { return };
    let door = stand.another();
    let mut client = door.client();
    client.expect("GET k", "old");
    stand.redis.kill();
    eventually(LIMIT, "hits to end", || client.call("GET k").is_error());
    let start = Instant::now();
    let answers = client.pipeline(&["SET k 1", "GET k", "PING", "EVAL 'return 1' 0", "GET x"]);
    assert!(answers.iter().all(Answer::is_error), "{answers:?}");
    assert!(start.elapsed() < BOUND, "{:?}", start.elapsed());
    stand.redis.restart();
    eventually(LIMIT, "commands to work again", || client.call("SET k 2") == "OK".into());
    client.expect("GET k", "2");
    door.heat(&mut client, "GET k", "2");
}

#[test]
fn a_pipeline_waits_for_one_attempt_to_reach_redis_and_not_for_one_each() {
    let Some(stand) = stand() else { return };
    // A road to another db begins with a question, to which there is no answer.
    let door = Door::open(&format!("{}/1", stand.relay.url()), &[]);
    stand.relay.ignore(true);
    stand.relay.cut(Which::All);
    let mut client = door.client();
    let start = Instant::now();
    let answers = client.pipeline(&["SET k 1"; 20]);
    assert!(answers.iter().all(Answer::is_error), "{answers:?}");
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    stand.relay.ignore(false);
    eventually(LIMIT, "commands to work again", || client.call("SET k 2") == "OK".into());
    client.expect("GET k", "2");
}

#[test]
fn when_redis_becomes_a_replica_nothing_old_is_served() {
    let Some(stand) = stand() else { return };
    let mut reader = stand.client();
    // A write that is refused shows it, on whatever road it came.
    stand.foreign().expect("REPLICAOF 127.0.0.1 1", "OK");
    assert!(stand.client().call("SET k 1").error().starts_with("READONLY"));
    let hits = stand.door.hits();
    reader.call("GET k");
    assert_eq!(stand.door.hits(), hits);
    stand.foreign().expect("REPLICAOF NO ONE", "OK");
    stand.proves_coherent();
    // And through Larder itself.
    stand.heat(&mut reader, "GET k", "old");
    stand.client().expect("REPLICAOF 127.0.0.1 1", "OK");
    let hits = stand.door.hits();
    reader.call("GET k");
    assert_eq!(stand.door.hits(), hits);
    stand.client().expect("REPLICAOF NO ONE", "OK");
    stand.proves_coherent();
}
