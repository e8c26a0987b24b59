//! Order within a client's pipeline: a read sees the writes before it and none of those after it
//! (R5).

use std::thread;
use std::time::Duration;

use larder_testkit::Direction::{ToClient, ToServer};
use larder_testkit::{ConnectionFilter, LIMIT, RedisServer, eventually};

use crate::client::{Client, Reply, encode};
use crate::setup::{ClientHarness, RedisHarness, TRACKED, harness, start, start_harness};

/// Returns the number of rounds for a race that needs many attempts.
fn rounds(usual: usize, long: usize) -> usize {
    if std::env::var("LARDER_TEST_LONG").is_ok() { long } else { usual }
}

#[test]
fn get_after_set_in_one_write_returns_the_new_value() {
    let Some(harness) = start(&[]) else { return };
    let mut client = harness.client();
    let mut reader = harness.client();
    for round in 0..500 {
        let value = round.to_string();
        if round % 3 > 0 {
            // Hot for one of the connections.
            reader.call("GET k");
        }
        let replies = client.pipeline(&[&format!("SET k {value}"), "GET k", "STRLEN k"]);
        assert_eq!(replies[1], (&*value).into());
        assert_eq!(replies[2], (value.len() as i64).into());
        client.expect("GET k", &*value);
    }
}

#[test]
fn a_cold_get_before_an_incr_in_one_write_returns_the_earlier_value() {
    let Some(harness) = start(&[]) else { return };
    let rounds = rounds(2_000, 10_000);
    thread::scope(|threads| {
        for worker in 0..4 {
            let mut client = harness.client();
            threads.spawn(move || {
                for round in 0..rounds / 4 {
                    let counter = format!("counter:{worker}:{round}");
                    let (get, incr) = (format!("GET {counter}"), format!("INCR {counter}"));
                    let replies = client.pipeline(&[&get, &incr, &get, &incr]);
                    let expected = [Reply::Nil, 1.into(), "1".into(), 2.into()];
                    assert_eq!(replies, expected, "{counter}");
                    client.expect(&get, "2");
                }
            });
        }
    });
}

#[test]
fn a_hit_does_not_overtake_a_pending_write() {
    let Some(harness) = start(&[]) else { return };
    let mut client = harness.client();
    harness.foreign_client().call("SET hot old");
    harness.warm_up(&mut client, "GET hot", "old");
    client.call("PING slow");
    harness.relay().hold(ConnectionFilter::Sent("slow"), ToServer);
    client.send_commands(&["SET hot new"]);
    // Sent separately, long before the first command is answered.
    client.send_commands(&["GET hot"]);
    assert!(client.is_silent_for(Duration::from_millis(100)));
    // Another client is not delayed, and gets the current value.
    harness.client().expect("GET hot", "old");
    harness.relay().release(ConnectionFilter::Sent("slow"), ToServer);
    assert_eq!(client.reply(), "OK".into());
    assert_eq!(client.reply(), "new".into());
}

#[test]
fn a_read_on_the_clients_own_connection_is_not_followed_by_an_older_value() {
    let Some(harness) = start(&[]) else { return };
    let mut foreign = harness.foreign_client();
    // The invalidation arrives much later than the reads below take.
    harness.relay().delay(TRACKED, ToClient, Duration::from_millis(60));
    let mut other = harness.client();
    for (round, commands) in [
        &["SELECT 0", "GET k"][..],
        &["SELECT 0", "MGET k other"],
        &["SELECT 0", "STRLEN k"],
        &["PING", "DUMP k"],
        &["WATCH other", "GET k", "UNWATCH"],
        &["MULTI", "GET k", "EXEC"],
        &["EVAL_RO 'return redis.call(\"GET\", \"k\")' 0"],
        &["CLIENT REPLY ON", "GETRANGE k 0 -1"],
        &["SORT_RO k BY nosort", "SUBSTR k 0 -1"],
    ]
    .into_iter()
    .enumerate()
    {
        let (old, new) = (format!("old {round}"), format!("new {round}"));
        foreign.call(&format!("SET k '{old}'"));
        let mut client = harness.client();
        harness.warm_up_eventually(&mut client, "GET k", &*old);
        foreign.call(&format!("SET k '{new}'"));
        client.pipeline(commands);
        other.expect("GET k", &*new);
        client.expect("GET k", &*new);
    }
}

#[test]
fn a_read_after_a_miss_is_no_older_than_the_reads_before_it() {
    let Some(harness) = start(&[]) else { return };
    let mut foreign = harness.foreign_client();
    for round in 0..20 {
        let (cold, late) = (format!("cold:{round}"), format!("late:{round}"));
        foreign.pipeline(&["SET hot old", &format!("SET {late} old")]);
        let mut client = harness.client();
        harness.warm_up_eventually(&mut client, "GET hot", "old");
        // Redis executes the two misses, and its replies are delayed.
        harness.relay().hold(TRACKED, ToClient);
        client.send_commands(&[
            &format!("GET {cold}"),
            "GET hot",
            &format!("GET {late}"),
            "MGET hot",
        ]);
        eventually(LIMIT, "the reads to be in transit", || {
            harness.larder.stats()["fills_in_flight"] == 2
        });
        thread::sleep(Duration::from_millis(5));
        // A client that sees the second of these must see the first.
        foreign.call(&format!("SET {late} new"));
        foreign.call("SET hot new");
        harness.relay().release(TRACKED, ToClient);
        assert_eq!(client.reply(), Reply::Nil);
        let (hot, late) = (client.reply(), client.reply());
        if hot == "new".into() {
            assert_eq!(late, "new".into(), "round {round}");
        }
        client.reply();
    }
}

#[test]
fn errors_arrive_in_order() {
    let Some(harness) = start(&[]) else { return };
    const BROKEN: &[u8] = b"*1\r\n:x\r\n";
    for before in ["SET k 1", "GET cold", "EVAL 'return 1' 0", "NOSUCH", "GET cold"] {
        // The first time both are in one write, so the key is cold.
        let in_one = |mut client: Client| {
            client.send(&[&encode(&[before]), BROKEN].concat()).unwrap();
            client
        };
        let apart = |mut client: Client| {
            client.send_commands(&[before]);
            client.send(BROKEN).unwrap();
            client
        };
        let clients =
            [in_one(harness.client()), apart(harness.client()), apart(harness.foreign_client())];
        let [one, two, direct] = clients.map(|mut client| {
            let replies = [client.reply(), client.reply()];
            assert!(client.is_closed());
            replies
        });
        assert_eq!(one, direct, "{before}");
        assert_eq!(two, direct, "{before}");
    }
}

#[test]
fn errors_and_mode_changes_in_a_pipeline_keep_replies_in_order() {
    let Some(harness) = start(&[]) else { return };
    let mut direct = harness.foreign_client();
    let mut through = harness.client();
    direct.pipeline(&["SET s v", "HSET h f v", "CONFIG SET stop-writes-on-bgsave-error yes"]);
    let lines = [
        "GET h",
        "HGETALL h",
        "NOSUCH a b",
        "SELECT 99",
        "SET s",
        "MULTI",
        "INFO server",
        "INFO",
        "DISCARD",
        "HELLO 3 SETNAME me",
        "HGETALL h",
        "HELLO 9",
        "SELECT 1",
        "GET s",
        "SELECT 0",
        "GET s",
        "HELLO 2",
        "HGETALL h",
        "MGET s h",
        "EXEC",
        "CLIENT GETNAME",
    ];
    for _ in 0..3 {
        let (theirs, ours) = (direct.pipeline(&lines), through.pipeline(&lines));
        for ((line, theirs), ours) in lines.iter().zip(theirs).zip(ours) {
            if !line.starts_with("HELLO") {
                assert_eq!(ours, theirs, "{line}");
            }
        }
        for line in ["HGETALL h", "GET s"] {
            let expected = direct.call(line);
            harness.warm_up(&mut through, line, expected);
        }
    }
}

#[test]
fn refused_writes_in_a_pipeline_keep_replies_in_order() {
    let Some(harness) = start(&[]) else { return };
    let mut foreign = harness.foreign_client();
    foreign.call("SET k old");
    let mut client = harness.client();
    harness.warm_up(&mut client, "GET k", "old");
    // Every write is refused, as with MISCONF after a failed snapshot.
    foreign.pipeline(&["CONFIG SET min-replicas-to-write 1"]);
    let replies =
        client.pipeline(&["SET k new", "GET k", "INCR n", "PING", "MULTI", "SET k 1", "EXEC"]);
    assert!(replies[0].error().starts_with("NOREPLICAS"), "{replies:?}");
    assert_eq!(replies[1], "old".into());
    assert!(replies[2].is_error());
    assert_eq!(replies[3], "PONG".into());
    assert!(replies[6].error().starts_with("EXECABORT"), "{replies:?}");
    harness.warm_up(&mut client, "GET k", "old");
    foreign.call("CONFIG SET min-replicas-to-write 0");
    client.expect("SET k new", "OK");
    client.expect("GET k", "new");
}

#[test]
fn select_within_a_pipeline_applies_to_later_commands() {
    let Some(harness) = start(&[]) else { return };
    let mut foreign = harness.foreign_client();
    foreign.pipeline(&["SET k zero", "SELECT 5", "SET k five"]);
    let mut client = harness.client();
    for round in 0..50 {
        harness.warm_up(&mut client, "GET k", "zero");
        client.expect("SELECT 5", "OK");
        harness.warm_up(&mut client, "GET k", "five");
        let replies =
            client.pipeline(&["GET k", "SELECT 0", "GET k", "SELECT 5", "GET k", "SELECT 0"]);
        let expected = Reply::texts(["five", "OK", "zero", "OK", "five", "OK"]);
        assert_eq!(Reply::List(replies), expected, "round {round}");
    }
    // Queued, but never executed.
    client.pipeline(&["MULTI", "SELECT 5", "DISCARD"]);
    client.expect("GET k", "zero");
    client.pipeline(&["MULTI", "SELECT 5", "EXEC"]);
    client.expect("GET k", "five");
}

#[test]
fn a_hit_in_a_batch_is_no_older_than_the_reads_before_it() {
    let Some(harness) = start(&[]) else { return };
    let mut foreign = harness.foreign_client();
    foreign.call("MSET y old z old");
    for reads in [["GET x", "GET y"], ["MGET x", "STRLEN y"], ["MGET x y", "GET y"]] {
        let mut client = harness.client();
        foreign.call("MSET x old y old");
        harness.warm_up(&mut client, "GET y", "old");
        harness.warm_up(&mut client, "STRLEN y", 3);
        harness.relay().hold(TRACKED, ToServer);
        foreign.call("DEL x");
        thread::sleep(Duration::from_millis(50));
        client.send_commands(&reads);
        eventually(LIMIT, "the read of x to be sent", || {
            harness.relay().buffered_bytes(TRACKED, ToServer) > 60
        });
        foreign.call("SET y newer");
        foreign.call("SET x newer");
        harness.relay().release(TRACKED, ToServer);
        let replies = [client.reply(), client.reply()];
        let text = format!("{replies:?}");
        assert!(text.contains("newer") && !text.contains("old"), "{reads:?}: {text}");
        assert!(replies[1] == "newer".into() || replies[1] == 5.into(), "{reads:?}: {text}");
    }
}

#[test]
fn a_read_that_goes_upstream_does_not_invalidate_unchanged_entries() {
    let Some(harness) = start(&[]) else { return };
    let mut foreign = harness.foreign_client();
    foreign.pipeline(&["MSET k v other w", "HSET h f 1 g 2", "ZADD z 1.5 a 2 b"]);
    let reads =
        ["GET k", "GET none", "STRLEN k", "HGETALL h", "HGET h f", "ZRANGE z 0 -1 WITHSCORES"];
    for resp3 in [false, true] {
        let mut client = if resp3 { harness.client().resp3() } else { harness.client() };
        let replies = reads.map(|read| client.call(read));
        for (read, reply) in reads.iter().zip(&replies) {
            harness.warm_up(&mut client, read, reply.clone());
        }
        harness.warm_up(&mut client, "GET other", "w");
        for (read, reply) in reads.iter().zip(&replies) {
            let pipeline = client.pipeline(&["SELECT 0", read, "MGET k none other"]);
            assert_eq!(pipeline[1], *reply, "{read}");
        }
        let hits = harness.larder.resp_hits();
        for (read, reply) in reads.iter().zip(&replies) {
            client.expect(read, reply.clone());
        }
        client.expect("MGET k none other", Reply::List(vec!["v".into(), Reply::Nil, "w".into()]));
        assert_eq!(harness.larder.resp_hits() - hits, reads.len() as u64 + 3, "resp3: {resp3}");
    }
}

/// If one of several keys has changed, only its entry is invalidated.
#[test]
fn reading_several_keys_upstream_invalidates_only_the_changed_one() {
    let Some(harness) = start(&[]) else { return };
    let mut foreign = harness.foreign_client();
    foreign.call("MSET same v changed old");
    let mut client = harness.client();
    harness.warm_up(&mut client, "GET same", "v");
    harness.warm_up(&mut client, "GET changed", "old");
    harness.relay().delay(TRACKED, ToClient, Duration::from_millis(300));
    foreign.call("SET changed new");
    let replies = client.pipeline(&["SELECT 0", "MGET same changed"]);
    assert_eq!(replies[1], Reply::texts(["v", "new"]));
    let hits = harness.larder.resp_hits();
    client.expect("GET same", "v");
    assert_eq!(harness.larder.resp_hits() - hits, 1);
    client.expect("GET changed", "new");
}

/// A client whose database only Redis knows must not confirm entries of other databases.
#[test]
fn a_read_in_an_unknown_database_invalidates_the_key_in_all_databases() {
    let Some(harness) = start(&[]) else { return };
    let mut foreign = harness.foreign_client();
    let cases: [(&[&str], usize); 3] = [
        (&["CLIENT REPLY SKIP", "SELECT 1"], 0),
        (&["CLIENT REPLY OFF", "SELECT 1", "CLIENT REPLY ON"], 1),
        (&["MULTI", "SELECT 1", "EXEC"], 3),
    ];
    for (commands, replies) in cases {
        foreign.pipeline(&["SELECT 0", "SET k same", "SELECT 1", "SET k old"]);
        let (mut first, mut second) = (harness.client(), harness.client());
        second.expect("SELECT 1", "OK");
        harness.warm_up_eventually(&mut first, "GET k", "same");
        harness.warm_up_eventually(&mut second, "GET k", "old");
        let mut lost = harness.client();
        lost.send_commands(commands);
        (0..replies).for_each(|_| drop(lost.reply()));
        harness.relay().delay(TRACKED, ToClient, Duration::from_millis(300));
        foreign.call("SET k same");
        lost.expect("GET k", "same");
        second.expect("GET k", "same");
        harness.relay().heal();
    }
}

/// Reads within a transaction do not invalidate entries.
#[test]
fn a_key_read_in_a_transaction_stays_cached() {
    let Some(harness) = start(&[]) else { return };
    harness.foreign_client().call("SET k v");
    let mut client = harness.client();
    harness.warm_up(&mut client, "GET k", "v");
    let replies = client.pipeline(&["MULTI", "GET k", "EXEC"]);
    assert_eq!(replies[2], Reply::texts(["v"]));
    let hits = harness.larder.resp_hits();
    client.expect("GET k", "v");
    assert_eq!(harness.larder.resp_hits() - hits, 1);
}

/// A server that tracks few keys invalidates others with each key that is read.
#[test]
fn an_invalidation_within_a_pipeline_does_not_send_what_was_answered_again() {
    const KEYS: usize = 10_000;
    const TRACKED_KEYS: &str = "1500";
    let redis = RedisServer::builder().arg("--tracking-table-max-keys", TRACKED_KEYS);
    let Some(harness) = start_harness(harness().redis(redis), &[]) else { return };
    let mut client = harness.client();
    let reads: Vec<_> = (0..KEYS).map(|number| format!("GET key:{number}")).collect();
    let before = harness.redis.command_calls("get");
    for pipelined in reads.chunks(1_000) {
        // Some are in memory already, behind others that are not.
        for read in pipelined.iter().skip(1).step_by(25) {
            client.call(read);
        }
        let replies = client.pipeline(&pipelined.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(replies.iter().all(|reply| *reply == Reply::Nil));
    }
    let sent = harness.redis.command_calls("get") - before;
    // Hits that were invalidated before their turn are read again, and so is what they overtook if
    // it was invalidated as well.
    assert!(sent < KEYS as u64 * 5 / 4, "{sent} reads of {KEYS} keys");
}
