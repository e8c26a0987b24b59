//! The default policy: one shard over `quick_cache` (a CLOCK-PRO with S3-FIFO's admission).
//! A look-up takes the shard's lock for reading only.

use super::{name::Finished, slot::Slot, table::Left, weigh::Weigh};
use crate::{Value, sync::RwLock};
use quick_cache::{Lifecycle, OptionsBuilder, unsync::Cache};
use std::marker::PhantomData;

type Table<V> = Cache<u64, Slot<V>, Weigh, Finished, Leaving<V>>;

/// Ghosts (names seen lately, kept to tell a second visit from a scan) cost as much bookkeeping as
/// an entry, so their number follows the memory: one for each half of a kibibyte, halved again.
const BYTES_PER_ITEM_ESTIMATE: u64 = 512;
const GHOSTS_PER_ITEM: f64 = 0.5;

pub(super) struct ScanResistant<V: Value>(RwLock<Table<V>>);

impl<V: Value> ScanResistant<V> {
    pub(super) fn new(bytes_max: u64, weigh: Weigh) -> Self {
        let items = usize::try_from(bytes_max / BYTES_PER_ITEM_ESTIMATE.max(weigh.floor()));
        let options = OptionsBuilder::new()
            .estimated_items_capacity(items.unwrap_or(usize::MAX).max(32))
            .weight_capacity(bytes_max)
            .hot_allocation(hot_part(bytes_max, weigh))
            .ghost_allocation(GHOSTS_PER_ITEM)
            .build();
        let table = match options {
            Ok(options) => Table::with_options(options, weigh, Finished, Leaving::default()),
            // Both capacities are given, which is all that `build` checks.
            Err(_) => Table::with(32, bytes_max, weigh, Finished, Leaving::default()),
        };
        Self(RwLock::new(table))
    }

    pub(super) fn get<R>(&self, hash: u64, found: impl FnOnce(&Slot<V>) -> R) -> Option<R> {
        self.0.read().get(&hash).map(found)
    }

    pub(super) fn put(
        &self,
        hash: u64,
        make: impl FnOnce(Option<&Slot<V>>) -> Option<Slot<V>>,
    ) -> Option<Left<V>> {
        let mut evicted = Vec::new();
        let mut table = self.0.write();
        let present = table.peek(&hash);
        let replaced = usize::from(present.is_some());
        let slot = make(present)?;
        table.insert_with_lifecycle(hash, slot, &mut evicted);
        drop(table);
        Some(Left { count: evicted.len().saturating_sub(replaced), _garbage: evicted })
    }

    pub(super) fn remove(&self, hash: u64) -> Option<Slot<V>> {
        self.0.write().remove(&hash).map(|(_, slot)| slot)
    }

    pub(super) fn retain(&self, keep: impl Fn(&Slot<V>) -> bool) -> usize {
        let visited = self.0.read().len();
        self.0.write().retain(|_, slot| keep(slot));
        visited
    }

    pub(super) fn size(&self) -> (u64, u64) {
        let table = self.0.read();
        (table.len() as u64, table.weight())
    }
}

/// The part of the memory for names that were read more than once, or came while there was room. No
/// entry may be larger than that, so where one entry counts for everything it is all of it.
fn hot_part(bytes_max: u64, weigh: Weigh) -> f64 {
    if weigh.floor() < bytes_max { 0.97 } else { 1.0 }
}

/// Hands evicted entries out of the table.
struct Leaving<V>(PhantomData<fn() -> V>);

impl<V> Default for Leaving<V> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<V> Lifecycle<u64, Slot<V>> for Leaving<V> {
    type RequestState = Vec<Slot<V>>;

    fn on_evict(&self, leaving: &mut Self::RequestState, _: u64, slot: Slot<V>) {
        leaving.push(slot);
    }
}
