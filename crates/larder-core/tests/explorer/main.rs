//! The promises of the engine under random schedules: the shipped code, with the explorer's locks and
//! atomics in place of the real ones (see `sync.rs`).
//!
//! The threads are those of a running Larder (readers, a writer, the reader of the tracked
//! connection), a model of Redis and its other clients.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop where it fails")]
#![allow(clippy::panic, reason = "a test may stop where it fails")]

#[path = "../support/origin.rs"]
#[allow(dead_code, reason = "each test uses the steps that it needs")]
mod origin;
#[path = "../support/redis.rs"]
#[allow(dead_code, reason = "each test uses the steps that it needs")]
mod redis;
#[path = "../support/server.rs"]
#[allow(dead_code, reason = "each test uses the steps that it needs")]
mod server;
mod world;

use larder_core::{
    Clock, Engine, FlushCause, Key, MemoryStore, Put, Tiers,
    expiry::Ttl,
    memory_store::{Expiry, Txn},
};
use origin::Rows;
use server::{Command, Payload};
use shuttle::{
    future::block_on,
    rand::{Rng, thread_rng},
    thread,
};
use std::sync::{Arc, Mutex};
use world::{World, a, engine, join, key, load, set, text};

const SCHEDULES: usize = 5000;
/// How often a schedule departs from running the thread of the highest priority.
const DEPTH: usize = 3;

fn explore(scenario: fn()) {
    shuttle::check_random(scenario, SCHEDULES);
    shuttle::check_pct(scenario, SCHEDULES, DEPTH);
}

#[test]
fn no_reader_goes_back_in_time() {
    explore(|| {
        let world = World::new();
        world.redis().other(&set("1"));
        let clients = [
            world.spawn(World::read_twice),
            world.spawn(World::read_twice),
            world.spawn(|world| {
                world.put("2");
                world.read_twice();
            }),
            world.spawn(|world| {
                world.redis().other(&set("3"));
                world.redis().other(&Command::Delete(a()));
                world.redis().other(&set("4"));
            }),
        ];
        world.finish(clients);
    });
}

#[test]
fn no_reader_goes_back_in_time_when_the_feed_is_cut() {
    explore(|| {
        let world = World::new();
        world.redis().other(&set("1"));
        world.cut_after(thread_rng().gen_range(0..6));
        let clients = [
            world.spawn(World::read_twice),
            world.spawn(|world| {
                world.put("2");
                world.read_twice();
            }),
            world.spawn(|world| {
                world.read();
                world.redis().other(&set("3"));
            }),
        ];
        world.finish(clients);
    });
}

#[test]
fn no_reader_goes_back_in_time_when_redis_is_flushed() {
    explore(|| {
        let world = World::new();
        world.redis().other(&set("1"));
        let clients = [
            world.spawn(World::read_twice),
            world.spawn(World::read_twice),
            world.spawn(|world| {
                world.redis().other(&Command::FlushAll);
                world.redis().other(&set("2"));
            }),
        ];
        world.finish(clients);
    });
}

#[test]
fn no_reader_goes_back_in_time_when_some_bypass_the_near_cache() {
    explore(|| {
        let world = World::new();
        world.redis().other(&set("1"));
        let clients = [
            world.spawn(World::read_twice),
            world.spawn(|world| {
                world.bypass();
                world.read();
            }),
            world.spawn(|world| world.redis().other(&set("2"))),
        ];
        world.finish(clients);
    });
}

#[test]
fn a_snapshot_never_shows_half_of_a_change_of_several_keys() {
    explore(|| {
        let world = World::new();
        world.set_both("1");
        let read_both = |world: &World| {
            for name in [b"b", b"a", b"b", b"a"] {
                block_on(world.tiers.fetch(Key::plain(name, 0))).unwrap();
            }
        };
        let clients = [
            world.spawn(read_both),
            world.spawn(|world| world.set_both("2")),
            world.spawn(|world| snapshot(world.tiers.engine(), &[b"a", b"b"])),
            world.spawn(|world| snapshot(world.tiers.engine(), &[b"b", b"a"])),
        ];
        world.finish(clients);
    });
}

#[test]
fn a_snapshot_sees_each_invalidation_in_full_or_not_at_all() {
    explore(|| {
        the_feed_changes_two_keys(|engine| {
            engine.on_invalidation(b"a");
            engine.on_invalidation(b"b");
        });
    });
}

#[test]
fn a_snapshot_sees_a_flush_in_full_or_not_at_all() {
    explore(|| the_feed_changes_two_keys(|engine| engine.flush(FlushCause::Flushed)));
}

/// The feed invalidates two keys, and fills them anew.
fn the_feed_changes_two_keys(invalidate: fn(&Engine<Payload>)) {
    let engine = engine();
    let epoch = engine.begin_epoch();
    engine.feed().always_fresh(epoch);
    let fill = |engine: &Arc<Engine<Payload>>, value| {
        for name in [b"a", b"b"] {
            let view = engine.batch_view().unwrap();
            let fill = engine.lead_if_missing(Key::plain(name, 0), view).unwrap();
            fill.complete(text(value), Ttl::Forever);
        }
    };
    fill(&engine, "1");
    let names: [&[u8]; 2] = if thread_rng().r#gen() { [b"a", b"b"] } else { [b"b", b"a"] };
    let reader = thread::spawn({
        let engine = Arc::clone(&engine);
        move || snapshot(&engine, &names)
    });
    invalidate(&engine);
    fill(&engine, "2");
    reader.join().unwrap();
}

/// Looks keys up together. If all are in memory, their values are the same.
fn snapshot(engine: &Engine<Payload>, names: &[&[u8]]) {
    let values = engine.snapshot(|reader| {
        let look_up = |name| reader.get(Key::plain(name, 0), |value, _| value.to_value());
        names.iter().copied().map(look_up).collect::<Option<Vec<_>>>()
    });
    let values = values.unwrap_or_default();
    assert!(values.iter().all(|value| Some(value) == values.first()), "{values:?}");
}

#[test]
fn r16_concurrent_loads_ask_the_origin_once() {
    explore(|| {
        let world = World::new();
        world.rows.change("a", true);
        let loads = |world: &World| assert_eq!(world.load(), text("row 1"));
        let clients = [world.spawn(loads), world.spawn(loads), world.spawn(loads)];
        let world = world.finish(clients);
        assert_eq!(world.rows.asked(), 1);
    });
}

#[test]
fn r16_a_load_that_a_delete_overtook_leaves_nothing_behind() {
    explore(|| {
        let world = World::new();
        world.rows.change("a", true);
        let clients = [
            world.spawn(|world| drop(world.load())),
            world.spawn(|world| drop(world.load())),
            world.spawn(|world| {
                world.rows.change("a", true);
                block_on(world.tiers.delete(key())).unwrap();
                let after = block_on(world.tiers.fetch(key())).unwrap();
                assert_ne!(after.value, text("row 1"));
                assert_eq!(world.load(), text("row 2"));
            }),
        ];
        let world = world.finish(clients);
        assert_ne!(world.redis().keys(|keys| keys.newest(&a()).value.clone()), text("row 1"));
        assert_ne!(world.tiers.get(key()).map(|hit| hit.value), Some(text("row 1")));
    });
}

#[test]
fn r16_over_a_memory_store_a_done_delete_hides_the_old_row() {
    explore(|| over_a_memory_store_a_row_changes(|tiers| drop(block_on(tiers.delete(key())))));
}

#[test]
fn r16_over_a_memory_store_a_done_transaction_hides_the_old_row() {
    explore(|| {
        over_a_memory_store_a_row_changes(|tiers| {
            let mut txn = transaction(tiers);
            txn.remove(0, b"a");
            txn.commit().unwrap();
        });
    });
}

fn over_a_memory_store_a_row_changes(delete: fn(&MemoryTiers)) {
    let (tiers, rows) = (Arc::new(memory_tiers()), Arc::new(Rows::default()));
    rows.change("a", true);
    let loader = || {
        let (tiers, rows) = (Arc::clone(&tiers), Arc::clone(&rows));
        thread::spawn(move || drop(load(&tiers, &rows)))
    };
    let loaders = [loader(), loader()];
    rows.change("a", true);
    delete(&tiers);
    assert_ne!(block_on(tiers.fetch(key())).unwrap().value, text("row 1"));
    assert_eq!(load(&tiers, &rows), text("row 2"));
    join(loaders);
    assert_eq!(load(&tiers, &rows), text("row 2"));
}

#[test]
fn over_a_memory_store_no_reader_goes_back_in_time() {
    explore(|| {
        over_a_memory_store_a_value_grows(|tiers, version| {
            put(tiers, &[version]);
        });
    });
}

#[test]
fn over_a_memory_store_no_reader_goes_back_in_time_when_transactions_write() {
    explore(|| {
        over_a_memory_store_a_value_grows(|tiers, version| {
            let mut txn = transaction(tiers);
            txn.set(0, b"a", &[version], Expiry::Never).unwrap();
            txn.commit().unwrap();
        });
    });
}

#[test]
fn over_a_memory_store_no_reader_goes_back_in_time_when_everything_is_flushed() {
    explore(|| {
        over_a_memory_store_a_value_grows(|tiers, version| {
            let mut txn = tiers.store().begin();
            tiers.engine().flush(FlushCause::Command);
            txn.set(0, b"a", &[version], Expiry::Never).unwrap();
            txn.commit().unwrap();
        });
    });
}

#[test]
fn over_a_memory_store_no_reader_goes_back_in_time_when_epochs_end() {
    explore(|| {
        over_a_memory_store_a_value_grows(|tiers, version| {
            let mut txn = tiers.store().begin();
            tiers.engine().end_current_epoch();
            txn.set(0, b"a", &[version], Expiry::Never).unwrap();
            txn.commit().unwrap();
            let epoch = tiers.engine().begin_epoch();
            tiers.engine().feed().always_fresh(epoch);
        });
    });
}

fn over_a_memory_store_a_value_grows(write: fn(&MemoryTiers, u8)) {
    let tiers = Arc::new(memory_tiers());
    let written = Arc::new(Mutex::new(0_u8));
    let reader = || {
        let (tiers, written) = (Arc::clone(&tiers), Arc::clone(&written));
        thread::spawn(move || (0..2).for_each(|_| read(&tiers, &written)))
    };
    let readers = [reader(), reader()];
    for version in 1..=2 {
        write(&tiers, version);
        raise(&written, version);
        read(&tiers, &written);
    }
    join(readers);
}

fn read(tiers: &MemoryTiers, written: &Mutex<u8>) {
    let since = *written.lock().unwrap();
    let value = block_on(tiers.fetch(key())).unwrap().value;
    let shown = first(value.as_deref());
    assert!(shown >= since, "{shown} after {since}");
    raise(written, shown);
}

fn first(payload: Option<&[u8]>) -> u8 {
    payload.and_then(|payload| payload.first().copied()).unwrap_or(0)
}

fn raise(written: &Mutex<u8>, shown: u8) {
    let mut written = written.lock().unwrap();
    *written = shown.max(*written);
}

#[test]
fn over_a_memory_store_no_read_is_older_than_what_the_store_has_shown() {
    explore(|| {
        the_store_shows_a_value(|tiers| put(tiers, b"1"));
    });
    explore(|| {
        the_store_shows_a_value(|tiers| {
            let mut txn = transaction(tiers);
            txn.set(0, b"a", b"1", Expiry::Never).unwrap();
            txn.commit().unwrap();
        });
    });
}

fn the_store_shows_a_value(write: fn(&MemoryTiers)) {
    let tiers = Arc::new(memory_tiers());
    let reader = thread::spawn({
        let (tiers, shown) = (Arc::clone(&tiers), Mutex::new(0));
        move || {
            read(&tiers, &shown);
            // A command reads its keys from the store and not from the near cache.
            let in_store = first(tiers.store().begin().get(0, b"a").map(|entry| entry.payload));
            raise(&shown, in_store);
            read(&tiers, &shown);
        }
    });
    write(&tiers);
    reader.join().unwrap();
}

type MemoryTiers = Tiers<Payload, MemoryStore>;

fn memory_tiers() -> MemoryTiers {
    let engine = engine();
    let epoch = engine.begin_epoch();
    engine.feed().always_fresh(epoch);
    Tiers::new(engine, MemoryStore::new(Clock::manual(), 1 << 20))
}

fn put(tiers: &MemoryTiers, payload: &[u8]) {
    block_on(tiers.put(Put { key: key(), payload, ttl: None })).unwrap();
}

/// Begins a transaction that is about to write, and invalidates its name under the lock. No second
/// invalidation is needed.
fn transaction(tiers: &MemoryTiers) -> Txn<'_> {
    let txn = tiers.store().begin();
    tiers.engine().invalidate(b"a");
    txn
}
