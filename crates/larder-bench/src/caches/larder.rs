//! The near tier, through the engine as it is shipped: a miss takes a lease, and a reply enters
//! under that lease alone. Where all who miss a key are to wait for one of them, a flight as well.

use std::sync::Arc;
use std::time::Duration;

use larder_core::expiry::Ttl;
use larder_core::near::{NearConfig, Policy};
use larder_core::{
    CachedRef, Clock, Engine, EngineConfig, Fill, FillOutcome, FlushCause, Found, Key as Name,
    KeyFilter, Put, Store, StoreError, Tiers, WriteGuard,
};

use crate::caches::{Cache, Key, Size, Tally, Value, copy, key_of, value_of};
use crate::keys::VALUE_BYTES;

pub(super) type Payload = Option<Arc<[u8]>>;

/// More than any run here keeps.
const BYTES_MAX: u64 = 8 << 30;
/// As `near-max-value` has it.
const VALUE_BYTES_MAX: u64 = 1 << 20;
/// Entries that the sweep looks at in one go.
pub(super) const SWEEP_VISITS: usize = 1 << 20;
const HOUR: Duration = Duration::from_hours(1);

pub(super) struct Larder {
    tiers: Tiers<Payload, Generated>,
    /// The same near tier, of which those who miss a key wait for the first of them. Nobody asks
    /// both at the same time.
    together: Tiers<Payload, Generated>,
    one_by_one: bool,
}

impl Larder {
    pub(super) fn new(size: Size, policy: Policy) -> Self {
        let near = plan(size, policy);
        let plan = EngineConfig {
            near,
            near_ttl: HOUR,
            staleness_bound: HOUR,
            keys: KeyFilter::default(),
        };
        let engine = Engine::new(&plan, Clock::System);
        let epoch = engine.begin_epoch();
        engine.feed().always_fresh(epoch);
        let together = Tiers::new(Arc::clone(&engine), Generated { at_once: false });
        Self { tiers: Tiers::new(engine, Generated { at_once: true }), together, one_by_one: false }
    }

    pub(super) fn read_one_by_one(self) -> Self {
        Self { one_by_one: true, ..self }
    }
}

impl Cache for Larder {
    fn read(&self, key: &Key, value: &mut Value) -> bool {
        let Some(view) = self.tiers.engine().read_view() else { return false };
        let found = |seen: CachedRef<'_, Payload>, _| copy(bytes_of(&seen), value);
        self.tiers.engine().reader(view).get(Name::get(key, 0), found) == Some(true)
    }

    /// There is no way in but a fill.
    fn insert(&self, key: &Key, value: &mut Value) {
        self.fetch(key, value);
    }

    fn clear(&self) {
        self.tiers.engine().flush(FlushCause::Command);
    }

    fn len(&self) -> u64 {
        self.tiers.engine().counts().near.items
    }

    /// Gives back what no longer counts, as the upkeep of a server does.
    fn settle(&self) {
        self.tiers.engine().sweep(SWEEP_VISITS);
    }

    fn fetch(&self, key: &Key, value: &mut Value) -> bool {
        fetch(&self.tiers, key, value)
    }

    fn load(&self, key: &Key, value: &mut Value) -> bool {
        fetch(&self.together, key, value)
    }

    /// As a server reads a pipeline: the clock once for all, and all are counted at once.
    fn reads(&self, numbers: &[u32], tally: &mut Tally) {
        let mut value = [0; VALUE_BYTES];
        if self.one_by_one {
            for &number in numbers {
                let key = key_of(number);
                let is_hit = self.read(&key, &mut value);
                tally.count(&key, &value, is_hit);
            }
            return;
        }
        let Some(view) = self.tiers.engine().read_view() else { return };
        let mut reader = self.tiers.engine().reader(view);
        for &number in numbers {
            let key = key_of(number);
            let found = |seen: CachedRef<'_, Payload>, _| copy(bytes_of(&seen), &mut value);
            let is_hit = reader.get(Name::get(&key, 0), found) == Some(true);
            tally.count(&key, &value, is_hit);
        }
    }
}

fn fetch(tiers: &Tiers<Payload, Generated>, key: &Key, value: &mut Value) -> bool {
    // The store answers before anybody has to wait.
    let Ok(fetched) = tiers.start(Name::get(key, 0)).into_answer() else { return false };
    copy(bytes_of(&CachedRef::Value(&fetched.value)), value)
        && matches!(fetched.found, Found::Near(_))
}

pub(super) fn plan(size: Size, policy: Policy) -> NearConfig {
    // The tier has as many shards as have room for several of the largest values.
    let value_bytes_max = if size.is_exact() { BYTES_MAX / 2 } else { VALUE_BYTES_MAX };
    NearConfig {
        bytes_max: BYTES_MAX,
        entries_max: if matches!(size, Size::RoomFor(_)) { 0 } else { size.entries() },
        value_bytes_max: usize::try_from(value_bytes_max).unwrap_or(usize::MAX),
        policy,
    }
}

#[inline]
pub(super) fn bytes_of<'a>(seen: &CachedRef<'a, Payload>) -> &'a [u8] {
    match seen {
        CachedRef::Bytes(bytes) => bytes,
        CachedRef::Value(whole) => whole.as_deref().unwrap_or_default(),
    }
}

/// A store that has a value for every name.
struct Generated {
    at_once: bool,
}

impl Store<Payload> for Generated {
    fn fill(&self, fill: Fill<'_, Payload>) -> FillOutcome<Payload> {
        let value = value_of(fill.key().name);
        fill.complete(Some(value.as_slice().into()), Ttl::Forever)
    }

    fn answers_at_once(&self) -> bool {
        self.at_once
    }

    async fn read(&self, _: Name<'_>) -> Result<Payload, StoreError> {
        Err(StoreError::Unreachable("it only fills".into()))
    }

    async fn put(
        &self,
        _: &WriteGuard<Payload>,
        _: &[u8],
        _: u32,
        _: &[u8],
        _: Option<Duration>,
    ) -> Result<(), StoreError> {
        Err(StoreError::Full)
    }

    async fn delete(&self, _: &WriteGuard<Payload>, _: &[u8], _: u32) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn put_loaded(
        &self,
        _: &Fill<'_, Payload>,
        _: &[u8],
        _: Duration,
    ) -> Result<Put, StoreError> {
        Err(StoreError::Full)
    }

    async fn delete_if_ours(
        &self,
        _: &WriteGuard<Payload>,
        _: &[u8],
        _: u32,
        _: &[u8],
        _: Duration,
    ) -> Result<(), StoreError> {
        Ok(())
    }
}
