//! No entry outlives its key, and what the origin does not have is remembered no longer than asked.

use std::time::{Duration, Instant};

use larder_testkit::{LIMIT, eventually, http};

use crate::http_client::Found;
use crate::setup::{HttpHarness, path, start, start_with_config};
use crate::users::{Users, loads};

#[test]
fn a_key_leaves_memory_no_later_than_it_leaves_redis() {
    let Some(harness) = start(&[]) else { return };
    let (mut foreign, mut reader) = (harness.redis.client(), harness.reader());
    let mut hits = 0;
    for round in 0..5 {
        let value = round.to_string();
        redis::cmd("SET").arg(&["k", &value, "PX", "300"]).exec(&mut foreign).unwrap();
        eventually(LIMIT, "the key to end", || {
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
fn a_time_to_live_set_or_shortened_elsewhere_shows() {
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
    eventually(LIMIT, "the key to end", || harness.reader().get(&path("k")).value().is_none());
}

#[test]
fn what_redis_does_not_tell_ends_with_the_near_ttl() {
    const NEAR_TTL: Duration = Duration::from_millis(500);
    let Some(harness) = start(&["--near-ttl", "500ms"]) else { return };
    harness.foreign(&["SET", "k", "new"]);
    harness.foreign(&["SWAPDB", "0", "1"]);
    harness.foreign(&["SET", "k", "old"]);
    harness.warm_up("k", "old");
    // Nothing is pushed for this.
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
fn what_the_origin_does_not_have_is_not_asked_for_again_until_it_may_be() {
    let users = Users::new(r#"{"123": {"name": "Ada"}}"#);
    let config = users.config("negative-ttl = '2s'");
    let Some(harness) = start_with_config(&[], &config) else { return };
    let mut reader = harness.reader();
    let first = reader.get("/users/999");
    assert_eq!(first.value(), None);
    let (asked, mut asked_again) = (first.asked, None);
    eventually(LIMIT, "the origin to be asked again", || {
        let found = reader.get("/users/999");
        assert_eq!(found.value(), None);
        if !found.is_hit() {
            asked_again = Some(found.asked);
        }
        asked_again.is_some()
    });
    let pause = asked_again.unwrap() - asked;
    assert!(pause.as_secs_f64() > 1.9, "asked again after {pause:?}");
    assert_eq!(loads(&harness.larder), 2);
}

#[test]
fn a_foreign_write_ends_what_the_origin_did_not_have_at_once() {
    let users = Users::new(r#"{"123": {"name": "Ada"}}"#);
    let config = users.config("negative-ttl = '1h'");
    let Some(harness) = start_with_config(&[], &config) else { return };
    let mut reader = harness.reader();
    for _ in 0..20 {
        assert_eq!(reader.get("/users/999").value(), None);
    }
    assert_eq!(loads(&harness.larder), 1);

    let row = r#"{"name":"Grace"}"#;
    harness.foreign(&["SET", "users:999", row]);
    eventually(LIMIT, "the new row", || reader.get("/users/999").value() == Some(row));
    harness.foreign(&["DEL", "users:999"]);
    eventually(LIMIT, "the row to go", || reader.get("/users/999").value().is_none());
    assert_eq!(http::put(&harness.larder.url(&path("users:999")), &[], row).status, 204);
    assert_eq!(reader.get("/users/999").value(), Some(row));
}
