//! The memory store as a [`Store`](larder_core::Store).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop where it fails")]

#[path = "support/fault_store.rs"]
#[allow(dead_code, reason = "each test uses the faults that it needs")]
mod fault_store;

use fault_store::{FaultStore, Fills, Payload, ready};
use larder_core::{
    Clock, Engine, EngineConfig, Fill, Key, KeyFilter, LoadedValue, MemoryStore, Put, PutOutcome,
    ReadStore, StoreError, Tiers, Value, WriteStore,
    memory_store::Expiry,
    near::{NearConfig, Policy},
};
use std::{sync::Arc, time::Duration};

const MS: Duration = Duration::from_millis(1);
const BYTES_MAX: u64 = 1000;

struct Fixture {
    clock: Clock,
    store: MemoryStore,
    engine: Arc<Engine<Payload>>,
}

impl Fixture {
    fn new() -> Self {
        let clock = Clock::manual();
        let store = MemoryStore::new(clock.clone(), BYTES_MAX);
        Self { store, engine: engine(clock.clone()), clock }
    }

    fn put(&self, name: &str, payload: &str, ttl: Option<Duration>) -> Result<(), StoreError> {
        let put = Put { key: key(name), payload: payload.as_bytes(), ttl };
        ready(self.store.put(&self.engine.write([name.as_bytes()]), put))
    }

    fn delete(&self, name: &str) -> bool {
        ready(self.store.delete(&self.engine.write([name.as_bytes()]), key(name))).unwrap()
    }

    fn delete_if_ours(&self, name: &str, payload: &str, ttl: Duration) {
        let loaded = LoadedValue { key: key(name), payload: payload.as_bytes(), ttl };
        ready(self.store.delete_if_ours(&self.engine.write([name.as_bytes()]), loaded)).unwrap();
    }

    fn get(&self, name: &str) -> Payload {
        self.get_in(name, 0)
    }

    fn get_in(&self, name: &str, keyspace: u32) -> Payload {
        ready(self.store.read(Key::plain(name.as_bytes(), keyspace))).unwrap()
    }
}

fn engine(clock: Clock) -> Arc<Engine<Payload>> {
    let near = NearConfig {
        bytes_max: 1 << 20,
        entries_max: 0,
        value_bytes_max: 1 << 10,
        policy: Policy::default(),
    };
    let config =
        EngineConfig { near, near_ttl: MS, staleness_bound: MS, keys: KeyFilter::default() };
    let engine = Engine::new(&config, clock);
    let epoch = engine.begin_epoch();
    engine.feed().always_fresh(epoch);
    engine
}

/// Returns the tiers and a pending fill of `a`.
fn filling() -> (Tiers<Payload, FaultStore>, Fill<'static, Payload>) {
    let clock = Clock::manual();
    let store = FaultStore::over(MemoryStore::new(clock.clone(), BYTES_MAX));
    store.set_fills(Fills::Defer);
    let tiers = Tiers::new(engine(clock), store);
    drop(tiers.start(key("a")));
    let fill = tiers.store().take_deferred().remove(0);
    (tiers, fill)
}

fn text(value: &str) -> Payload {
    Payload::from_payload(value.as_bytes())
}

fn key(name: &str) -> Key<'_> {
    Key::plain(name.as_bytes(), 0)
}

fn loaded(payload: &[u8]) -> LoadedValue<'_> {
    LoadedValue { key: key("a"), payload, ttl: MS }
}

#[test]
fn a_key_holds_what_was_put_until_it_is_deleted() {
    let it = Fixture::new();
    assert_eq!(it.get("a"), None);
    it.put("a", "1", None).unwrap();
    it.put("a", "2", None).unwrap();
    assert_eq!((it.get("a"), it.get_in("a", 1)), (text("2"), None));
    assert!(it.delete("a"));
    assert!(!it.delete("a"));
    assert_eq!((it.get("a"), it.store.is_empty()), (None, true));
}

#[test]
fn a_key_expires_after_its_time_to_live() {
    let it = Fixture::new();
    it.put("a", "1", Some(MS)).unwrap();
    it.clock.advance(Duration::from_nanos(999_999));
    assert_eq!(it.get("a"), text("1"));
    it.clock.advance(Duration::from_nanos(1));
    assert_eq!(it.get("a"), None);
    assert!(!it.delete("a"), "it had expired");
    it.put("a", "2", Some(MS)).unwrap();
    it.put("a", "3", None).unwrap();
    it.clock.advance(MS);
    assert_eq!(it.get("a"), text("3"), "a put ends the time to live of the value before");
}

#[test]
fn a_full_store_refuses_what_does_not_fit_and_keeps_the_rest() {
    let it = Fixture::new();
    let half = "x".repeat(350);
    it.put("a", &half, None).unwrap();
    it.put("b", &half, None).unwrap();
    assert_eq!(it.put("c", &half, None), Err(StoreError::Full));
    assert_eq!(it.put("a", &half.repeat(2), None), Err(StoreError::Full));
    assert_eq!((it.get("a"), it.get("c")), (text(&half), None));
    it.put("b", "", None).unwrap();
    it.put("c", &half[..250], None).expect("a shorter value freed bytes");
    assert!(it.delete("a"));
    it.put("d", &half, None).expect("so did a deleted key");
}

#[test]
fn expired_keys_count_until_they_are_removed() {
    let it = Fixture::new();
    let half = "x".repeat(350);
    it.put("a", &half, Some(MS)).unwrap();
    it.put("b", &half, None).unwrap();
    it.clock.advance(MS);
    assert_eq!(it.put("c", &half, None), Err(StoreError::Full), "not removed yet");
    assert_eq!((it.store.len(), it.store.remove_expired(usize::MAX), it.store.len()), (2, 1, 1));
    assert_eq!(it.store.remove_expired(usize::MAX), 0);
    it.put("c", &half, None).unwrap();
    assert_eq!(it.get("b"), text(&half));
}

#[test]
fn only_the_loaded_payload_is_deleted_and_only_with_its_time_to_live() {
    let it = Fixture::new();
    for others in [None, Some(3 * MS)] {
        it.put("a", "2", others).unwrap();
        it.delete_if_ours("a", "2", 2 * MS);
        assert_eq!(it.get("a"), text("2"), "another client has put it, for {others:?}");
    }
    it.put("a", "2", Some(2 * MS)).unwrap();
    it.delete_if_ours("a", "1", 2 * MS);
    assert_eq!(it.get("a"), text("2"));
    it.delete_if_ours("a", "2", 2 * MS);
    assert_eq!(it.get("a"), None);
    it.delete_if_ours("a", "2", 2 * MS);
}

#[test]
fn a_loaded_value_is_put_only_while_its_lease_holds() {
    let (tiers, fill) = filling();
    let store = tiers.store();
    assert_eq!(ready(store.put_loaded(&fill, loaded(b"1"))), Ok(PutOutcome::Done));
    assert_eq!(ready(store.read(key("a"))), Ok(text("1")));
    assert!(!fill.holds(), "the put itself changed the key");
    assert_eq!(
        ready(store.put_loaded(&fill, loaded(b"2"))),
        Ok(PutOutcome::LeaseInvalidated { is_put: false })
    );
    assert_eq!(ready(store.read(key("a"))), Ok(text("1")));
}

#[test]
fn a_loaded_value_does_not_replace_another() {
    let (tiers, fill) = filling();
    let store = tiers.store();
    let mut txn = store.inner().begin();
    txn.set(0, b"a", b"theirs", Expiry::Never).unwrap();
    txn.commit().unwrap();
    assert_eq!(ready(store.put_loaded(&fill, loaded(b"1"))), Ok(PutOutcome::Done));
    assert_eq!(ready(store.read(key("a"))), Ok(text("theirs")));
}

#[test]
fn a_loaded_value_that_comes_after_a_delete_is_not_put() {
    let (tiers, fill) = filling();
    ready(tiers.delete(key("a"))).unwrap();
    let store = tiers.store();
    assert_eq!(
        ready(store.put_loaded(&fill, loaded(b"1"))),
        Ok(PutOutcome::LeaseInvalidated { is_put: false })
    );
    assert_eq!(ready(store.read(key("a"))), Ok(None));
}
