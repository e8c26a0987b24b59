//! Reads that stand behind unanswered commands: they are answered from memory, or fetched over the
//! tracked connection, unless an earlier command touches their key. Replies stay in order.

use larder_testkit::Direction::{ToClient, ToServer};
use larder_testkit::{ConnectionFilter, Harness, LIMIT, eventually};
use std::time::Duration;

use crate::client::{Client, Reply};
use crate::setup::{ClientHarness, RedisHarness, TRACKED, start};

/// The upstream connection of the client that [`slow`] returns.
const SLOW: ConnectionFilter = ConnectionFilter::Sent("slow");

/// Returns a client whose upstream connection is open, and can be held.
fn slow(harness: &Harness) -> Client {
    let mut client = harness.client();
    client.call("PING slow");
    client
}

#[test]
fn a_hit_behind_a_write_of_another_key_waits_for_its_turn_but_not_for_redis() {
    let Some(harness) = start(&[]) else { return };
    harness.foreign_client().pipeline(&["SET hot v", "HSET h f v"]);
    let mut client = slow(&harness);
    harness.warm_up(&mut client, "GET hot", "v");
    harness.warm_up(&mut client, "HGET h f", "v");
    let hits = harness.larder.resp_hits();
    harness.relay().hold(SLOW, ToServer);
    client.send_commands(&["SET other 1", "GET hot", "PING", "HGET h f", "MGET hot", "INCR n"]);
    eventually(LIMIT, "the reads to be answered", || harness.larder.resp_hits() == hits + 3);
    // In another write, and still behind the first one.
    client.send_commands(&["GET hot"]);
    eventually(LIMIT, "the read to be answered", || harness.larder.resp_hits() == hits + 4);
    assert!(client.is_silent_for(Duration::from_millis(50)));
    harness.relay().release(SLOW, ToServer);
    let expected =
        ["OK".into(), "v".into(), "PONG".into(), "v".into(), Reply::texts(["v"]), 1.into()];
    for expected in expected.into_iter().chain(["v".into()]) {
        assert_eq!(client.reply(), expected);
    }
}

/// The write has invalidated the key when it was sent, but another client has cached it again.
#[test]
fn a_read_behind_a_write_of_its_key_is_not_served_from_memory() {
    let Some(harness) = start(&[]) else { return };
    harness.foreign_client().call("SET hot old");
    let mut client = slow(&harness);
    harness.relay().hold(SLOW, ToServer);
    client.send_commands(&["SET hot new"]);
    harness.warm_up(&mut harness.client(), "GET hot", "old");
    client.send_commands(&["GET hot", "MGET other hot"]);
    assert!(client.is_silent_for(Duration::from_millis(20)));
    harness.relay().release(SLOW, ToServer);
    assert_eq!(client.reply(), "OK".into());
    assert_eq!(client.reply(), "new".into());
    assert_eq!(client.reply(), Reply::List(vec![Reply::Nil, "new".into()]));
}

#[test]
fn a_miss_behind_a_write_of_another_key_is_cached() {
    let Some(harness) = start(&[]) else { return };
    harness.foreign_client().pipeline(&["MSET a 1 b 2 c 3", "RPUSH list x"]);
    let mut client = harness.client();
    let reads = ["GET a", "STRLEN a", "MGET b c", "GET none", "GET list"];
    let mut lines = vec!["SET other 1"];
    lines.extend(reads);
    lines.extend(["INCR n", "GET a"]);
    let replies = client.pipeline(&lines);
    let expected = [
        "OK".into(),
        "1".into(),
        1.into(),
        Reply::texts(["2", "3"]),
        Reply::Nil,
        replies[5].clone(),
        1.into(),
        "1".into(),
    ];
    assert_eq!(replies, expected);
    assert!(replies[5].error().starts_with("WRONGTYPE"), "{replies:?}");
    let (hits, gets) = (harness.larder.resp_hits(), harness.redis.command_calls("get"));
    assert_eq!(client.pipeline(&lines[..5])[1..], expected[1..5]);
    assert_eq!((harness.larder.resp_hits(), harness.redis.command_calls("get")), (hits + 5, gets));
}

#[test]
fn a_read_behind_a_command_that_may_touch_any_key_goes_upstream() {
    let Some(harness) = start(&[]) else { return };
    let mut foreign = harness.foreign_client();
    for (line, is_error) in [
        ("EVAL 'return redis.call(\"SET\", \"hot\", \"new\")' 0", false),
        ("NOSUCH hot new", true),
        ("SELECT 1", false),
        ("FLUSHALL", false),
        ("SWAPDB 0 1", false),
        ("HELLO 2", false),
        ("CLIENT TRACKING ON", false),
    ] {
        foreign.pipeline(&["FLUSHALL", "SET hot old", "SELECT 1", "SET hot 'in db 1'", "SELECT 0"]);
        let mut client = slow(&harness);
        harness.warm_up_eventually(&mut client, "GET hot", "old");
        let hits = harness.larder.resp_hits();
        harness.relay().hold(SLOW, ToServer);
        client.send_commands(&[line]);
        client.send_commands(&["GET hot", "MGET hot"]);
        assert!(client.is_silent_for(Duration::from_millis(20)));
        harness.relay().release(SLOW, ToServer);
        assert_eq!(client.reply().is_error(), is_error, "{line}");
        let expected = match line.split(' ').next() {
            Some("EVAL") => "new".into(),
            Some("SELECT" | "SWAPDB") => "in db 1".into(),
            Some("FLUSHALL") => Reply::Nil,
            _ => "old".into(),
        };
        assert_eq!(client.reply(), expected, "{line}");
        assert_eq!(client.reply(), Reply::List(vec![expected]), "{line}");
        assert_eq!(harness.larder.resp_hits(), hits, "{line}");
    }
}

#[test]
fn a_read_in_a_transaction_or_under_a_watch_goes_upstream() {
    let Some(harness) = start(&[]) else { return };
    harness.foreign_client().call("SET hot v");
    let mut client = slow(&harness);
    harness.warm_up(&mut client, "GET hot", "v");
    let hits = harness.larder.resp_hits();
    harness.relay().hold(SLOW, ToServer);
    client.send_commands(&["MULTI", "SET other 1"]);
    client.send_commands(&["GET hot"]);
    client.send_commands(&["EXEC", "WATCH hot", "GET hot"]);
    harness.relay().release(SLOW, ToServer);
    let results = Reply::List(vec!["OK".into(), "v".into()]);
    for expected in
        ["OK".into(), "QUEUED".into(), "QUEUED".into(), results, "OK".into(), "v".into()]
    {
        assert_eq!(client.reply(), expected);
    }
    // The replies to MULTI and WATCH have arrived.
    client.expect("GET hot", "v");
    client.expect("UNWATCH", "OK");
    client.expect("MULTI", "OK");
    client.expect("GET hot", "QUEUED");
    client.expect("DISCARD", "OK");
    assert_eq!(harness.larder.resp_hits(), hits);
    client.expect("GET hot", "v");
    assert_eq!(harness.larder.resp_hits(), hits + 1);
}

#[test]
fn a_read_behind_a_command_that_waits_for_other_clients_sees_what_they_wrote() {
    let Some(harness) = start(&[]) else { return };
    let mut foreign = harness.foreign_client();
    foreign.call("SET hot old");
    let mut client = slow(&harness);
    harness.warm_up(&mut client, "GET hot", "old");
    client.send_commands(&["BLPOP queue 0", "GET hot"]);
    eventually(LIMIT, "the client to be blocked", || {
        harness.redis.info("clients", "blocked_clients").as_deref() == Some("1")
    });
    foreign.pipeline(&["SET hot new", "RPUSH queue x"]);
    assert_eq!(client.reply(), Reply::texts(["queue", "x"]));
    assert_eq!(client.reply(), "new".into());
}

#[test]
fn a_write_waits_for_the_fetch_of_its_key() {
    let Some(harness) = start(&[]) else { return };
    let mut foreign = harness.foreign_client();
    for (round, write) in
        ["SET KEY new", "MSET other 1 KEY new", "EVAL 'return redis.call(\"SET\", \"KEY\", 1)' 0"]
            .into_iter()
            .enumerate()
    {
        let key = format!("key:{round}");
        foreign.call(&format!("SET {key} old"));
        let mut client = slow(&harness);
        harness.relay().hold(TRACKED, ToServer);
        let (get, write) = (format!("GET {key}"), write.replace("KEY", &key));
        client.send_commands(&["SET before 1", &get, &write, &get]);
        assert_eq!(client.reply(), "OK".into());
        assert!(client.is_silent_for(Duration::from_millis(50)));
        foreign.expect(&get, "old");
        harness.relay().release(TRACKED, ToServer);
        assert_eq!(client.reply(), "old".into(), "{write}");
        assert!(!client.reply().is_error(), "{write}");
        let new = foreign.call(&get);
        assert_eq!(client.reply(), new, "{write}");
    }
}

/// The entry of one read of a key must not be served behind the fetch of another.
#[test]
fn two_reads_of_a_key_that_is_being_fetched_do_not_go_back_in_time() {
    let Some(harness) = start(&[]) else { return };
    let mut foreign = harness.foreign_client();
    for round in 0..3 {
        foreign.call("DEL k");
        let mut client = harness.client();
        foreign.call("SET k old");
        harness.warm_up_eventually(&mut client, "STRLEN k", 3);
        harness.relay().hold(TRACKED, ToServer);
        client.send_commands(&["SET other 1", "GET k", "STRLEN k", "MGET k", "GET k"]);
        assert_eq!(client.reply(), "OK".into());
        eventually(LIMIT, "the read to be sent", || {
            harness.relay().buffered_bytes(TRACKED, ToServer) > 20
        });
        foreign.call("SET k newer");
        harness.relay().release(TRACKED, ToServer);
        let expected = ["newer".into(), 5.into(), Reply::texts(["newer"]), "newer".into()];
        for expected in expected {
            assert_eq!(client.reply(), expected, "round {round}");
        }
    }
}

#[test]
fn reads_whose_fetch_is_lost_are_answered_in_order() {
    let Some(harness) = start(&[]) else { return };
    harness.foreign_client().pipeline(&["MSET a 1 b 2"]);
    let mut client = slow(&harness);
    for _ in 0..5 {
        harness.larder.wait_until_coherent();
        harness.foreign_client().pipeline(&["MSET a 1 b 2"]);
        harness.relay().hold(TRACKED, ToClient);
        client.send_commands(&["SET other 1", "GET a", "GET b", "INCR n", "GET a", "STRLEN a"]);
        assert_eq!(client.reply(), "OK".into());
        harness.relay().cut(TRACKED);
        harness.relay().release(TRACKED, ToClient);
        let replies: Vec<_> = (0..5).map(|_| client.reply()).collect();
        assert_eq!(replies[..2], ["1".into(), "2".into()]);
        assert!(matches!(replies[2], Reply::Number(_)), "{replies:?}");
        assert_eq!(replies[3..], ["1".into(), 1.into()]);
    }
}

#[test]
fn a_hit_behind_a_write_that_is_lost_is_not_delivered() {
    let Some(harness) = start(&[]) else { return };
    harness.foreign_client().call("SET hot v");
    let mut client = slow(&harness);
    harness.warm_up(&mut client, "GET hot", "v");
    let hits = harness.larder.resp_hits();
    harness.relay().hold(SLOW, ToServer);
    client.send_commands(&["SET other 1", "GET hot"]);
    eventually(LIMIT, "the read to be answered", || harness.larder.resp_hits() == hits + 1);
    harness.relay().cut(SLOW);
    assert!(client.is_closed());
}

/// Replies that are ready count towards what may wait for one client.
#[test]
fn a_client_behind_a_slow_write_cannot_pile_up_replies() {
    let Some(harness) = start(&["--io-threads", "1"]) else { return };
    let value = "v".repeat(100_000);
    harness.foreign_client().call(&format!("SET hot {value}"));
    let mut client = slow(&harness);
    harness.warm_up(&mut client, "GET hot", &*value);
    let hits = harness.larder.resp_hits();
    harness.relay().hold(SLOW, ToServer);
    let mut lines = vec!["SET other 1"];
    lines.extend(vec!["GET hot"; 2_000]);
    client.send_commands(&lines);
    eventually(LIMIT, "the first reads to be answered", || harness.larder.resp_hits() > hits + 9);
    std::thread::sleep(Duration::from_millis(100));
    let answered = harness.larder.resp_hits() - hits;
    assert!(answered < 50, "{answered} replies of 100 kB wait");
    harness.relay().release(SLOW, ToServer);
    assert_eq!(client.reply(), "OK".into());
    for _ in 0..2_000 {
        assert_eq!(client.reply(), (&*value).into());
    }
}
