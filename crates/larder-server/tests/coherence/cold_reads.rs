//! Reads, writes and deletes of a key while its value is being fetched.

use std::thread;
use std::time::Duration;

use larder_testkit::ConnectionFilter::{self, Sent};
use larder_testkit::Direction::{self, ToClient, ToServer};
use larder_testkit::{Harness, LIMIT, eventually, http};

use crate::setup::{HttpHarness, path, start, start_with_config};
use crate::users::{Users, loads};

const TRACKED: ConnectionFilter = Sent("TRACKING");
const PLAIN: ConnectionFilter = Sent("larder-commands");
/// The tracked connection, starting with the first write of a loaded value (a SET with NX).
const STORE_LOADED: ConnectionFilter = Sent("\r\nNX\r\n");
/// Long enough that held traffic does not make the connection look dead.
const LONG_BOUND: &str = "30s";

#[test]
fn a_delayed_fill_is_not_cached_if_the_key_was_written_meanwhile() {
    let Some(harness) = start(&["--staleness-bound", LONG_BOUND]) else { return };
    harness.foreign(&["SET", "k", "old"]);
    let gets = || harness.redis.command_calls("get");
    let (path, before) = (path("k"), gets());

    harness.relay().hold(TRACKED, ToClient);
    thread::scope(|threads| {
        let early = threads.spawn(|| harness.reader().get(&path));
        eventually(LIMIT, "Redis to answer the fill", || gets() == before + 1);
        thread::sleep(Duration::from_millis(200));
        assert_eq!(harness.put("k", "new"), 204);
        let late = threads.spawn(|| harness.reader().get(&path));
        // The old value is still in transit to Larder, so the late reader must not join that
        // flight.
        eventually(LIMIT, "the late reader to start its own fill", || gets() == before + 2);
        harness.relay().release(TRACKED, ToClient);
        let (early, late) = (early.join().unwrap(), late.join().unwrap());
        assert_eq!(late.value(), Some("new"), "{late:?}");
        assert!(!early.cache_status.contains("stored"), "{early:?}");
    });
    for _ in 0..100 {
        assert_eq!(harness.reader().get(&path).value(), Some("new"));
    }
    harness.warm_up("k", "new");
    assert!(harness.larder.count("/fills_refused/lease-invalidated") >= 1);
}

#[test]
fn a_write_invalidates_what_was_cached_while_it_was_in_transit() {
    let Some(harness) = start(&["--staleness-bound", LONG_BOUND]) else { return };
    harness.foreign(&["SET", "k", "old"]);
    harness.relay().hold(PLAIN, ToServer);
    thread::scope(|threads| {
        let put = threads.spawn(|| harness.put("k", "new"));
        let held_up = || harness.relay().buffered_bytes(PLAIN, ToServer) > 0;
        eventually(LIMIT, "the write to be in transit", held_up);
        harness.warm_up("k", "old");
        // The invalidation for the write arrives after its reply.
        harness.relay().hold(TRACKED, ToClient);
        harness.relay().release(PLAIN, ToServer);
        assert_eq!(put.join().unwrap(), 204);
        let reader = threads.spawn(|| harness.reader().get(&path("k")));
        thread::sleep(Duration::from_millis(100));
        harness.relay().release(TRACKED, ToClient);
        assert_eq!(reader.join().unwrap().value(), Some("new"));
    });
    harness.warm_up("k", "new");
}

#[test]
fn a_read_that_bypasses_the_near_cache_is_never_followed_by_an_older_value() {
    let Some(harness) = start(&["--staleness-bound", LONG_BOUND]) else { return };
    harness.foreign(&["SET", "k", "old"]);
    harness.warm_up("k", "old");
    harness.relay().hold(TRACKED, ToClient);
    harness.foreign(&["SET", "k", "new"]);
    assert_eq!(harness.reader().get(&path("k")).value(), Some("old"), "not invalidated yet");
    let bypassed = http::get(&harness.larder.url(&path("k")), &[("cache-control", "no-cache")]);
    assert_eq!((bypassed.text().as_str(), bypassed.cache_status()), ("new", "larder; fwd=request"));
    thread::scope(|threads| {
        let reader = threads.spawn(|| harness.reader().get(&path("k")));
        thread::sleep(Duration::from_millis(100));
        harness.relay().release(TRACKED, ToClient);
        assert_eq!(reader.join().unwrap().value(), Some("new"));
    });
    harness.warm_up("k", "new");
}

#[test]
fn concurrent_readers_of_a_cold_row_share_one_load_and_one_flight() {
    const READERS: usize = 200;
    let users = Users::new(r#"{"123": {"name": "Ada"}}"#);
    let flags = ["--staleness-bound", LONG_BOUND];
    let harness = start_with_config(&flags, &users.config(""));
    let Some(harness) = harness else { return };
    let joined = |harness: &Harness| harness.larder.count("/flights_joined");
    let (gets, before) = (harness.redis.command_calls("get"), joined(&harness));

    harness.relay().hold(TRACKED, ToClient);
    let found = thread::scope(|threads| {
        let read = || harness.reader().get("/users/123");
        let readers: Vec<_> = (0..READERS).map(|_| threads.spawn(read)).collect();
        let waiting = READERS as u64 - 1;
        eventually(LIMIT, "all but one to join", || joined(&harness) == before + waiting);
        harness.relay().release(TRACKED, ToClient);
        readers.into_iter().map(|reader| reader.join().unwrap()).collect::<Vec<_>>()
    });

    assert!(found.iter().all(|found| found.value() == Some(r#"{"name":"Ada"}"#)));
    let collapsed = found.iter().filter(|found| found.cache_status.ends_with("; collapsed"));
    assert_eq!(collapsed.count(), READERS - 1);
    assert_eq!(harness.larder.count("/http/requests/collapsed"), READERS as u64 - 1);
    assert_eq!(loads(&harness.larder), 1);
    // One before and one after the load.
    assert_eq!(harness.redis.command_calls("get"), gets + 2);
    assert_eq!(harness.redis.command_calls("set"), 1);
}

/// Loads a row and holds its SET in this direction. Meanwhile the row changes in the origin and is
/// deleted through Larder. Later readers must not get the old row, and it must not stay cached.
fn delete_while_a_loaded_row_is_stored(held: Direction) {
    let (old, new) = (r#"{"row":"old"}"#, r#"{"row":"new"}"#);
    let users = Users::new(&format!(r#"{{"123": {old}}}"#));
    let flags = ["--staleness-bound", LONG_BOUND];
    let harness = start_with_config(&flags, &users.config(""));
    let Some(harness) = harness else { return };

    harness.relay().hold(STORE_LOADED, held);
    thread::scope(|threads| {
        threads.spawn(|| harness.reader().get("/users/123"));
        let held_up = || harness.relay().buffered_bytes(STORE_LOADED, held) > 0;
        eventually(LIMIT, "the SET to be in transit", held_up);
        users.replace(&format!(r#"{{"123": {new}, "124": {{}}}}"#));
        let changed = || harness.larder.stats()["origins"][0]["rows"] == 2;
        eventually(LIMIT, "the new file to be read", changed);

        let after_delete = threads.spawn(|| {
            let deleted = http::delete(&harness.larder.url("/users/123"), &[]).status;
            assert_eq!(deleted, 204);
            harness.reader().get("/users/123")
        });
        thread::sleep(Duration::from_millis(300));
        harness.relay().release(STORE_LOADED, held);
        assert_eq!(after_delete.join().unwrap().value(), Some(new));
    });
    for _ in 0..100 {
        assert_eq!(harness.reader().get("/users/123").value(), Some(new));
    }
    let stored: String =
        redis::cmd("GET").arg("users:123").query(&mut harness.redis.client()).unwrap();
    assert_eq!(stored, new);
}

#[test]
fn a_row_deleted_before_the_reply_to_its_set_arrives_is_never_served_again() {
    delete_while_a_loaded_row_is_stored(ToClient);
}

#[test]
fn a_row_deleted_before_its_set_reaches_redis_is_never_served_again() {
    delete_while_a_loaded_row_is_stored(ToServer);
}
