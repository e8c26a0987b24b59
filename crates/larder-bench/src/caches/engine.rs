//! The near cache behind the engine, as shipped: a miss takes a lease, and only a live lease inserts
//! the reply. Single-flight loads join a flight as well.

use std::sync::Arc;
use std::time::Duration;

use larder_core::expiry::Ttl;
use larder_core::near::{NearConfig, Policy};
use larder_core::{
    CachedRef, Clock, Engine, EngineConfig, Fill, FillOutcome, FlushCause, Found, Key as Name,
    KeyFilter, ReadStore, StoreError, Tiers,
};

use crate::caches::cache::{Cache, Capacity, ReadCounts};
use crate::caches::entry::{Key, Value, copy_value, key_of, value_of};
use crate::keys::VALUE_BYTES;

pub(super) type Payload = Option<Arc<[u8]>>;

/// More than any run here caches.
const BYTES_MAX: u64 = 8 << 30;
/// The default of `near-max-value`.
const VALUE_BYTES_MAX: u64 = 1 << 20;
/// How many entries one sweep visits.
pub(super) const SWEEP_VISITS: usize = 1 << 20;
const HOUR: Duration = Duration::from_hours(1);

/// The engine over a store that has a value for every key.
pub struct Larder {
    /// Fetches without a flight, as the store answers at once.
    tiers: Tiers<Payload, Generated>,
    /// Fetches with a flight, over the same near cache.
    flight_tiers: Tiers<Payload, Generated>,
    is_batched: bool,
}

impl Larder {
    /// Creates an empty cache that reads in batches.
    pub fn new(capacity: Capacity, policy: Policy) -> Self {
        let near = near_config(capacity, policy);
        let config = EngineConfig {
            near,
            near_ttl: HOUR,
            staleness_bound: HOUR,
            keys: KeyFilter::default(),
        };
        let engine = Engine::new(&config, Clock::System);
        let epoch = engine.begin_epoch();
        engine.feed().always_fresh(epoch);
        let flight_tiers = Tiers::new(Arc::clone(&engine), Generated { at_once: false });
        let tiers = Tiers::new(engine, Generated { at_once: true });
        Self { tiers, flight_tiers, is_batched: true }
    }

    /// Makes each read look at the clock and update the counters by itself.
    #[must_use]
    pub fn unbatched(self) -> Self {
        Self { is_batched: false, ..self }
    }
}

impl Cache for Larder {
    fn get(&self, key: &Key, value: &mut Value) -> bool {
        let Some(view) = self.tiers.engine().batch_view() else { return false };
        let found = |cached: CachedRef<'_, Payload>, _| copy_value(bytes_of(&cached), value);
        self.tiers.engine().reader(view).get(Name::plain(key, 0), found) == Some(true)
    }

    /// Fills on a miss, which is the only way to insert.
    fn insert(&self, key: &Key, value: &mut Value) {
        self.get_or_insert(key, value);
    }

    fn clear(&self) {
        self.tiers.engine().flush(FlushCause::Command);
    }

    fn len(&self) -> u64 {
        self.tiers.engine().counts().near.items
    }

    /// Sweeps invalid entries, as a server does in the background.
    fn run_pending(&self) {
        self.tiers.engine().sweep(SWEEP_VISITS);
    }

    fn get_or_insert(&self, key: &Key, value: &mut Value) -> bool {
        fetch(&self.tiers, key, value)
    }

    fn get_or_load(&self, key: &Key, value: &mut Value) -> bool {
        fetch(&self.flight_tiers, key, value)
    }

    /// Reads as a server reads a pipeline: looks at the clock and updates the counters once.
    fn get_batch(&self, numbers: &[u32], counts: &mut ReadCounts) {
        let mut value = [0; VALUE_BYTES];
        if !self.is_batched {
            for &number in numbers {
                let key = key_of(number);
                let is_hit = self.get(&key, &mut value);
                counts.count(&key, &value, is_hit);
            }
            return;
        }
        let Some(view) = self.tiers.engine().batch_view() else { return };
        let mut reader = self.tiers.engine().reader(view);
        for &number in numbers {
            let key = key_of(number);
            let found =
                |cached: CachedRef<'_, Payload>, _| copy_value(bytes_of(&cached), &mut value);
            let is_hit = reader.get(Name::plain(&key, 0), found) == Some(true);
            counts.count(&key, &value, is_hit);
        }
    }
}

fn fetch(tiers: &Tiers<Payload, Generated>, key: &Key, value: &mut Value) -> bool {
    // The store answers before the caller would have to wait.
    let Ok(fetched) = tiers.start(Name::plain(key, 0)).into_answer() else { return false };
    copy_value(bytes_of(&CachedRef::Value(&fetched.value)), value)
        && matches!(fetched.found, Found::Near(_))
}

pub(super) fn near_config(capacity: Capacity, policy: Policy) -> NearConfig {
    // The near cache has as many shards as have room for several values of the largest size.
    let value_bytes_max = if capacity.is_single_shard() { BYTES_MAX / 2 } else { VALUE_BYTES_MAX };
    NearConfig {
        bytes_max: BYTES_MAX,
        entries_max: match capacity {
            Capacity::NoEviction(_) => 0,
            Capacity::Sharded(entries) | Capacity::SingleShard(entries) => entries,
        },
        value_bytes_max: usize::try_from(value_bytes_max).unwrap_or(usize::MAX),
        policy,
    }
}

#[inline]
pub(super) fn bytes_of<'a>(cached: &CachedRef<'a, Payload>) -> &'a [u8] {
    match cached {
        CachedRef::Bytes(bytes) => bytes,
        CachedRef::Value(value) => value.as_deref().unwrap_or_default(),
    }
}

/// A store that makes a value for every key.
struct Generated {
    at_once: bool,
}

impl ReadStore<Payload> for Generated {
    fn fill(&self, fill: Fill<'_, Payload>) -> FillOutcome<Payload> {
        let value = value_of(fill.key().name);
        fill.complete(Some(value.as_slice().into()), Ttl::Forever)
    }

    fn answers_at_once(&self) -> bool {
        self.at_once
    }

    async fn read(&self, _: Name<'_>) -> Result<Payload, StoreError> {
        Err(StoreError::Unreachable("the store only fills".into()))
    }
}
