//! State of a disconnected client never leaks into later clients.

use larder_testkit::{LIMIT, eventually};

use crate::setup::{ClientHarness, RedisHarness, start};

const NEXT: usize = 200;

/// The state of clients when they disconnect.
const SESSIONS: [&[&str]; 9] = [
    &["MULTI", "SET k queued"],
    &["WATCH k"],
    &["SUBSCRIBE channel"],
    &["PSUBSCRIBE *"],
    &["SELECT 5"],
    &["HELLO 3", "CLIENT TRACKING ON BCAST"],
    &["CLIENT REPLY OFF"],
    &["MONITOR"],
    &["CLIENT SETNAME closed", "BLPOP never 0"],
];

#[test]
fn new_clients_start_with_fresh_sessions() {
    let Some(harness) = start(&[]) else { return };
    let mut foreign = harness.foreign_client();
    foreign.pipeline(&["SET k zero", "SELECT 5", "SET k five", "SELECT 0"]);
    for round in 0..NEXT {
        let mut dying = harness.client();
        dying.send_commands(SESSIONS[round % SESSIONS.len()]);
        if round % 2 == 0 && !SESSIONS[round % SESSIONS.len()].contains(&"CLIENT REPLY OFF") {
            dying.reply();
        }
        drop(dying);

        let mut next = harness.client();
        next.expect("GET k", "zero");
        next.expect("EXISTS only-here", 0);
        let of_itself = next.call("CLIENT INFO");
        let crate::client::Reply::Text(of_itself) = of_itself else { panic!("{of_itself:?}") };
        for fact in ["db=0 ", "multi=-1 ", " sub=0 ", " psub=0 ", "resp=2", "name= ", "flags=N "] {
            assert!(of_itself.contains(fact), "no {fact} in {of_itself}");
        }
        assert!(next.call("EXEC").error().contains("without MULTI"));
        foreign.pipeline(&["PUBLISH channel x", "SET unrelated 1"]);
        next.expect("PING", "PONG");
    }
    // And their connections are closed.
    eventually(LIMIT, "all upstream connections to be closed", || {
        harness.larder.count("/resp/upstream_connections") == 0
    });
    eventually(LIMIT, "redis to see them closed", || {
        let clients = foreign.call("CLIENT LIST");
        matches!(clients, crate::client::Reply::Text(list) if list.lines().count() <= 4)
    });
}

#[test]
fn reset_clears_the_session() {
    let Some(harness) = start(&[]) else { return };
    harness.foreign_client().call("SET k zero");
    for begun in SESSIONS {
        if begun.iter().any(|line| line.starts_with("BLPOP")) {
            continue;
        }
        let mut client = harness.client();
        client.send_commands(begun);
        client.send_commands(&["RESET"]);
        let reset = std::iter::from_fn(|| Some(client.reply()))
            .take(20)
            .any(|reply| reply == "RESET".into());
        assert!(reset, "{begun:?}");
        client.expect("GET k", "zero");
        assert!(client.call("EXEC").error().contains("without MULTI"));
        harness.warm_up(&mut client, "GET k", "zero");
    }
}
