//! How a value is found: near cache, store, origin, and what is done when one of them fails.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop where it fails")]
#![allow(clippy::panic, reason = "a test may stop where it fails")]

#[path = "support/fault_store.rs"]
#[allow(dead_code, reason = "each test uses the faults that it needs")]
mod fault_store;
#[path = "support/origin.rs"]
#[allow(dead_code, reason = "each test uses the steps that it needs")]
mod origin;

use fault_store::{FaultStore, Fills, Payload};
use larder_core::{
    Bypass, Clock, Engine, EngineConfig, FetchError, Fetched, FlushCause, Found, Key, KeyFilter,
    Load, MemoryStore, NotCached, Put, StoreError, Tiers, Value,
    memory_store::Expiry,
    near::{NearConfig, Policy},
};
use origin::Rows;
use std::{sync::Arc, time::Duration};
use tokio::task::{JoinHandle, yield_now};

const MS: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_mins(1);
const VALUE_BYTES_MAX: usize = 256;
const LOAD_TTL: Duration = Duration::from_secs(5);
const NEGATIVE_TTL: Duration = Duration::from_millis(500);

type FetchResult = Result<Fetched<Payload>, FetchError>;

/// The tiers, over a store and an origin whose faults the test sets.
#[derive(Clone)]
struct Larder {
    clock: Clock,
    tiers: Arc<Tiers<Payload, FaultStore>>,
    rows: Arc<Rows>,
}

impl Larder {
    /// Starts with a feed that cannot be cut.
    fn new() -> Self {
        let larder = Self::without_feed();
        let epoch = larder.engine().begin_epoch();
        larder.engine().feed().always_fresh(epoch);
        larder
    }

    fn without_feed() -> Self {
        let clock = Clock::manual();
        let near = NearConfig {
            bytes_max: 1 << 20,
            entries_max: 0,
            value_bytes_max: VALUE_BYTES_MAX,
            policy: Policy::default(),
        };
        let config = EngineConfig {
            near,
            near_ttl: MINUTE,
            staleness_bound: Duration::from_secs(1),
            keys: KeyFilter::default(),
        };
        let store = FaultStore::over(MemoryStore::new(clock.clone(), 1 << 20));
        let tiers = Arc::new(Tiers::new(Engine::new(&config, clock.clone()), store));
        Self { clock, tiers, rows: Arc::new(Rows::slow()) }
    }

    fn engine(&self) -> &Engine<Payload> {
        self.tiers.engine()
    }

    fn store(&self) -> &FaultStore {
        self.tiers.store()
    }

    async fn fetch(&self) -> FetchResult {
        self.tiers.fetch(a()).await
    }

    async fn load(&self) -> FetchResult {
        let load = Load { origin: &*self.rows, id: "a", ttl: LOAD_TTL, negative_ttl: NEGATIVE_TTL };
        self.tiers.fetch_or_load(a(), load).await
    }

    /// Starts loads of the same key, each in a task of its own.
    async fn loads(&self, count: usize) -> Vec<JoinHandle<FetchResult>> {
        let load = || {
            let larder = self.clone();
            tokio::spawn(async move { larder.load().await })
        };
        let readers = (0..count).map(|_| load()).collect();
        settled().await;
        readers
    }

    async fn put(&self, payload: &str, ttl: Option<Duration>) {
        let put = Put { key: a(), payload: payload.as_bytes(), ttl };
        self.tiers.put(put).await.unwrap();
    }

    async fn answer_all(&self) {
        while self.rows.answer(0) {
            settled().await;
        }
    }

    fn in_store(&self) -> Payload {
        self.store().value(a()).0
    }

    fn get(&self) -> Option<Payload> {
        self.tiers.get(a()).map(|hit| hit.value)
    }
}

fn a() -> Key<'static> {
    Key::plain(b"a", 0)
}

fn text(value: &str) -> Payload {
    Payload::from_payload(value.as_bytes())
}

/// Lets every task run as far as it can: on this one thread each yield polls each of them once.
async fn settled() {
    for _ in 0..20 {
        yield_now().await;
    }
}

async fn outcomes(readers: Vec<JoinHandle<FetchResult>>) -> Vec<Fetched<Payload>> {
    let mut outcomes = Vec::new();
    for reader in readers {
        outcomes.push(reader.await.unwrap().unwrap());
    }
    outcomes
}

#[tokio::test]
async fn concurrent_readers_of_a_cold_key_ask_the_origin_once() {
    let larder = Larder::new();
    larder.rows.change("a", true);
    let readers = larder.loads(200).await;
    larder.answer_all().await;
    let outcomes = outcomes(readers).await;
    assert!(outcomes.iter().all(|outcome| outcome.value == text("row 1")));
    assert_eq!(outcomes.iter().filter(|outcome| !outcome.collapsed).count(), 1, "one led");
    assert_eq!(larder.rows.asked(), 1);
    assert_eq!(larder.in_store(), text("row 1"));
    let again = larder.load().await.unwrap();
    assert!(matches!(again.found, Found::Near(_)), "{again:?}");
    assert_eq!(larder.engine().counts().fills_in_flight, 0);
}

#[tokio::test]
async fn concurrent_readers_share_one_read_of_the_store() {
    let larder = Larder::new();
    larder.put("1", None).await;
    larder.store().set_fills(Fills::Defer);
    let fetch = || {
        let larder = larder.clone();
        tokio::spawn(async move { larder.fetch().await })
    };
    let readers: Vec<_> = (0..200).map(|_| fetch()).collect();
    settled().await;
    larder.store().complete_deferred();
    let outcomes = outcomes(readers).await;
    assert!(outcomes.iter().all(|outcome| outcome.value == text("1")));
    assert_eq!((larder.store().fill_count(), larder.engine().counts().flights_joined), (1, 199));
}

#[tokio::test]
async fn the_origin_is_not_asked_again_for_a_missing_value_within_the_negative_ttl() {
    let larder = Larder::new();
    let readers = larder.loads(200).await;
    larder.answer_all().await;
    assert!(outcomes(readers).await.iter().all(|outcome| outcome.value.is_none()));
    larder.clock.advance(NEGATIVE_TTL.saturating_sub(MS));
    let again = larder.load().await.unwrap();
    assert_eq!((again.value, larder.rows.asked()), (None, 1));
    assert!(matches!(again.found, Found::Near(_)));
    larder.clock.advance(MS);
    larder.rows.change("a", true);
    let reader = larder.loads(1).await;
    larder.answer_all().await;
    assert_eq!(outcomes(reader).await[0].value, text("row 1"));
    assert_eq!(larder.rows.asked(), 2);
}

#[tokio::test]
async fn a_cached_miss_of_the_origin_does_not_hide_a_value_of_the_store() {
    let larder = Larder::new();
    let reader = larder.loads(1).await;
    larder.answer_all().await;
    outcomes(reader).await;
    larder.put("1", None).await;
    assert_eq!(larder.load().await.unwrap().value, text("1"));
}

#[tokio::test]
async fn an_error_of_the_origin_is_not_cached() {
    let larder = Larder::new();
    larder.rows.set_broken(true);
    let error = larder.load().await.unwrap_err();
    assert!(matches!(error, FetchError::Origin(_)));
    larder.rows.set_broken(false);
    larder.rows.change("a", true);
    let reader = larder.loads(1).await;
    larder.answer_all().await;
    assert_eq!(outcomes(reader).await[0].value, text("row 1"));
}

#[tokio::test]
async fn a_waiter_takes_over_when_the_leader_is_dropped() {
    let larder = Larder::new();
    larder.rows.change("a", true);
    let mut readers = larder.loads(3).await;
    assert_eq!(larder.rows.asked(), 1);
    readers.remove(0).abort();
    settled().await;
    assert_eq!(larder.rows.asked(), 2, "one of the two waiters leads now");
    larder.answer_all().await;
    let outcomes = outcomes(readers).await;
    assert!(outcomes.iter().all(|outcome| outcome.value == text("row 1")));
    assert_eq!(larder.engine().counts().fills_in_flight, 0);
}

#[tokio::test]
async fn the_origin_answers_while_the_store_is_unreachable() {
    let larder = Larder::new();
    larder.rows.change("a", true);
    larder.store().set_unreachable(true);
    let reader = larder.loads(1).await;
    larder.answer_all().await;
    let outcome = &outcomes(reader).await[0];
    assert_eq!(outcome.value, text("row 1"));
    assert_eq!(outcome.found, Found::Bypass(Bypass::StoreUnreachable));
    assert_eq!(larder.get(), None);
    larder.store().set_unreachable(false);
    assert_eq!(larder.in_store(), None);
}

#[tokio::test]
async fn concurrent_readers_ask_the_origin_once_while_the_store_is_unreachable() {
    for larder in [Larder::new(), Larder::without_feed()] {
        larder.rows.change("a", true);
        larder.store().set_unreachable(true);
        let readers = larder.loads(200).await;
        larder.answer_all().await;
        let outcomes = outcomes(readers).await;
        assert!(outcomes.iter().all(|outcome| outcome.value == text("row 1")));
        assert_eq!(larder.rows.asked(), 1);
    }
}

#[tokio::test]
async fn a_fetch_without_an_origin_fails_while_the_store_is_unreachable() {
    let larder = Larder::new();
    larder.store().set_unreachable(true);
    let error = larder.fetch().await.unwrap_err();
    assert!(matches!(error, FetchError::Store(StoreError::Unreachable(_))), "{error:?}");
}

#[tokio::test]
async fn a_read_that_the_feeds_connection_lost_is_sent_once_more_on_another() {
    let timed_out = StoreError::TimedOut(MINUTE);
    let loading = StoreError::NotReady("LOADING Redis is loading the dataset in memory".into());
    for fills in
        [Fills::Fail(StoreError::Lost), Fills::Fail(timed_out), Fills::Fail(loading), Fills::Drop]
    {
        let larder = Larder::new();
        larder.put("1", None).await;
        larder.store().set_fills(fills);
        let outcome = larder.fetch().await.unwrap();
        assert_eq!(outcome.value, text("1"));
        assert_eq!(outcome.found, Found::Bypass(Bypass::FeedLost));
        assert_eq!((larder.store().fill_count(), larder.store().read_count()), (1, 1));
        assert_eq!(larder.get(), None);
    }
}

#[tokio::test]
async fn a_load_that_read_on_another_connection_is_not_joined() {
    let larder = Larder::new();
    larder.store().set_fills(Fills::Fail(StoreError::Lost));
    let before = larder.loads(1).await;
    larder.store().set_fills(Fills::Complete);
    // Another client writes, and no invalidation comes: the read was not on the feed's connection.
    let large = "x".repeat(VALUE_BYTES_MAX + 1);
    let mut txn = larder.store().inner().begin();
    txn.set(0, b"a", large.as_bytes(), Expiry::Never).unwrap();
    txn.commit().unwrap();
    assert_eq!(larder.fetch().await.unwrap().value, text(&large));
    let after = larder.loads(1).await;
    larder.answer_all().await;
    assert_eq!(outcomes(after).await[0].value, text(&large));
    outcomes(before).await;
}

#[tokio::test]
async fn an_error_reply_is_returned_and_not_retried() {
    let larder = Larder::new();
    let wrong_type = StoreError::Refused("WRONGTYPE Operation against a key".into());
    larder.store().set_fills(Fills::Fail(wrong_type.clone()));
    assert_eq!(larder.fetch().await, Err(FetchError::Store(wrong_type.clone())));
    assert_eq!(larder.load().await, Err(FetchError::Store(wrong_type)));
    assert_eq!((larder.store().read_count(), larder.rows.asked()), (0, 0));
}

#[tokio::test]
async fn without_a_feed_every_read_bypasses_and_nothing_is_cached() {
    let larder = Larder::without_feed();
    larder.put("1", None).await;
    for _ in 0..2 {
        let outcome = larder.fetch().await.unwrap();
        assert_eq!(outcome.found, Found::Bypass(Bypass::NotCoherent));
    }
    assert_eq!((larder.store().fill_count(), larder.store().read_count()), (0, 2));
    assert_eq!(larder.engine().counts().near.items, 0);
}

#[tokio::test]
async fn without_a_feed_concurrent_readers_ask_the_origin_once_and_the_store_holds_the_answer() {
    let larder = Larder::without_feed();
    larder.rows.change("a", true);
    let readers = larder.loads(200).await;
    larder.answer_all().await;
    let outcomes = outcomes(readers).await;
    assert!(outcomes.iter().all(|outcome| outcome.value == text("row 1")));
    assert_eq!((larder.rows.asked(), larder.in_store()), (1, text("row 1")));
    assert_eq!(larder.load().await.unwrap().found, Found::Bypass(Bypass::NotCoherent));
    assert_eq!((larder.rows.asked(), larder.engine().counts().near.items), (1, 0));
}

#[tokio::test]
async fn a_reply_that_must_not_be_cached_is_returned() {
    let larder = Larder::new();
    larder.store().set_fills(Fills::Uncached);
    let outcome = larder.fetch().await.unwrap();
    assert_eq!(outcome.found, Found::Store { cached: Err(NotCached::NotAllowed) });
    assert_eq!(larder.get(), None);
    let refused: Vec<_> = larder.engine().counts().refused().filter(|(_, n)| *n > 0).collect();
    assert_eq!(refused, [(NotCached::NotAllowed, 1)]);
}

#[tokio::test]
async fn a_value_too_large_is_filled_once_and_then_bypasses_until_it_changes() {
    let larder = Larder::new();
    let large = "x".repeat(VALUE_BYTES_MAX + 1);
    larder.put(&large, None).await;
    let founds = [
        Found::Store { cached: Err(NotCached::TooLarge) },
        Found::Bypass(Bypass::TooLarge),
        Found::Bypass(Bypass::TooLarge),
    ];
    for found in founds {
        let outcome = larder.fetch().await.unwrap();
        assert_eq!((outcome.value, outcome.found), (text(&large), found));
    }
    assert_eq!((larder.store().fill_count(), larder.store().read_count()), (1, 2));
    larder.engine().on_invalidation(b"a");
    larder.fetch().await.unwrap();
    assert_eq!(larder.store().fill_count(), 2);
    larder.engine().flush(FlushCause::Command);
    larder.fetch().await.unwrap();
    assert_eq!(larder.store().fill_count(), 3);
}

#[tokio::test]
async fn a_reader_after_a_delete_does_not_join_a_load_from_before_it() {
    let larder = Larder::new();
    larder.rows.change("a", true);
    let before = larder.loads(2).await;
    larder.rows.change("a", true);
    assert!(!larder.tiers.delete(a()).await.unwrap(), "the store had none");
    let after = larder.loads(2).await;
    assert_eq!(larder.rows.asked(), 2);
    larder.answer_all().await;
    assert!(outcomes(before).await.iter().all(|outcome| outcome.value == text("row 1")));
    assert!(outcomes(after).await.iter().all(|outcome| outcome.value == text("row 2")));
    assert_eq!((larder.in_store(), larder.get()), (text("row 2"), Some(text("row 2"))));
}

#[tokio::test]
async fn a_loaded_value_whose_put_lost_its_reply_is_deleted() {
    let larder = Larder::new();
    larder.rows.change("a", true);
    larder.store().set_loses_put_replies(true);
    let reader = larder.loads(1).await;
    larder.answer_all().await;
    assert_eq!(outcomes(reader).await[0].value, text("row 1"));
    assert_eq!((larder.in_store(), larder.get()), (None, None));
}

#[tokio::test]
async fn a_full_store_does_not_fail_a_load() {
    let larder = Larder::new();
    let payload = &vec![b'x'; (1 << 20) - 150];
    larder.tiers.put(Put { key: Key::plain(b"b", 0), payload, ttl: None }).await.unwrap();
    larder.rows.change("a", true);
    let reader = larder.loads(1).await;
    larder.answer_all().await;
    assert_eq!(outcomes(reader).await[0].value, text("row 1"));
    assert_eq!(larder.in_store(), None);
}

#[tokio::test]
async fn no_entry_outlives_its_key() {
    let larder = Larder::new();
    larder.put("1", Some(MS * 10)).await;
    larder.fetch().await.unwrap();
    assert_eq!(larder.get(), Some(text("1")));
    larder.clock.advance(MS * 10);
    assert_eq!(larder.get(), None);
    assert_eq!(larder.fetch().await.unwrap().value, None);
    larder.rows.change("a", true);
    let reader = larder.loads(1).await;
    larder.answer_all().await;
    let Found::Store { cached: Ok(until) } = outcomes(reader).await[0].found else {
        panic!("the loaded value is cached")
    };
    assert!(until <= larder.clock.now().plus(LOAD_TTL));
}
