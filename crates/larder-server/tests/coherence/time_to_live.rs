//! No entry outlives its key, and a missing row is cached no longer than configured.

use std::time::{Duration, Instant};

use larder_testkit::{LIMIT, eventually, http};

use crate::http_client::Found;
use crate::setup::{HttpHarness, path, start, start_with_config};
use crate::users::{Users, loads};

#[test]
fn an_entry_expires_no_later_than_its_key() {
    let Some(harness) = start(&[]) else { return };
    let (mut foreign, mut reader) = (harness.redis.client(), harness.reader());
    let mut hits = 0;
    for round in 0..5 {
        let value = round.to_string();
        redis::cmd("SET").arg(&["k", &value, "PX", "300"]).exec(&mut foreign).unwrap();
        eventually(LIMIT, "the key to expire", || {
            let there: bool = redis::cmd("EXISTS").arg("k").query(&mut foreign).unwrap();
            let found = reader.get(&path("k"));
            assert!(there || found.value() != Some(&value), "outlives its key: {found:?}");
            hits += u32::from(found.is_hit() && found.value() == Some(&value));
            !there
        });
    }
    assert!(hits > 50, "{hits} hits");
}

#[test]
fn a_foreign_change_of_the_ttl_is_visible() {
    let Some(harness) = start(&[]) else { return };
    harness.foreign(&["SET", "k", "v"]);
    harness.warm_up("k", "v");
    let mut reader = harness.reader();
    let mut ttl_is = |seconds: std::ops::RangeInclusive<u64>| {
        let within = |found: &Found| found.hit_ttl().is_some_and(|left| seconds.contains(&left));
        eventually(LIMIT, &format!("a hit with ttl {seconds:?}"), || {
            within(&reader.get(&path("k")))
        });
    };
    ttl_is(200..=300);
    harness.foreign(&["EXPIRE", "k", "100"]);
    ttl_is(1..=100);
    harness.foreign(&["EXPIRE", "k", "50"]);
    ttl_is(1..=50);
    harness.foreign(&["PERSIST", "k"]);
    ttl_is(200..=300);
    harness.foreign(&["PEXPIRE", "k", "1"]);
    eventually(LIMIT, "the key to expire", || harness.reader().get(&path("k")).value().is_none());
}

#[test]
fn a_change_without_invalidation_is_visible_after_near_ttl() {
    const NEAR_TTL: Duration = Duration::from_millis(500);
    let Some(harness) = start(&["--near-ttl", "500ms"]) else { return };
    harness.foreign(&["SET", "k", "new"]);
    harness.foreign(&["SWAPDB", "0", "1"]);
    harness.foreign(&["SET", "k", "old"]);
    harness.warm_up("k", "old");
    // Redis sends no invalidation for SWAPDB.
    harness.foreign(&["SWAPDB", "0", "1"]);
    let (swapped, mut reader) = (Instant::now(), harness.reader());
    eventually(LIMIT, "the other db's value", || {
        let found = reader.get(&path("k"));
        let fresh = found.value() == Some("new");
        assert!(fresh || found.asked < swapped + NEAR_TTL, "{found:?}");
        fresh
    });
}

#[test]
fn a_missing_row_is_not_loaded_again_before_negative_ttl() {
    let users = Users::new(r#"{"123": {"name": "Ada"}}"#);
    let config = users.config("negative-ttl = '2s'");
    let Some(harness) = start_with_config(&[], &config) else { return };
    let mut reader = harness.reader();
    let first = reader.get("/users/999");
    assert_eq!(first.value(), None);
    let (asked, mut asked_again) = (first.asked, None);
    eventually(LIMIT, "the row to be loaded again", || {
        let found = reader.get("/users/999");
        assert_eq!(found.value(), None);
        if !found.is_hit() {
            asked_again = Some(found.asked);
        }
        asked_again.is_some()
    });
    let pause = asked_again.unwrap() - asked;
    assert!(pause.as_secs_f64() > 1.9, "loaded again after {pause:?}");
    assert_eq!(loads(&harness.larder), 2);
}

#[test]
fn a_foreign_write_invalidates_a_cached_missing_row() {
    let users = Users::new(r#"{"123": {"name": "Ada"}}"#);
    let config = users.config("negative-ttl = '1h'");
    let Some(harness) = start_with_config(&[], &config) else { return };
    let mut reader = harness.reader();
    // On a busy machine a heartbeat can be late, and the next reads load the row again.
    eventually(LIMIT, "20 reads that load nothing", || {
        let before = loads(&harness.larder);
        for _ in 0..20 {
            assert_eq!(reader.get("/users/999").value(), None);
        }
        loads(&harness.larder) == before
    });

    let row = r#"{"name":"Grace"}"#;
    harness.foreign(&["SET", "users:999", row]);
    eventually(LIMIT, "the new row", || reader.get("/users/999").value() == Some(row));
    harness.foreign(&["DEL", "users:999"]);
    eventually(LIMIT, "the row to disappear", || reader.get("/users/999").value().is_none());
    assert_eq!(http::put(&harness.larder.url(&path("users:999")), &[], row).status, 204);
    assert_eq!(reader.get("/users/999").value(), Some(row));
}
