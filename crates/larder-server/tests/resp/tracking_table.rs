//! What tracking costs the server is exported, and its limit is noticed before it is reached.

use larder_testkit::{Harness, LIMIT, RedisServer, eventually, http};
use serde_json::Value;

use crate::setup::{RespHarness, start};

/// The server is asked once in five of these bounds.
const FLAGS: &[&str] = &["--staleness-bound", "200ms"];

#[test]
fn a_tracking_table_that_is_nearly_full_is_a_problem_until_it_has_room() {
    let redis = RedisServer::builder().arg("--tracking-table-max-keys", "100");
    let harness = Harness::builder(env!("CARGO_BIN_EXE_larder")).redis(redis).flags(FLAGS).start();
    let Some(harness) = harness else { return };
    let mut wire = harness.wire();
    for number in 0..95 {
        wire.expect(&format!("GET key:{number}"), "$-1");
    }
    let ready = || http::get(&harness.larder.url("/readyz"), &[]).text();
    let problem = "of at most 100 (tracking-table-max-keys)";
    eventually(LIMIT, "the problem", || ready().contains(problem));
    let feed = &harness.larder.stats()["feed"];
    assert!(feed["tracking_total_keys"].as_u64() >= Some(90), "{feed}");
    assert!(feed["tracking_total_items"].as_u64() >= Some(90), "{feed}");
    assert_eq!(feed["tracking_table_max_keys"], 100, "{feed}");
    let metrics = http::get(&harness.larder.url("/metrics"), &[]).text();
    assert!(metrics.lines().any(|line| line == "larder_tracking_max_keys 100"), "{metrics}");
    for name in ["larder_tracking_keys 9", "larder_tracking_items 9"] {
        assert!(metrics.lines().any(|line| line.starts_with(name)), "{name}\n{metrics}");
    }
    let info = String::from_utf8(wire.line("INFO larder")).unwrap();
    assert!(info.contains("larder_tracking_total_keys:9"), "{info}");

    harness.foreign(&["CONFIG", "SET", "tracking-table-max-keys", "1000"]);
    eventually(LIMIT, "the problem to end", || !ready().contains(problem));
    let log = harness.larder.log();
    assert_eq!(log.matches(problem).count(), 1, "{log}");
    assert_eq!(log.matches("tracking table has room again").count(), 1, "{log}");
}

#[test]
fn a_limit_that_larder_may_not_see_is_not_asked_for_again() {
    let redis = RedisServer::builder().user_acl("larder on >pw ~* &* +@all -config");
    let harness = Harness::builder(env!("CARGO_BIN_EXE_larder"))
        .redis(redis)
        .through(|redis| redis.url_for("larder", "pw"))
        .flags(FLAGS)
        .start();
    let Some(harness) = harness else { return };
    let mut wire = harness.wire();
    for keys in 1..=3 {
        wire.expect(&format!("GET key:{keys}"), "$-1");
        eventually(LIMIT, "the size", || {
            harness.larder.stats()["feed"]["tracking_total_keys"] == keys
        });
    }
    assert_eq!(harness.larder.stats()["feed"]["tracking_table_max_keys"], Value::Null);
    let calls = harness.redis.info("commandstats", "cmdstat_config|get").unwrap_or_default();
    assert!(calls.contains("rejected_calls=1,"), "{calls}");
    assert_eq!(harness.larder.stats()["status"], "ok");
}

#[test]
fn invalidations_of_keys_that_are_not_cached_are_counted() {
    let Some(harness) = start(&[]) else { return };
    let mut wire = harness.wire();
    harness.foreign(&["LPUSH", "list", "a"]);
    harness.warm_up(&mut wire, "GET k", "$-1");
    // The read is tracked. Its reply is an error, which is not cached.
    wire.expect("GET list", "-WRONGTYPE Operation against a key holding the wrong kind of value");
    let counts = || {
        ["invalidations", "invalidations_uncached"]
            .map(|name| harness.larder.count(&format!("/feed/{name}")))
    };
    let [all, uncached] = counts();
    harness.foreign(&["SET", "k", "v"]);
    eventually(LIMIT, "one invalidation", || counts() == [all + 1, uncached]);
    harness.foreign(&["LPUSH", "list", "b"]);
    eventually(LIMIT, "another one", || counts() == [all + 2, uncached + 1]);
}
