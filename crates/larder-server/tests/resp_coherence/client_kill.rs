//! A client is closed when its own connection to Redis is killed. One without state stays when Redis
//! closes the connection for another reason.

use larder_testkit::ConnectionFilter::Sent;
use larder_testkit::Direction::ToClient;
use larder_testkit::{Harness, LIMIT, eventually};

use crate::client::{Client, Reply, encode};
use crate::setup::{ClientHarness, RedisHarness, TRACKED, start};

/// Starts a harness. On a machine that is busy for a moment, an answer to a fence still counts.
fn harness() -> Option<Harness> {
    start(&["--staleness-bound", "10s"])
}

fn id(client: &mut Client) -> i64 {
    match client.call("CLIENT ID") {
        Reply::Number(id) => id,
        other => panic!("{other:?}"),
    }
}

/// Connects clients without state whose connections to Redis are open and idle.
fn idle_clients(harness: &Harness) -> Vec<Client> {
    let lines: [&[&str]; 4] = [
        &["PING"],
        &["SET k 1", "GET k"],
        &["EVAL 'return 1' 0"],
        &["CLIENT ID", "CLIENT SETNAME worker"],
    ];
    let open = |lines: &&[&str]| {
        let mut client = harness.client();
        client.pipeline(lines);
        client
    };
    lines.iter().map(open).collect()
}

/// Waits until Larder has noticed that all connections of its clients have ended.
fn wait_for_no_upstream(harness: &Harness) {
    eventually(LIMIT, "larder to notice", || {
        harness.larder.count("/resp/upstream_connections") == 0
    });
}

fn assert_served(clients: &mut [Client]) {
    for client in clients {
        client.expect("PING", "PONG");
        client.expect("SET k 2", "OK");
        client.expect("GET k", "2");
    }
}

#[test]
fn a_client_that_another_kills_is_closed_whatever_it_did() {
    let Some(harness) = harness() else { return };
    harness.foreign_client().call("SET k old");
    let mut admin = harness.client();
    for round in 0..20 {
        let mut idle = harness.client();
        let n = id(&mut idle);
        harness.warm_up(&mut idle, "GET k", "old");
        admin.expect(&format!("CLIENT KILL ID {n}"), 1);
        assert!(idle.is_closed(), "round {round}");
        admin.expect(&format!("CLIENT KILL ID {n}"), 0);
    }
    let mut blocked = harness.client();
    let n = id(&mut blocked);
    blocked.send_commands(&["BLPOP never 0"]);
    eventually(LIMIT, "redis to block the client", || {
        harness.redis.info("clients", "blocked_clients").as_deref() == Some("1")
    });
    admin.expect(&format!("CLIENT KILL ID {n}"), 1);
    assert!(blocked.is_closed());
    admin.expect("PING", "PONG");
    harness.assert_coherent();
}

#[test]
fn a_command_after_a_kill_is_not_answered() {
    let Some(harness) = harness() else { return };
    let mut admin = harness.client();
    for round in 0..20 {
        let mut idle = harness.client();
        let n = id(&mut idle);
        let fences = harness.larder.count("/resp/fences");
        admin.expect(&format!("CLIENT KILL ID {n}"), 1);
        assert!(harness.larder.count("/resp/fences") > fences, "the end is not waited for");
        // It may be refused already.
        idle.send(&encode(&["INCR never"])).ok();
        assert!(idle.is_closed(), "round {round}");
    }
    admin.expect("EXISTS never", 0);
}

#[test]
fn a_client_that_kills_itself_gets_the_reply_and_is_closed() {
    let Some(harness) = harness() else { return };
    let mut client = harness.client();
    let n = id(&mut client);
    client.expect(&format!("CLIENT KILL ID {n} SKIPME no"), 1);
    assert!(client.is_closed());
}

#[test]
fn an_operator_of_redis_kills_clients_of_larder() {
    let Some(harness) = harness() else { return };
    let mut operator = harness.foreign_client();
    let mut by_id = harness.client();
    let n = id(&mut by_id);
    operator.expect(&format!("CLIENT KILL ID {n}"), 1);
    assert!(by_id.is_closed());
    for form in ["CLIENT KILL ADDR", "CLIENT KILL"] {
        let mut by_addr = harness.client();
        let n = id(&mut by_addr);
        let Reply::Text(list) = operator.call(&format!("CLIENT LIST ID {n}")) else { panic!() };
        let addr = list.split(' ').find_map(|field| field.strip_prefix("addr=")).unwrap();
        let killed = operator.call(&format!("{form} {addr}"));
        assert!([Reply::Number(1), Reply::from("OK")].contains(&killed), "{form}: {killed:?}");
        assert!(by_addr.is_closed(), "{form}");
    }
    // Where Redis does not tell its timeout, the connection must have been used lately.
    operator.expect("CONFIG SET timeout 100", "OK");
    for lines in [&["PING"][..], &["ACL SETUSER default -config"]] {
        operator.pipeline(lines);
        let mut client = harness.client();
        let n = id(&mut client);
        operator.expect(&format!("CLIENT KILL ID {n}"), 1);
        assert!(client.is_closed(), "{lines:?}");
    }
}

#[test]
fn clients_without_state_stay_when_all_connections_to_redis_end() {
    let Some(harness) = harness() else { return };
    let mut idle = idle_clients(&harness);
    harness.redis.restart();
    wait_for_no_upstream(&harness);
    assert_served(&mut idle);
    let mut operator = harness.foreign_client();
    let laddr = format!("CLIENT KILL LADDR 127.0.0.1:{} SKIPME yes", harness.redis.port());
    for kill in ["CLIENT KILL TYPE normal SKIPME yes", &laddr, "CLIENT KILL USER default"] {
        operator.call(kill);
        wait_for_no_upstream(&harness);
        assert_served(&mut idle);
        harness.assert_coherent();
    }
}

#[test]
fn clients_without_state_stay_when_all_are_killed_through_larder() {
    let Some(harness) = harness() else { return };
    let mut idle = idle_clients(&harness);
    let mut admin = harness.client();
    assert!(admin.call("CLIENT KILL TYPE normal").number() > 4);
    eventually(LIMIT, "larder to notice", || {
        harness.larder.count("/resp/upstream_connections") == 1
    });
    assert_served(&mut idle);
    harness.assert_coherent();
}

#[test]
fn clients_without_state_stay_when_redis_closes_connections_that_are_idle() {
    // Heartbeats are sent more often than once a second: the tracking connection is not idle.
    let Some(harness) = start(&[]) else { return };
    let mut idle = idle_clients(&harness);
    harness.foreign_client().expect("CONFIG SET timeout 1", "OK");
    for _ in 0..2 {
        wait_for_no_upstream(&harness);
        assert_served(&mut idle);
    }
    harness.assert_coherent();
}

#[test]
fn a_client_is_closed_when_its_connection_alone_is_cut() {
    let Some(harness) = harness() else { return };
    let mut idle = idle_clients(&harness);
    harness.relay().cut(Sent("worker"));
    let mut cut = idle.pop().unwrap();
    assert!(cut.is_closed());
    assert_served(&mut idle);
}

#[test]
fn a_client_without_state_stays_when_its_connection_ends_after_the_tracked_one() {
    let Some(harness) = harness() else { return };
    let mut idle = idle_clients(&harness);
    let epoch = harness.larder.count("/feed/epochs");
    harness.relay().cut(TRACKED);
    harness.wait_for_epoch_after(epoch);
    // As if Larder noticed this end of a restart of Redis late.
    harness.relay().cut(Sent("worker"));
    let open = idle.len() as u64 - 1;
    eventually(LIMIT, "larder to notice", || {
        harness.larder.count("/resp/upstream_connections") == open
    });
    assert_served(&mut idle);
}

#[test]
fn a_kill_is_noticed_although_the_command_connection_is_lost_meanwhile() {
    let commands = Sent("larder-commands");
    let Some(harness) = harness() else { return };
    let mut client = harness.client();
    let n = id(&mut client);
    harness.relay().hold(commands, ToClient);
    let questions = harness.redis.command_calls("config|get");
    harness.foreign_client().expect(&format!("CLIENT KILL ID {n}"), 1);
    let asked = || harness.redis.command_calls("config|get") > questions;
    eventually(LIMIT, "larder to ask for the timeout", asked);
    harness.relay().cut(commands);
    harness.relay().release(commands, ToClient);
    assert!(client.is_closed());
}
