//! Reads of every data type are cached, and invalidated by every kind of foreign write to their
//! key.

use std::time::Duration;

use larder_testkit::{Harness, RedisServer, TestServer, eventually, require_server};

use crate::client::Client;
use crate::setup::{self, ClientHarness, RedisHarness, start, start_harness};

/// Commands for a key `k` of one data type.
struct DataType {
    setup: &'static [&'static str],
    reads: &'static [&'static str],
    /// In addition to those of [`ANY_TYPE`].
    writes: &'static [&'static str],
}

/// Writes to a key of any type.
const ANY_TYPE: &[&str] = &[
    "DEL k",
    "UNLINK k",
    "RENAME k2 k",
    "RENAME k gone",
    "COPY k2 k REPLACE",
    "EXPIRE k 0",
    "PEXPIRE k 5",
    "MOVE k 1",
    "SET k string",
    "SORT k2 ALPHA STORE k",
    "EVAL 'redis.call(\"DEL\", \"k\")' 0",
    "FLUSHDB",
    "FLUSHALL",
];

const DATA_TYPES: &[DataType] = &[
    DataType {
        setup: &["SET k value"],
        reads: &[
            "GET k",
            "STRLEN k",
            "GETRANGE k 1 2",
            "GETBIT k 3",
            "BITCOUNT k",
            "BITPOS k 1",
            "EXISTS k",
            "TYPE k",
            "MGET k",
        ],
        writes: &["SET k 5", "APPEND k x", "SETRANGE k 0 X", "SETBIT k 3 0", "GETDEL k", "INCR k"],
    },
    DataType {
        setup: &["HSET k f 1 g 2"],
        reads: &[
            "HGET k f",
            "HGET k absent",
            "HMGET k f g absent",
            "HGETALL k",
            "HLEN k",
            "HKEYS k",
            "HVALS k",
            "HEXISTS k f",
            "HSTRLEN k f",
            "EXISTS k",
            "TYPE k",
        ],
        writes: &[
            "HSET k f 9",
            "HSET k h new",
            "HDEL k f",
            "HDEL k f g",
            "HINCRBY k f 1",
            "HINCRBYFLOAT k f 0.5",
            "HSETNX k absent 1",
            "HMSET k f 7",
        ],
    },
    DataType {
        setup: &["RPUSH k a b c"],
        reads: &["LRANGE k 0 -1", "LINDEX k 0", "LINDEX k 9", "LLEN k", "EXISTS k", "TYPE k"],
        writes: &[
            "LPUSH k z",
            "RPUSHX k z",
            "LPOP k",
            "RPOP k 3",
            "LSET k 0 x",
            "LTRIM k 1 1",
            "LREM k 0 a",
            "LINSERT k BEFORE b x",
            "LMOVE k k LEFT RIGHT",
            "BLPOP k 0",
            "LMPOP 1 k LEFT COUNT 2",
            "RPOPLPUSH k k3",
        ],
    },
    DataType {
        setup: &["SADD k a b c"],
        reads: &["SMEMBERS k", "SCARD k", "SISMEMBER k a", "SMISMEMBER k a z", "EXISTS k"],
        writes: &[
            "SADD k z",
            "SREM k a",
            "SPOP k",
            "SMOVE k k3 a",
            "SINTERSTORE k k2 k2",
            "SREM k a b c",
        ],
    },
    DataType {
        setup: &["ZADD k 1 a 2 b 3.5 c"],
        reads: &[
            "ZRANGE k 0 -1",
            "ZRANGE k 0 -1 WITHSCORES",
            "ZREVRANGE k 0 0",
            "ZRANGEBYSCORE k 1 2",
            "ZRANGEBYLEX k - +",
            "ZSCORE k a",
            "ZMSCORE k a z",
            "ZRANK k b",
            "ZREVRANK k b",
            "ZCOUNT k 0 9",
            "ZCARD k",
            "EXISTS k",
        ],
        writes: &[
            "ZADD k 9 a",
            "ZINCRBY k 5 b",
            "ZREM k a",
            "ZPOPMIN k",
            "ZPOPMAX k 3",
            "ZREMRANGEBYRANK k 0 0",
            "ZRANGESTORE k k 0 0",
            "ZUNIONSTORE k 1 k",
            "BZPOPMIN k 0",
        ],
    },
    DataType {
        setup: &["GEOADD k 13.361389 38.115556 a 15.087269 37.502669 b"],
        reads: &["GEOPOS k a absent", "GEODIST k a b", "GEOHASH k a b"],
        writes: &["GEOADD k 1 1 a", "ZREM k b", "GEOSEARCHSTORE k k FROMMEMBER a BYRADIUS 1 km"],
    },
];

const VECTOR_SET: DataType = DataType {
    setup: &[
        "VADD k VALUES 2 1 0 a SETATTR '{\"n\":1}'",
        "VADD k VALUES 2 0 1 b",
        "VADD k VALUES 2 1 1 c",
    ],
    reads: &[
        "VCARD k",
        "VDIM k",
        "VEMB k a",
        "VEMB k a RAW",
        "VGETATTR k a",
        "VGETATTR k b",
        "VISMEMBER k a",
        "VISMEMBER k absent",
        "VLINKS k a",
        "VLINKS k a WITHSCORES",
        "EXISTS k",
        "TYPE k",
    ],
    writes: &[
        "VADD k VALUES 2 -1 0.5 absent",
        "VADD k VALUES 2 -1 0.5 absent CAS",
        "VADD k VALUES 2 -1 0.5 a CAS SETATTR '{}'",
        "VADD k VALUES 2 0.5 -1 a",
        "VSETATTR k a '{\"n\":2}'",
        "VSETATTR k a ''",
        "VREM k a",
        "VREM k b",
    ],
};

#[test]
fn every_read_is_cached_and_invalidated_by_every_foreign_write() {
    let Some(harness) = start(&[]) else { return };
    let writes = check_all(&harness, DATA_TYPES);
    assert!(writes > 100, "{writes} writes");
}

#[test]
fn reads_of_vector_sets_are_cached_and_invalidated_by_every_foreign_write() {
    if !require_server(&TestServer::Redis8) {
        return;
    }
    let redis = RedisServer::builder().server(TestServer::Redis8);
    let Some(harness) = start_harness(setup::harness().redis(redis), &[]) else { return };
    let writes = check_all(&harness, &[VECTOR_SET]);
    assert!(writes > 20, "{writes} writes");
}

/// Returns the number of writes.
fn check_all(harness: &Harness, types: &[DataType]) -> usize {
    let mut foreign = [harness.foreign_client(), harness.foreign_client().resp3()];
    let mut through = [harness.client(), harness.client().resp3()];
    let mut round = 0;
    for kind in types {
        for write in kind.writes.iter().chain(ANY_TYPE) {
            round += 1;
            let (foreign, through) = (&mut foreign[round % 2], &mut through[round % 2]);
            set_up(foreign, kind);
            warm_up_all(harness, through, foreign, kind.reads);
            foreign.call(write);
            if write.starts_with("PEXPIRE") {
                eventually(Duration::from_secs(1), "the key to be deleted", || {
                    foreign.call("EXISTS k") == 0.into()
                });
            }
            let expected = foreign.pipeline(kind.reads);
            eventually(Duration::from_secs(1), &format!("{write} to be visible"), || {
                through.pipeline(kind.reads) == expected
            });
        }
    }
    round
}

fn set_up(foreign: &mut Client, kind: &DataType) {
    foreign.pipeline(&["MULTI", "FLUSHALL", "RPUSH k2 y x", "EXEC"]);
    foreign.pipeline(kind.setup);
}

/// Waits until all reads are served from memory with the current values.
fn warm_up_all(harness: &Harness, through: &mut Client, foreign: &mut Client, reads: &[&str]) {
    let expected = foreign.pipeline(reads);
    eventually(Duration::from_secs(5), &format!("{reads:?} to be served from memory"), || {
        let hits = harness.larder.resp_hits();
        through.pipeline(reads) == expected
            && harness.larder.resp_hits() >= hits + reads.len() as u64
    });
}
