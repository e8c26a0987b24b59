//! A store that answers at once: its fills take no lease, and what changes while it is read is
//! noticed all the same.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop where it fails")]
#![allow(clippy::panic, clippy::indexing_slicing, reason = "a test may stop where it fails")]

#[path = "support/fault_store.rs"]
#[allow(dead_code, reason = "each test uses the faults that it needs")]
mod fault_store;

use fault_store::{FaultStore, Fills, Payload, ready};
use larder_core::{
    Bypass, Clock, Engine, EngineConfig, Fetched, Fill, FlushCause, Found, Key, KeyFilter,
    MemoryStore, NotCached, Put, Tiers,
    expiry::Ttl,
    memory_store::Expiry,
    near::{NearConfig, Policy},
};
use proptest::prelude::*;
use std::{sync::Arc, time::Duration};

type Larder = Tiers<Payload, FaultStore>;

const HOUR: Duration = Duration::from_hours(1);
const VALUE_BYTES_MAX: usize = 64;
const LARGE: &[u8] = &[b'x'; VALUE_BYTES_MAX + 1];

/// What may change a name, or all names.
#[derive(Clone, Copy, Debug)]
enum Change {
    Put,
    Delete,
    /// As a command of an embedded store writes.
    Transaction,
    Invalidate,
    ReadElsewhere,
    Flush,
    NewEpoch,
    PassThrough,
}

const CHANGES: [Change; 8] = [
    Change::Put,
    Change::Delete,
    Change::Transaction,
    Change::Invalidate,
    Change::ReadElsewhere,
    Change::Flush,
    Change::NewEpoch,
    Change::PassThrough,
];

fn apply(larder: &Larder, change: Change, name: &[u8], payload: &[u8]) {
    let engine = larder.engine();
    match change {
        Change::Put => put(larder, name, payload),
        Change::Delete => drop(ready(larder.delete(Key::plain(name, 0))).unwrap()),
        Change::Transaction => {
            let mut txn = larder.store().inner().begin();
            engine.invalidate(name);
            txn.set(0, name, payload, Expiry::Never).unwrap();
            txn.commit().unwrap();
        }
        Change::Invalidate => engine.on_invalidation(name),
        Change::ReadElsewhere => {
            drop(ready(larder.bypass(Key::plain(name, 0), Bypass::Request)).unwrap());
        }
        Change::Flush => engine.flush(FlushCause::Command),
        Change::NewEpoch => {
            engine.end_current_epoch();
            begin_epoch(engine);
        }
        Change::PassThrough => {
            engine.set_passthrough(true);
            engine.set_passthrough(false);
        }
    }
}

#[test]
fn a_reply_is_cached_if_nothing_changes_meanwhile() {
    let larder = larder_with(b"1");
    assert!(matches!(fetch(&larder).found, Found::Store { cached: Ok(_) }));
    assert!(matches!(fetch(&larder).found, Found::Near(_)));
}

#[test]
fn a_reply_from_before_a_change_is_not_cached_after_it() {
    for change in CHANGES {
        let larder = larder_with(b"1");
        meanwhile(&larder, move |larder| apply(larder, change, b"a", b"2"));
        let fetched = fetch(&larder);
        assert_eq!(fetched.value.as_deref(), Some(&b"1"[..]), "{change:?}");
        assert_eq!(
            fetched.found,
            Found::Store { cached: Err(NotCached::LeaseInvalidated) },
            "{change:?}"
        );
        assert_eq!(larder.get(a()), None, "{change:?}");
        let after = larder.store().value(a()).0;
        assert_eq!(fetch(&larder).value, after, "{change:?}");
        assert_eq!(larder.get(a()).map(|hit| hit.value), Some(after), "{change:?}");
    }
}

#[test]
fn a_value_cached_after_a_change_is_not_replaced_by_an_earlier_reply() {
    for change in CHANGES {
        let larder = larder_with(b"1");
        meanwhile(&larder, move |larder| {
            apply(larder, change, b"a", b"2");
            fetch(larder);
        });
        fetch(&larder);
        let after = larder.store().value(a()).0;
        let cached = larder.get(a()).map_or_else(|| after.clone(), |hit| hit.value);
        assert_eq!(cached, after, "{change:?}");
    }
}

#[test]
fn the_older_of_two_replies_is_not_cached_when_the_change_between_them_is_not_reported_yet() {
    let larder = larder_with(b"1");
    meanwhile(&larder, |larder| {
        let mut txn = larder.store().inner().begin();
        txn.set(0, b"a", b"2", Expiry::Never).unwrap();
        txn.commit().unwrap();
        assert_eq!(fetch(larder).value.as_deref(), Some(&b"2"[..]));
    });
    assert_eq!(fetch(&larder).value.as_deref(), Some(&b"1"[..]));
    assert_ne!(larder.get(a()).map(|hit| hit.value), Some(Some(b"1".as_slice().into())));
}

#[test]
fn a_reply_that_is_not_cached_drops_an_older_entry() {
    let larder = larder_with(b"1");
    let (older, newer) = (deferred(&larder), deferred(&larder));
    drop(older.complete(Some(b"1".as_slice().into()), Ttl::Forever));
    assert!(larder.get(a()).is_some());
    drop(newer.complete(Some(LARGE.into()), Ttl::Forever));
    assert_eq!(larder.get(a()), None);
}

#[test]
fn a_value_too_large_bypasses_the_near_cache_until_it_changes() {
    let larder = larder_with(LARGE);
    assert_eq!(fetch(&larder).found, Found::Store { cached: Err(NotCached::TooLarge) });
    assert_eq!(fetch(&larder).found, Found::Bypass(Bypass::TooLarge));
    let larder = larder_with(LARGE);
    meanwhile(&larder, |larder| apply(larder, Change::Put, b"a", b"2"));
    assert_eq!(fetch(&larder).value.as_deref(), Some(LARGE));
    assert!(matches!(fetch(&larder).found, Found::Store { cached: Ok(_) }), "2 is small");
}

#[test]
fn a_deferred_fill_is_cached_if_nothing_changes() {
    let larder = larder_with(b"1");
    for changed in [false, true] {
        larder.store().set_fills(Fills::Defer);
        let pending = larder.start(a());
        let fill = larder.store().take_deferred().pop().unwrap();
        let (value, ttl) = larder.store().value(a());
        let lease = fill.lease_view();
        assert!(fill.holds() && lease.holds());
        if changed {
            apply(&larder, Change::Put, b"a", b"2");
            assert!(!fill.holds() && !lease.holds());
        }
        drop(fill.complete(value, ttl));
        let fetched = ready(larder.finish(a(), pending)).unwrap();
        assert_eq!(fetched.value.as_deref(), Some(&b"1"[..]));
        assert_eq!(larder.get(a()).is_some(), !changed);
        larder.engine().on_invalidation(b"a");
    }
}

#[test]
fn a_dropped_fill_is_read_on_another_connection() {
    let larder = larder_with(b"1");
    larder.store().set_fills(Fills::Defer);
    let pending = larder.start(a());
    larder.store().take_deferred();
    let fetched = ready(larder.finish(a(), pending)).unwrap();
    assert_eq!(fetched.found, Found::Bypass(Bypass::FeedLost));
}

/// A fetch or a change of one of a few names.
#[derive(Clone, Copy, Debug)]
enum Op {
    Fetch(usize),
    Change(usize, Change),
}

fn op() -> impl Strategy<Value = Op> {
    let change = (0..NAMES.len(), 0..CHANGES.len());
    prop_oneof![
        (0..NAMES.len()).prop_map(Op::Fetch),
        change.prop_map(|(at, change)| Op::Change(at, CHANGES[change])),
    ]
}

const NAMES: [&[u8]; 3] = [b"a", b"b", b"c"];

fn run(larder: &Larder, op: Op, number: usize) {
    let payload = format!("value {number}");
    match op {
        Op::Fetch(at) => drop(ready(larder.fetch(Key::plain(NAMES[at], 0))).unwrap()),
        Op::Change(at, change) => apply(larder, change, NAMES[at], payload.as_bytes()),
    }
}

proptest! {
    /// Each step fetches a name, and applies some operations after the store was read for it.
    #[test]
    fn every_entry_equals_what_the_store_holds(
        steps in prop::collection::vec((0..NAMES.len(), prop::collection::vec(op(), 0..4)), 1..40),
    ) {
        let larder = larder_with(b"1");
        for (number, (at, ops)) in steps.into_iter().enumerate() {
            meanwhile(&larder, move |larder| ops.into_iter().for_each(|op| run(larder, op, number)));
            run(&larder, Op::Fetch(at), number);
            // A hit did not read the store.
            larder.store().run_meanwhile();
            for name in NAMES {
                let key = Key::plain(name, 0);
                let in_store = larder.store().value(key).0;
                let cached = larder.get(key).map(|hit| hit.value);
                prop_assert_eq!(cached.as_ref().unwrap_or(&in_store), &in_store);
            }
        }
    }
}

fn larder_with(payload: &[u8]) -> Arc<Larder> {
    let near = NearConfig {
        bytes_max: 1 << 20,
        entries_max: 0,
        value_bytes_max: VALUE_BYTES_MAX,
        policy: Policy::default(),
    };
    let config =
        EngineConfig { near, near_ttl: HOUR, staleness_bound: HOUR, keys: KeyFilter::default() };
    let engine = Engine::new(&config, Clock::manual());
    begin_epoch(&engine);
    let store = FaultStore::answering_at_once(MemoryStore::new(Clock::manual(), 1 << 20));
    let larder = Arc::new(Tiers::new(engine, store));
    apply(&larder, Change::Put, b"a", payload);
    larder
}

fn begin_epoch(engine: &Engine<Payload>) {
    let epoch = engine.begin_epoch();
    engine.feed().always_fresh(epoch);
}

/// Runs something while the next fill is under way.
fn meanwhile(larder: &Arc<Larder>, run: impl FnOnce(&Larder) + Send + 'static) {
    let there = Arc::clone(larder);
    larder.store().set_meanwhile(move || run(&there));
}

/// Returns a pending fill of `a` that no reader waits for.
fn deferred(larder: &Larder) -> Fill<'static, Payload> {
    larder.store().set_fills(Fills::Defer);
    drop(larder.start(a()));
    larder.store().take_deferred().pop().unwrap()
}

fn put(larder: &Larder, name: &[u8], payload: &[u8]) {
    ready(larder.put(Put { key: Key::plain(name, 0), payload, ttl: None })).unwrap();
}

fn fetch(larder: &Larder) -> Fetched<Payload> {
    ready(larder.fetch(a())).unwrap()
}

fn a() -> Key<'static> {
    Key::plain(b"a", 0)
}
