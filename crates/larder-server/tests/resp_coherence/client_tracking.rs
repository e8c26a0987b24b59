//! Clients that use CLIENT TRACKING themselves: they receive invalidations through Larder, and
//! their reads reach Redis, so that it tracks them.

use crate::client::{Client, Reply};
use crate::setup::{ClientHarness, RedisHarness, start};

fn invalidation(key: &str) -> Reply {
    Reply::Push(vec!["invalidate".into(), Reply::texts([key])])
}

#[test]
fn a_tracking_client_receives_every_invalidation() {
    let Some(harness) = start(&[]) else { return };
    let mut foreign = harness.foreign_client();
    foreign.call("SET k 0");
    let mut client = harness.client().resp3();
    harness.warm_up(&mut client, "GET k", "0");
    client.expect("CLIENT TRACKING ON", "OK");
    for round in 1..100 {
        // Cached by Larder for others, but read from Redis for this client: otherwise Redis would
        // not track it.
        client.expect("GET k", &*(round - 1).to_string());
        let value = round.to_string();
        match round % 3 {
            0 => harness.client().expect(&format!("SET k {value}"), "OK"),
            1 => foreign.expect(&format!("SET k {value}"), "OK"),
            _ => client.send_commands(&[&format!("SET k {value}")]),
        }
        let mut heard = client.reply();
        if round % 3 == 2 {
            // Redis sends the writer its own invalidation before or after the reply.
            let (first, second) = (heard, client.reply());
            let told = first == invalidation("k");
            assert_eq!(if told { second } else { first.clone() }, "OK".into());
            heard = if told { first } else { invalidation("k") };
        }
        assert_eq!(heard, invalidation("k"), "round {round}");
    }
    foreign.call("FLUSHALL");
    assert_eq!(client.reply(), Reply::Push(vec!["invalidate".into(), Reply::Nil]));
}

#[test]
fn other_modes_of_tracking_work() {
    let Some(harness) = start(&[]) else { return };
    let mut foreign = harness.foreign_client();
    let mut by_prefix = harness.client().resp3();
    by_prefix.expect("CLIENT TRACKING ON BCAST PREFIX user:", "OK");
    foreign.pipeline(&["SET other:1 a", "SET user:1 a"]);
    assert_eq!(by_prefix.reply(), invalidation("user:1"));

    let mut opting = harness.client().resp3();
    opting.expect("CLIENT TRACKING ON OPTIN", "OK");
    opting.pipeline(&["GET not-asked", "CLIENT CACHING YES", "GET asked"]);
    foreign.pipeline(&["SET not-asked 1", "SET asked 1"]);
    assert_eq!(opting.reply(), invalidation("asked"));

    // RESP2: invalidations arrive on another connection, identified by its id.
    let mut listener = harness.client();
    let id = listener.call("CLIENT ID").number();
    listener.send_commands(&["SUBSCRIBE __redis__:invalidate"]);
    listener.reply();
    let mut redirected: Client = harness.client();
    redirected.expect(&format!("CLIENT TRACKING ON REDIRECT {id}"), "OK");
    redirected.expect("GET user:1", "a");
    foreign.call("SET user:1 b");
    let message = ["message".into(), "__redis__:invalidate".into(), Reply::texts(["user:1"])];
    assert_eq!(listener.reply(), Reply::List(message.to_vec()));
}
