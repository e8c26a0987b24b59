//! Transactions, watches and other state that only Redis tracks: it applies from the next command
//! on, however many commands come in one write (R5).

use std::time::Duration;

use larder_testkit::Direction::ToClient;
use larder_testkit::{ConnectionFilter, LIMIT, eventually};

use crate::client::{Client, Reply};
use crate::setup::{ClientHarness, RedisHarness, TRACKED, start};

const QUEUED: &str = "QUEUED";

/// Commands that start a transaction in different ways. The last write is followed by `GET hot`.
const STARTED: [&[&[&str]]; 7] = [
    &[&["MULTI"]],
    &[&["MULTI", "SET x 1", "EXEC", "MULTI"]],
    &[&["MULTI", "SET x 1", "DISCARD", "MULTI"]],
    &[&["EXEC", "MULTI"]],
    &[&["MULTI", "NOSUCH", "EXEC", "MULTI"]],
    &[&["MULTI"], &["MULTI", "DISCARD", "MULTI"]],
    &[&["WATCH hot", "MULTI", "UNWATCH", "EXEC", "MULTI"]],
];

#[test]
fn a_read_within_a_transaction_is_queued() {
    let Some(harness) = start(&[]) else { return };
    harness.foreign_client().call("SET hot value");
    harness.warm_up(&mut harness.client(), "GET hot", "value");
    for writes in STARTED {
        let mut apart = harness.client();
        let mut in_one = harness.client();
        let (last, before) = writes.split_last().unwrap();
        for write in before {
            apart.pipeline(write);
            in_one.pipeline(write);
        }
        apart.pipeline(last);
        apart.expect("GET hot", QUEUED);
        let mut last = last.to_vec();
        last.push("GET hot");
        assert_eq!(in_one.pipeline(&last).pop(), Some(QUEUED.into()), "{last:?}");
        for client in [&mut apart, &mut in_one] {
            client.expect("EXEC", Reply::texts(["value"]));
            // And only until the transaction ends.
            harness.warm_up(client, "GET hot", "value");
        }
    }
}

/// Commands that follow after `GET k` returned `old`, for each way to watch.
const WATCHES: [&[&str]; 6] = [
    &["WATCH k"],
    &["WATCH other", "UNWATCH", "WATCH k"],
    &["MULTI", "EXEC", "WATCH k"],
    &["MULTI", "DISCARD", "WATCH k"],
    &["WATCH other", "MULTI", "EXEC", "WATCH k"],
    &["EXEC", "WATCH k other"],
];

#[test]
fn a_read_under_a_watch_is_no_older_than_the_watch() {
    let Some(harness) = start(&[]) else { return };
    let mut foreign = harness.foreign_client();
    for round in 0..60 {
        let (old, new) = (format!("old {round}"), format!("new {round}"));
        foreign.call(&format!("SET k '{old}'"));
        let mut client = harness.client();
        harness.warm_up_eventually(&mut client, "GET k", &*old);
        let watch = WATCHES[round % WATCHES.len()];
        // The watched value must not come from memory, where it may be older.
        let gets = harness.redis.command_calls("get");
        let read = if round % 2 == 0 {
            client.pipeline(watch);
            client.call("GET k")
        } else {
            let mut lines = watch.to_vec();
            lines.push("GET k");
            client.pipeline(&lines).pop().unwrap()
        };
        assert_eq!(read, (&*old).into(), "{watch:?}");
        assert_eq!(harness.redis.command_calls("get"), gets + 1, "{watch:?}");

        foreign.call(&format!("SET k '{new}'"));
        let replies = client.pipeline(&["MULTI", "SET k mine", "EXEC"]);
        assert_eq!(replies.last(), Some(&Reply::Nil), "{watch:?}");
        client.expect("GET k", &*new);
    }
}

#[test]
fn hits_resume_after_unwatch() {
    let Some(harness) = start(&[]) else { return };
    harness.foreign_client().call("SET hot value");
    let mut client = harness.client();
    harness.warm_up(&mut client, "GET hot", "value");
    for lines in [&["WATCH hot", "UNWATCH"][..], &["WATCH hot", "MULTI", "UNWATCH", "EXEC"]] {
        client.pipeline(lines);
        harness.warm_up(&mut client, "GET hot", "value");
    }
}

#[test]
fn a_transaction_is_visible_as_soon_as_it_is_answered() {
    let Some(harness) = start(&[]) else { return };
    // The invalidation arrives too late for an immediate read.
    harness.relay().delay(TRACKED, ToClient, Duration::from_millis(20));
    let (mut client, mut reader) = (harness.client(), harness.client());
    client.expect("SET k 0", "OK");
    for round in 1..20 {
        let (old, new) = ((round - 1).to_string(), round.to_string());
        let set = format!("SET k {new}");
        client.pipeline(&["MULTI", &set, "INCR count"]);
        // Until EXEC the old value is current and may be cached.
        harness.warm_up(&mut reader, "GET k", &*old);
        assert!(!client.call("EXEC").is_error());
        reader.expect("GET k", &*new);
        client.expect("GET k", &*new);
    }
}

#[test]
fn swapdb_within_a_transaction_clears_the_cache_each_time() {
    let Some(harness) = start(&[]) else { return };
    let mut foreign = harness.foreign_client();
    foreign.pipeline(&["SET k zero", "SELECT 1", "SET k one", "SELECT 0"]);
    let mut client = harness.client();
    let mut reader = harness.client();
    for round in 0..20 {
        harness.warm_up(&mut reader, "GET k", "zero");
        // The second transaction is pending when the first is answered.
        let swap = ["MULTI", "SWAPDB 0 1", "EXEC"];
        if round % 2 == 0 {
            client.pipeline(&swap);
            reader.expect("GET k", "one");
            client.pipeline(&swap);
        } else {
            client.pipeline(&[&swap[..], &swap[..], &swap[..]].concat());
            reader.expect("GET k", "one");
            client.pipeline(&swap);
        }
        reader.expect("GET k", "zero");
    }
}

#[test]
fn a_swapdb_whose_reply_is_lost_clears_the_cache() {
    let Some(harness) = start(&[]) else { return };
    harness.foreign_client().pipeline(&["SET k zero", "SELECT 1", "SET k one"]);
    let mut reader = harness.client();
    for (lines, expected) in [
        (&["PING swapper", "SWAPDB 0 1"][..], "one"),
        (&["PING swapper", "MULTI", "SWAPDB 0 1", "EXEC"], "zero"),
    ] {
        let before = if expected == "one" { "zero" } else { "one" };
        harness.warm_up(&mut reader, "GET k", before);
        let swaps = harness.redis.command_calls("swapdb");
        let mut client = harness.client();
        client.call("PING swapper");
        let swapper = ConnectionFilter::Sent("swapper");
        harness.relay().hold(swapper, ToClient);
        client.send_commands(lines);
        eventually(LIMIT, "redis to swap", || harness.redis.command_calls("swapdb") > swaps);
        harness.relay().cut(swapper);
        assert!(client.is_closed());
        reader.expect("GET k", expected);
        harness.relay().release(swapper, ToClient);
    }
}

#[test]
fn nothing_is_served_from_memory_with_replies_off() {
    let Some(harness) = start(&[]) else { return };
    for round in 0..100 {
        let mut client = harness.client();
        let key = format!("k{round}");
        let (get, set) = (format!("GET {key}"), format!("SET {key} new"));
        if round % 2 == 0 {
            harness.warm_up(&mut client, &get, Reply::Nil);
        }
        let lines: &[&str] = match round % 4 {
            0 | 1 => &["CLIENT REPLY SKIP", &set, &get],
            2 => &["CLIENT REPLY SKIP", "CLIENT REPLY SKIP", &set, &get],
            _ => &["CLIENT REPLY OFF", &set, "CLIENT REPLY ON", &get],
        };
        client.send_commands(lines);
        if lines.contains(&"CLIENT REPLY ON") {
            assert_eq!(client.reply(), "OK".into());
        }
        assert_eq!(client.reply(), "new".into(), "{lines:?}");
        client.expect("PING", "PONG");
        client.expect("QUIT", "OK");
    }
}

#[test]
fn pushes_keep_replies_in_order() {
    let Some(harness) = start(&[]) else { return };
    let mut foreign = harness.foreign_client();
    foreign.pipeline(&["DEL looks-alike", "RPUSH looks-alike message a b"]);
    for mut client in [harness.client(), harness.client().resp3()] {
        assert_works_after_subscribing(&mut client, &mut foreign);
        // A miscounted reply would make this wait forever.
        client.expect("QUIT", "OK");
        assert!(client.is_closed());
    }
}

fn assert_works_after_subscribing(client: &mut Client, foreign: &mut Client) {
    client.send_commands(&["SET before 1", "SUBSCRIBE a b", "PING"]);
    assert_eq!(client.reply(), "OK".into());
    for (at, channel) in ["a", "b"].into_iter().enumerate() {
        expect_items(client.reply(), &["subscribe".into(), channel.into(), (at as i64 + 1).into()]);
    }
    let pong = client.reply();
    assert!(pong == "PONG".into() || pong == Reply::texts(["pong", ""]), "{pong:?}");
    foreign.expect("PUBLISH a hello", 1);
    expect_items(client.reply(), &["message".into(), "a".into(), "hello".into()]);
    // Unsubscribes from more channels than are subscribed, so that the last replies come when none
    // is left.
    client.send_commands(&["UNSUBSCRIBE a b c d", "LRANGE looks-alike 0 -1", "EVAL 'return 1' 0"]);
    for (channel, left) in [("a", 1), ("b", 0), ("c", 0), ("d", 0)] {
        expect_items(client.reply(), &["unsubscribe".into(), channel.into(), left.into()]);
    }
    assert_eq!(client.reply(), Reply::texts(["message", "a", "b"]));
    assert_eq!(client.reply(), 1.into());
    // An error replaces the first frame.
    client.send_commands(&["SUBSCRIBE", "PSUBSCRIBE x*", "PUNSUBSCRIBE", "PING"]);
    assert!(client.reply().is_error());
    expect_items(client.reply(), &["psubscribe".into(), "x*".into(), 1.into()]);
    expect_items(client.reply(), &["punsubscribe".into(), "x*".into(), 0.into()]);
    assert_eq!(client.reply(), "PONG".into());
    // Queued, not executed.
    client.send_commands(&["MULTI", "SUBSCRIBE a", "DISCARD", "PING"]);
    let replies: Vec<_> = (0..4).map(|_| client.reply()).collect();
    assert_eq!(Reply::List(replies), Reply::texts(["OK", QUEUED, "OK", "PONG"]));
}

fn expect_items(reply: Reply, expected: &[Reply]) {
    match reply {
        Reply::List(items) | Reply::Push(items) => assert_eq!(items, expected),
        other => panic!("{other:?}, not {expected:?}"),
    }
}
