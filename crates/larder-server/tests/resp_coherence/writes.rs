//! Every kind of write through Larder is visible to the next read through it, and to others as soon
//! as its invalidation arrives.
//!
//! Invalidations are delayed here: what is visible at once is visible because Larder knew of the
//! write itself (R3, R4).

use std::time::{Duration, Instant};

use larder_testkit::Direction::{ToClient, ToServer};
use larder_testkit::{ConnectionFilter, Harness, LIMIT, eventually};

use crate::client::{Client, Reply};
use crate::setup::{ClientHarness, RedisHarness, TRACKED, start};

const DELAY: Duration = Duration::from_millis(15);

/// The data before each write.
const SETUP: &[&str] = &[
    "FLUSHALL",
    "SET k old",
    "SET other else",
    "SET n 7",
    "RPUSH list c a b",
    "SADD set a b",
    "SADD set2 b",
    "ZADD zset 1 a 2 b",
    "HSET hash f v g w",
    "SELECT 1",
    "SET k in-db-1",
    "SELECT 0",
];

/// Reads that are served from memory before each write, and must equal those of Redis after it.
const READS: &[&str] = &[
    "GET k",
    "GET other",
    "GET n",
    "STRLEN k",
    "EXISTS k",
    "TYPE k",
    "EXISTS absent",
    "LRANGE list 0 -1",
    "LLEN list",
    "SMEMBERS set",
    "SISMEMBER set a",
    "ZRANGE zset 0 -1",
    "ZSCORE zset a",
    "HGETALL hash",
    "HGET hash f",
    "HMGET hash f g x",
];

/// Writes: one or several commands in one write to the socket.
const WRITES: &[&[&str]] = &[
    &["SET k new"],
    &["SET absent there"],
    &["SET k new NX"],
    &["DEL k other absent"],
    &["UNLINK k"],
    &["EXPIRE k 0"],
    &["PEXPIREAT k 1"],
    &["GETDEL k"],
    &["GETSET k new"],
    &["GETEX k PXAT 1"],
    &["APPEND k more"],
    &["SETRANGE k 1 xxx"],
    &["INCRBY n 5"],
    &["SETBIT k 1 1"],
    &["MSET k 1 other 2"],
    &["MSETNX absent 1 absent2 2"],
    &["RENAME other k"],
    &["RENAME k absent"],
    &["RENAMENX k absent"],
    &["COPY other k REPLACE"],
    &["COPY k absent"],
    &["MOVE n 1"],
    &["SORT list ALPHA STORE list"],
    &["SORT list ALPHA STORE absent"],
    &["LPUSH list z"],
    &["LMOVE list absent LEFT RIGHT"],
    &["LPOP list"],
    &["BLPOP empty list 0"],
    &["SMOVE set set2 a"],
    &["SINTERSTORE set set set2"],
    &["SPOP set 2"],
    &["ZADD zset 9 a"],
    &["ZRANGESTORE zset zset 0 0"],
    &["ZUNIONSTORE absent 2 zset set"],
    &["ZMPOP 2 nothing zset MIN"],
    &["HSET hash f new"],
    &["HDEL hash f g"],
    &["HINCRBY hash n 1"],
    &["BITOP NOT k other"],
    &["PFADD absent a"],
    &["XADD absent * f v"],
    &["GEOADD absent 1 1 a"],
    &["GEORADIUS absent 1 1 9 km STORE k"],
    &["FLUSHDB"],
    &["FLUSHALL ASYNC"],
    &["SWAPDB 0 1"],
    &["SET list string"],
    &["DEL hash", "RPUSH hash a list now"],
    &["MULTI", "SET k new", "DEL other", "EXEC"],
    &["MULTI", "SET k new", "NOSUCH", "EXEC", "SET other new"],
    &["EVAL 'redis.call(\"SET\", \"k\", \"new\") redis.call(\"DEL\", \"hash\")' 0"],
    &["EVAL 'redis.call(\"SET\", \"k\", \"new\") error(\"and failed\")' 0"],
    &["EVALSHA 0000000000000000000000000000000000000000 0", "SET k new"],
    &[
        "FUNCTION LOAD REPLACE '#!lua name=lib\nredis.register_function(\"fn\", function() \
       redis.call(\"SET\", \"k\", \"new\") end)'",
        "FCALL fn 0",
    ],
    &["CLIENT REPLY ON", "SET k new"],
    &["SELECT 1", "MOVE k 0", "SELECT 0", "DEL k", "SELECT 1", "MOVE k 0", "SELECT 0"],
    &["DEBUG FLUSHALL"],
];

#[test]
fn the_next_read_sees_every_kind_of_write_before_its_invalidation() {
    let Some(harness) = start(&[]) else { return };
    harness.relay().delay(TRACKED, ToClient, DELAY);
    let mut truth = harness.foreign_client();
    for (at, write) in WRITES.iter().enumerate() {
        truth.pipeline(SETUP);
        let mut writer = client(&harness, at);
        let mut reader = client(&harness, at / 2);
        warm_up_all(&harness, &mut reader, &mut truth);
        let replies = writer.pipeline(write);
        assert!(!replies.is_empty());
        // Before any invalidation can have arrived.
        let (own, others) = (writer.pipeline(READS), reader.pipeline(READS));
        let expected = truth.pipeline(READS);
        assert_eq!(plain(own), plain(expected.clone()), "{write:?}");
        assert_eq!(plain(others), plain(expected), "{write:?}, read by another client");
    }
}

#[test]
fn the_reply_to_a_write_invalidates_what_was_cached_while_it_was_pending() {
    let Some(harness) = start(&[]) else { return };
    let (mut writer, mut reader) = (harness.client(), harness.client());
    writer.call("ECHO writer");
    let upstream = ConnectionFilter::Sent("writer");
    harness.relay().delay(TRACKED, ToClient, DELAY);
    writer.expect("SET k 0", "OK");
    for round in 1..20 {
        let hits = harness.larder.resp_hits();
        let (old, new) = ((round - 1).to_string(), round.to_string());
        let forms: &[&str] = match round % 4 {
            0 => &["SET k {}", "PING"],
            1 => &["EVAL 'redis.call(\"SET\", \"k\", \"{}\")' 0"],
            2 => &["MULTI", "SET k {}", "EXEC"],
            _ => &["INCR k", "NOSUCH"],
        };
        let lines: Vec<_> = forms.iter().map(|line| line.replace("{}", &new)).collect();
        harness.relay().hold(upstream, ToServer);
        writer.send_commands(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        eventually(LIMIT, "the write to be sent", || {
            harness.relay().buffered_bytes(upstream, ToServer) > 0
        });
        // From Redis, as sending the write invalidated it; then from memory.
        reader.expect("GET k", &*old);
        reader.expect("GET k", &*old);
        assert!(harness.larder.resp_hits() > hits, "{lines:?}: not cached");
        harness.relay().release(upstream, ToServer);
        for _ in &lines {
            writer.reply();
        }
        reader.expect("GET k", &*new);
        writer.expect("GET k", &*new);
    }
}

#[test]
fn restore_is_visible_at_once() {
    let Some(harness) = start(&[]) else { return };
    harness.relay().delay(TRACKED, ToClient, DELAY);
    let dump: Vec<u8> = {
        let mut redis = harness.redis.client();
        redis::cmd("SET").arg(&["from", "restored"]).exec(&mut redis).unwrap();
        redis::cmd("DUMP").arg("from").query(&mut redis).unwrap()
    };
    let mut client = harness.client();
    for round in 0..10 {
        let old = format!("old {round}");
        client.expect(&format!("SET k '{old}'"), "OK");
        harness.warm_up(&mut client, "GET k", &*old);
        let restored = client.call_bytes(&[b"RESTORE", b"k", b"0", &dump, b"REPLACE"]);
        assert_eq!(restored, "OK".into());
        client.expect("GET k", "restored");
    }
}

#[test]
fn writes_through_a_second_larder_and_in_redis_are_visible() {
    let Some(harness) = start(&[]) else { return };
    let another = harness.another();
    let mut truth = harness.foreign_client();
    for (at, write) in WRITES.iter().enumerate() {
        // Changes without an invalidation (R9).
        if write[0].starts_with("SWAPDB") {
            continue;
        }
        truth.pipeline(SETUP);
        let mut reader = client(&harness, at);
        warm_up_all(&harness, &mut reader, &mut truth);
        match at % 2 {
            0 => another.client().pipeline(write),
            _ => harness.foreign_client().pipeline(write),
        };
        let expected = plain(truth.pipeline(READS));
        eventually(Duration::from_secs(1), &format!("{write:?} to be visible"), || {
            plain(reader.pipeline(READS)) == expected
        });
    }
}

#[test]
fn an_entry_does_not_outlive_its_key() {
    let Some(harness) = start(&[]) else { return };
    let mut foreign = harness.foreign_client();
    let mut reader = harness.client();
    for (round, set) in [
        // The TTL is set before the read, or later, through Larder or elsewhere.
        "SET k v PX 120",
        "PEXPIRE k 120",
        "PEXPIRE k 120 LT",
        "GETEX k PX 120",
    ]
    .into_iter()
    .cycle()
    .take(8)
    .enumerate()
    {
        foreign.call("SET k v");
        if round % 4 > 0 {
            harness.warm_up_eventually(&mut reader, "GET k", "v");
        }
        match round < 4 {
            true => foreign.call(set),
            false => harness.client().call(set),
        };
        let gone = Instant::now() + Duration::from_millis(120);
        let mut seen = 0;
        loop {
            let asked = Instant::now();
            let found = reader.call("GET k");
            if found == Reply::Nil {
                break;
            }
            assert_eq!(found, "v".into());
            let late = asked.saturating_duration_since(gone);
            assert!(late < Duration::from_millis(3), "{set}: {late:?} too long");
            seen += 1;
        }
        assert!(seen > 0, "{set}");
        reader.expect("EXISTS k", 0);
    }
}

#[test]
fn a_change_of_a_keys_type_is_visible() {
    let Some(harness) = start(&[]) else { return };
    let mut foreign = harness.foreign_client();
    let mut reader = harness.client();
    const TYPES: [(&str, &str); 5] = [
        ("SET k text", "GET k"),
        ("HSET k f v", "HGETALL k"),
        ("RPUSH k a b", "LRANGE k 0 -1"),
        ("SADD k a", "SMEMBERS k"),
        ("ZADD k 1 a", "ZRANGE k 0 -1 WITHSCORES"),
    ];
    for round in 0..15 {
        let (write, read) = TYPES[round % TYPES.len()];
        foreign.pipeline(&["MULTI", "DEL k", write, "EXEC"]);
        let expected: Vec<_> = TYPES.iter().map(|(_, read)| foreign.call(read)).collect();
        for ((_, other), expected) in TYPES.iter().zip(&expected) {
            eventually(LIMIT, &format!("{other} to see {write}"), || {
                reader.call(other) == *expected
            });
        }
        let expected = foreign.call(read);
        harness.warm_up(&mut reader, read, expected);
    }
}

/// Connects in RESP2 and RESP3 in turn.
fn client(harness: &Harness, number: usize) -> Client {
    match number % 2 {
        0 => harness.client(),
        _ => harness.client().resp3(),
    }
}

/// Waits until all reads are served from memory with the current values.
fn warm_up_all(harness: &Harness, reader: &mut Client, truth: &mut Client) {
    let expected = plain(truth.pipeline(READS));
    eventually(LIMIT, "all reads to be served from memory", || {
        let hits = harness.larder.resp_hits();
        plain(reader.pipeline(READS)) == expected
            && harness.larder.resp_hits() == hits + READS.len() as u64
    });
}

/// Removes differences between the protocol versions.
fn plain(replies: Vec<Reply>) -> Vec<Reply> {
    let flat = |reply| match reply {
        Reply::Text(text) => Reply::Text(text.trim_end_matches(".0").to_owned()),
        other => other,
    };
    replies.into_iter().map(flat).collect()
}
