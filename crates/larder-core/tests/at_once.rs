//! A store that answers at once: its fills take no place on the map of leases, and what changes
//! while it is asked is noticed all the same.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop where it fails")]
#![allow(clippy::panic, clippy::indexing_slicing, reason = "a test may stop where it fails")]

use larder_core::{
    Bypass, Clock, Engine, EngineConfig, Fetched, Fill, FillOutcome, FlushCause, Found, Key,
    KeyFilter, MemoryStore, NotCached, PutOutcome, Store, StoreError, Tiers, WriteGuard,
    expiry::Ttl,
    memory_store::Expiry,
    near::{NearConfig, Policy},
};
use proptest::prelude::*;
use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

type Payload = Option<Arc<[u8]>>;
type Larder = Tiers<Payload, AtOnce>;

const HOUR: Duration = Duration::from_hours(1);
const VALUE_BYTES_MAX: usize = 64;
const LARGE: &[u8] = &[b'x'; VALUE_BYTES_MAX + 1];

/// A map that was read when something else happens, before the reply is there.
struct AtOnce {
    map: MemoryStore,
    meanwhile: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    /// Whether it does not do what it says, and answers when it is told.
    promises: AtomicBool,
    promised: Mutex<Vec<Fill<'static, Payload>>>,
}

impl AtOnce {
    fn read_now(&self, key: Key<'_>) -> (Payload, Ttl) {
        match self.map.begin().get(key.keyspace, key.name) {
            Some(entry) => (Some(entry.payload.into()), Ttl::Forever),
            None => (None, Ttl::NoKey),
        }
    }

    fn let_happen(&self) {
        let meanwhile = self.meanwhile.lock().unwrap().take();
        if let Some(happens) = meanwhile {
            happens();
        }
    }
}

impl Store<Payload> for AtOnce {
    fn fill(&self, fill: Fill<'_, Payload>) -> FillOutcome<Payload> {
        if self.promises.load(SeqCst) {
            let (fill, answer) = fill.defer();
            self.promised.lock().unwrap().push(fill);
            return answer;
        }
        let (value, ttl) = self.read_now(fill.key());
        self.let_happen();
        fill.complete(value, ttl)
    }

    fn answers_at_once(&self) -> bool {
        true
    }

    async fn read(&self, key: Key<'_>) -> Result<Payload, StoreError> {
        Ok(self.read_now(key).0)
    }

    async fn put(
        &self,
        write: &WriteGuard<Payload>,
        name: &[u8],
        db: u32,
        payload: &[u8],
        ttl: Option<Duration>,
    ) -> Result<(), StoreError> {
        self.map.put(write, name, db, payload, ttl).await
    }

    async fn delete(
        &self,
        write: &WriteGuard<Payload>,
        name: &[u8],
        db: u32,
    ) -> Result<bool, StoreError> {
        self.map.delete(write, name, db).await
    }

    async fn put_loaded(
        &self,
        load: &Fill<'_, Payload>,
        payload: &[u8],
        ttl: Duration,
    ) -> Result<PutOutcome, StoreError> {
        self.map.put_loaded(load, payload, ttl).await
    }

    async fn delete_if_ours(
        &self,
        write: &WriteGuard<Payload>,
        name: &[u8],
        db: u32,
        payload: &[u8],
        ttl: Duration,
    ) -> Result<(), StoreError> {
        self.map.delete_if_ours(write, name, db, payload, ttl).await
    }
}

/// What may happen to a name, or to all.
#[derive(Clone, Copy, Debug)]
enum Change {
    Put,
    Delete,
    /// As a command over RESP without a Redis has it.
    Transaction,
    Invalidate,
    Overtake,
    Flush,
    NewEpoch,
    PassThrough,
}

const CHANGES: [Change; 8] = [
    Change::Put,
    Change::Delete,
    Change::Transaction,
    Change::Invalidate,
    Change::Overtake,
    Change::Flush,
    Change::NewEpoch,
    Change::PassThrough,
];

fn happens(larder: &Larder, change: Change, name: &[u8], payload: &[u8]) {
    let engine = larder.engine();
    match change {
        Change::Put => now(larder.put(name, 0, payload, None)).unwrap(),
        Change::Delete => drop(now(larder.delete(name, 0)).unwrap()),
        Change::Transaction => {
            let mut txn = larder.store().map.begin();
            engine.invalidate(name);
            txn.set(0, name, payload, Expiry::Never).unwrap();
        }
        Change::Invalidate => engine.on_invalidation(name),
        Change::Overtake => drop(now(larder.bypass(Key::plain(name, 0), Bypass::Request)).unwrap()),
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
fn what_the_store_gave_is_kept_if_nothing_happens_meanwhile() {
    let larder = larder_with(b"1");
    assert!(matches!(fetch(&larder).found, Found::Store { cached: Ok(_) }));
    assert!(matches!(fetch(&larder).found, Found::Near(_)));
}

#[test]
fn what_the_store_gave_before_a_change_is_not_kept_after_it() {
    for change in CHANGES {
        let larder = larder_with(b"1");
        meanwhile(&larder, move |larder| happens(larder, change, b"a", b"2"));
        let fetched = fetch(&larder);
        assert_eq!(fetched.value.as_deref(), Some(&b"1"[..]), "{change:?}");
        assert_eq!(
            fetched.found,
            Found::Store { cached: Err(NotCached::LeaseInvalidated) },
            "{change:?}"
        );
        assert_eq!(larder.get(a()), None, "{change:?}");
        let after = larder.store().read_now(a()).0;
        assert_eq!(fetch(&larder).value, after, "{change:?}");
        assert_eq!(larder.get(a()).map(|hit| hit.value), Some(after), "{change:?}");
    }
}

#[test]
fn what_was_put_after_a_change_is_not_taken_for_an_earlier_reply() {
    for change in CHANGES {
        let larder = larder_with(b"1");
        meanwhile(&larder, move |larder| {
            happens(larder, change, b"a", b"2");
            fetch(larder);
        });
        fetch(&larder);
        let after = larder.store().read_now(a()).0;
        let remembered = larder.get(a()).map_or_else(|| after.clone(), |hit| hit.value);
        assert_eq!(remembered, after, "{change:?}");
    }
}

#[test]
fn of_two_replies_with_a_change_between_them_that_is_not_told_yet_the_older_one_is_not_kept() {
    let larder = larder_with(b"1");
    meanwhile(&larder, |larder| {
        larder.store().map.begin().set(0, b"a", b"2", Expiry::Never).unwrap();
        assert_eq!(fetch(larder).value.as_deref(), Some(&b"2"[..]));
    });
    assert_eq!(fetch(&larder).value.as_deref(), Some(&b"1"[..]));
    assert_ne!(larder.get(a()).map(|hit| hit.value), Some(Some(b"1".as_slice().into())));
}

#[test]
fn a_reply_that_is_not_kept_forgets_an_older_one() {
    let larder = larder_with(b"1");
    let (older, newer) = (promised(&larder), promised(&larder));
    drop(older.complete(Some(b"1".as_slice().into()), Ttl::Forever));
    assert!(larder.get(a()).is_some());
    drop(newer.complete(Some(LARGE.into()), Ttl::Forever));
    assert_eq!(larder.get(a()), None);
}

#[test]
fn a_value_too_large_passes_by_until_it_changes() {
    let larder = larder_with(LARGE);
    assert_eq!(fetch(&larder).found, Found::Store { cached: Err(NotCached::TooLarge) });
    assert_eq!(fetch(&larder).found, Found::Bypass(Bypass::TooLarge));
    let larder = larder_with(LARGE);
    meanwhile(&larder, |larder| happens(larder, Change::Put, b"a", b"2"));
    assert_eq!(fetch(&larder).value.as_deref(), Some(LARGE));
    assert!(matches!(fetch(&larder).found, Found::Store { cached: Ok(_) }), "2 is small");
}

#[test]
fn a_fill_that_is_promised_all_the_same_is_kept_if_nothing_happens() {
    let (larder, read) = (larder_with(b"1"), [false, true]);
    for changed in read {
        larder.store().promises.store(true, SeqCst);
        let started = larder.start(a());
        let fill = larder.store().promised.lock().unwrap().pop().unwrap();
        let (value, ttl) = larder.store().read_now(a());
        let lease = fill.lease_view();
        assert!(fill.holds() && lease.holds());
        if changed {
            happens(&larder, Change::Put, b"a", b"2");
            assert!(!fill.holds() && !lease.holds());
        }
        drop(fill.complete(value, ttl));
        let fetched = now(larder.finish(a(), started)).unwrap();
        assert_eq!(fetched.value.as_deref(), Some(&b"1"[..]));
        assert_eq!(larder.get(a()).is_some(), !changed);
        larder.engine().on_invalidation(b"a");
    }
}

#[test]
fn a_fill_that_is_promised_and_given_up_is_asked_elsewhere() {
    let larder = larder_with(b"1");
    larder.store().promises.store(true, SeqCst);
    let started = larder.start(a());
    larder.store().promised.lock().unwrap().clear();
    let fetched = now(larder.finish(a(), started)).unwrap();
    assert_eq!(fetched.found, Found::Bypass(Bypass::FeedLost));
}

/// What happens to one of a few names, while another one may be on its way.
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
        Op::Fetch(at) => drop(now(larder.fetch(Key::plain(NAMES[at], 0))).unwrap()),
        Op::Change(at, change) => happens(larder, change, NAMES[at], payload.as_bytes()),
    }
}

proptest! {
    /// Each step is done by itself, or while the store is asked for the name of the fetch before.
    #[test]
    fn what_is_remembered_is_what_the_store_has(
        steps in prop::collection::vec((0..NAMES.len(), prop::collection::vec(op(), 0..4)), 1..40),
    ) {
        let larder = larder_with(b"1");
        for (number, (at, ops)) in steps.into_iter().enumerate() {
            meanwhile(&larder, move |larder| ops.into_iter().for_each(|op| run(larder, op, number)));
            run(&larder, Op::Fetch(at), number);
            // What was to happen while the store was asked, and it was not.
            larder.store().let_happen();
            for name in NAMES {
                let key = Key::plain(name, 0);
                let in_store = larder.store().read_now(key).0;
                let remembered = larder.get(key).map(|hit| hit.value);
                prop_assert_eq!(remembered.as_ref().unwrap_or(&in_store), &in_store);
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
    let plan =
        EngineConfig { near, near_ttl: HOUR, staleness_bound: HOUR, keys: KeyFilter::default() };
    let engine = Engine::new(&plan, Clock::manual());
    begin_epoch(&engine);
    let store = AtOnce {
        map: MemoryStore::new(Clock::manual(), 1 << 20),
        meanwhile: Mutex::default(),
        promises: AtomicBool::default(),
        promised: Mutex::default(),
    };
    let larder = Arc::new(Tiers::new(engine, store));
    happens(&larder, Change::Put, b"a", payload);
    larder
}

fn begin_epoch(engine: &Engine<Payload>) {
    let epoch = engine.begin_epoch();
    engine.feed().always_fresh(epoch);
}

/// Lets something happen while the store is asked next.
fn meanwhile(larder: &Arc<Larder>, happens: impl FnOnce(&Larder) + Send + 'static) {
    let there = Arc::clone(larder);
    *larder.store().meanwhile.lock().unwrap() = Some(Box::new(move || happens(&there)));
}

/// A fill of `a` on its way, of which nobody waits for the answer.
fn promised(larder: &Larder) -> Fill<'static, Payload> {
    larder.store().promises.store(true, SeqCst);
    drop(larder.start(a()));
    larder.store().promised.lock().unwrap().pop().unwrap()
}

fn fetch(larder: &Larder) -> Fetched<Payload> {
    now(larder.fetch(a())).unwrap()
}

fn a() -> Key<'static> {
    Key::plain(b"a", 0)
}

/// What a future gives that does not wait.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("nothing here waits"),
    }
}
