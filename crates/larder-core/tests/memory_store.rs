//! What the store in this process's memory owes as a [`Store`].

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop where it fails")]

#[path = "support/fault_store.rs"]
#[allow(dead_code, reason = "each test takes the faults that it needs")]
mod fault_store;

use fault_store::{FaultStore, Fills, Payload};
use larder_core::{
    Clock, Engine, EngineConfig, Fill, Key, KeyFilter, MemoryStore, PutOutcome, Store, StoreError,
    Tiers, Value,
    memory_store::Expiry,
    near::{NearConfig, Policy},
};
use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

const MS: Duration = Duration::from_millis(1);
const BYTES_MAX: u64 = 1000;

struct Room {
    clock: Clock,
    map: MemoryStore,
    engine: Arc<Engine<Payload>>,
}

impl Room {
    fn new() -> Self {
        let clock = Clock::manual();
        let map = MemoryStore::new(clock.clone(), BYTES_MAX);
        Self { map, engine: engine(clock.clone()), clock }
    }

    fn put(&self, name: &str, payload: &str, ttl: Option<Duration>) -> Result<(), StoreError> {
        let (name, payload) = (name.as_bytes(), payload.as_bytes());
        now(self.map.put(&self.engine.write([name]), name, 0, payload, ttl))
    }

    fn delete(&self, name: &str) -> bool {
        let name = name.as_bytes();
        now(self.map.delete(&self.engine.write([name]), name, 0)).unwrap()
    }

    fn delete_if_ours(&self, name: &str, payload: &str, ttl: Duration) {
        let (name, payload) = (name.as_bytes(), payload.as_bytes());
        now(self.map.delete_if_ours(&self.engine.write([name]), name, 0, payload, ttl)).unwrap();
    }

    fn get(&self, name: &str) -> Payload {
        self.get_in(name, 0)
    }

    fn get_in(&self, name: &str, db: u32) -> Payload {
        now(self.map.read(Key::plain(name.as_bytes(), db))).unwrap()
    }
}

fn engine(clock: Clock) -> Arc<Engine<Payload>> {
    let near = NearConfig {
        bytes_max: 1 << 20,
        entries_max: 0,
        value_bytes_max: 1 << 10,
        policy: Policy::default(),
    };
    let plan = EngineConfig { near, near_ttl: MS, staleness_bound: MS, keys: KeyFilter::default() };
    let engine = Engine::new(&plan, clock);
    let epoch = engine.begin_epoch();
    engine.feed().always_fresh(epoch);
    engine
}

/// An engine, and the permit of somebody who fills `a`.
fn filling() -> (Tiers<Payload, FaultStore>, Fill<'static, Payload>) {
    let clock = Clock::manual();
    let store = FaultStore::over(MemoryStore::new(clock.clone(), BYTES_MAX));
    store.set_fills(Fills::Wait);
    let tiers = Tiers::new(engine(clock), store);
    drop(tiers.start(Key::plain(b"a", 0)));
    let fill = tiers.store().take_waiting().remove(0);
    (tiers, fill)
}

fn text(value: &str) -> Payload {
    Payload::from_payload(value.as_bytes())
}

/// What a future gives that does not wait.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a map does not wait"),
    }
}

#[test]
fn it_gives_what_was_put_until_it_is_deleted() {
    let room = Room::new();
    assert_eq!(room.get("a"), None);
    room.put("a", "1", None).unwrap();
    room.put("a", "2", None).unwrap();
    assert_eq!((room.get("a"), room.get_in("a", 1)), (text("2"), None));
    assert!(room.delete("a"));
    assert!(!room.delete("a"));
    assert_eq!((room.get("a"), room.map.is_empty()), (None, true));
}

#[test]
fn a_key_lives_as_long_as_it_was_told() {
    let room = Room::new();
    room.put("a", "1", Some(MS)).unwrap();
    room.clock.advance(Duration::from_nanos(999_999));
    assert_eq!(room.get("a"), text("1"));
    room.clock.advance(Duration::from_nanos(1));
    assert_eq!(room.get("a"), None);
    assert!(!room.delete("a"), "it was gone before");
    room.put("a", "2", Some(MS)).unwrap();
    room.put("a", "3", None).unwrap();
    room.clock.advance(MS);
    assert_eq!(room.get("a"), text("3"), "a put ends the time to live of the value before");
}

#[test]
fn a_full_store_refuses_what_does_not_fit_and_keeps_the_rest() {
    let room = Room::new();
    let half = "x".repeat(350);
    room.put("a", &half, None).unwrap();
    room.put("b", &half, None).unwrap();
    assert_eq!(room.put("c", &half, None), Err(StoreError::Full));
    assert_eq!(room.put("a", &half.repeat(2), None), Err(StoreError::Full));
    assert_eq!((room.get("a"), room.get("c")), (text(&half), None));
    room.put("b", "", None).unwrap();
    room.put("c", &half[..250], None).expect("a shorter value gave its bytes back");
    assert!(room.delete("a"));
    room.put("d", &half, None).expect("so did a deleted one");
}

#[test]
fn a_purge_gives_the_bytes_of_the_expired_back() {
    let room = Room::new();
    let half = "x".repeat(350);
    room.put("a", &half, Some(MS)).unwrap();
    room.put("b", &half, None).unwrap();
    room.clock.advance(MS);
    assert_eq!(room.put("c", &half, None), Err(StoreError::Full), "not purged yet");
    assert_eq!((room.map.len(), room.map.remove_expired(usize::MAX), room.map.len()), (2, 1, 1));
    assert_eq!(room.map.remove_expired(usize::MAX), 0);
    room.put("c", &half, None).unwrap();
    assert_eq!(room.get("b"), text(&half));
}

#[test]
fn only_the_very_payload_is_taken_back_and_only_with_the_time_it_was_given() {
    let room = Room::new();
    for others in [None, Some(3 * MS)] {
        room.put("a", "2", others).unwrap();
        room.delete_if_ours("a", "2", 2 * MS);
        assert_eq!(room.get("a"), text("2"), "somebody else has put it, for {others:?}");
    }
    room.put("a", "2", Some(2 * MS)).unwrap();
    room.delete_if_ours("a", "1", 2 * MS);
    assert_eq!(room.get("a"), text("2"));
    room.delete_if_ours("a", "2", 2 * MS);
    assert_eq!(room.get("a"), None);
    room.delete_if_ours("a", "2", 2 * MS);
}

#[test]
fn a_loaded_value_is_put_once_and_only_while_its_lease_holds() {
    let (tiers, fill) = filling();
    let store = tiers.store();
    assert_eq!(now(store.put_loaded(&fill, b"1", MS)), Ok(PutOutcome::Done));
    assert_eq!(now(store.read(Key::plain(b"a", 0))), Ok(text("1")));
    assert!(!fill.holds(), "the put itself changed the key");
    assert_eq!(
        now(store.put_loaded(&fill, b"2", MS)),
        Ok(PutOutcome::LeaseInvalidated { is_put: false })
    );
    assert_eq!(now(store.read(Key::plain(b"a", 0))), Ok(text("1")));
}

#[test]
fn a_loaded_value_does_not_replace_another() {
    let (tiers, fill) = filling();
    let store = tiers.store();
    store.map().begin().set(0, b"a", b"theirs", Expiry::Never).unwrap();
    assert_eq!(now(store.put_loaded(&fill, b"1", MS)), Ok(PutOutcome::Done));
    assert_eq!(now(store.read(Key::plain(b"a", 0))), Ok(text("theirs")));
}

#[test]
fn a_loaded_value_that_comes_after_a_delete_is_never_seen() {
    let (tiers, fill) = filling();
    now(tiers.delete(b"a", 0)).unwrap();
    let store = tiers.store();
    assert_eq!(
        now(store.put_loaded(&fill, b"1", MS)),
        Ok(PutOutcome::LeaseInvalidated { is_put: false })
    );
    assert_eq!(now(store.read(Key::plain(b"a", 0))), Ok(None));
}
