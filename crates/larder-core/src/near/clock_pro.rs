//! Eviction policy `clock-pro`, the default. A lookup takes the shard's lock in shared mode.
//!
//! A shard has two rings of entries and a queue of ghosts, as in CLOCK-Pro (Jiang, Chen, Zhang:
//! "CLOCK-Pro: An Effective Improvement of the CLOCK Replacement", USENIX ATC 2005), and a small
//! access counter in each entry, as in S3-FIFO (Yang et al.: "FIFO Queues are All You Need for
//! Cache Eviction", SOSP 2023).
//!
//! - A new entry goes to the hot ring while that has room, and to the cold ring afterwards.
//! - When the shard is full, the hand of the cold ring advances. An entry that was accessed moves
//!   to the hot ring. An entry that was not is evicted, and its fingerprint becomes a ghost.
//! - A name that is inserted again while its ghost is known goes to the hot ring at once.
//! - When the hot ring exceeds its share, its hand advances. It decrements the access counters that
//!   it passes, and evicts the first entry whose counter is zero.
//!
//! The shares of the rings adapt, as in ARC (Megiddo, Modha: "ARC: A Self-Tuning, Low Overhead
//! Replacement Cache", FAST 2003). A ghost that comes back would still be cached if the cold ring
//! were larger, so it moves the room of one entry to the cold ring. Twenty ghosts that are
//! forgotten move as much to the hot ring. A loop over many names thus leaves the hot ring almost
//! everything, and names that are read again soon stay long enough for that.

use super::{
    displaced::{Displaced, Size},
    entry::Entry,
    ghosts::Ghosts,
    insertion::InsertError,
    slab::{EntrySlab, NODES_MAX, Ring, State},
    weigher::Weigher,
};
use crate::{
    Value,
    sync::{RwLock, RwLockReadGuard},
};
use std::{hint::black_box, ops::RangeInclusive};

pub(super) struct ClockPro<V: Value>(RwLock<Rings<V>>);

/// A shard locked in shared mode.
pub(super) struct SharedGuard<'a, V: Value>(RwLockReadGuard<'a, Rings<V>>);

struct Rings<V> {
    slab: EntrySlab<V>,
    cold: Ring,
    hot: Ring,
    ghosts: Ghosts,
    weight_max: u64,
    /// The current maximum weight of the hot ring.
    hot_weight_max: u64,
    /// The range within which `hot_weight_max` adapts.
    hot_weight_range: RangeInclusive<u64>,
    evicted: u64,
}

/// One ghost for so many entries.
const ITEMS_PER_GHOST: u64 = 4;
/// So many forgotten ghosts weigh as much as one that comes back.
const FORGOTTEN_PER_RETURN: u64 = 20;
/// Minimum number of ghosts, for shards with few entries.
const GHOSTS_MIN: usize = 16;

impl<V: Value> ClockPro<V> {
    pub(super) fn new(weight_max: u64, weigher: Weigher) -> Self {
        let hot_weight_range = hot_weight_range(weight_max, weigher);
        Self(RwLock::new(Rings {
            slab: EntrySlab::new(weigher),
            cold: Ring::new(),
            hot: Ring::new(),
            ghosts: Ghosts::default(),
            weight_max,
            hot_weight_max: *hot_weight_range.end(),
            hot_weight_range,
            evicted: 0,
        }))
    }

    #[inline]
    pub(super) fn get(&self, fingerprint: u32) -> Option<(SharedGuard<'_, V>, u32)> {
        let rings = self.0.read();
        let at = rings.slab.access(fingerprint)?;
        Some((SharedGuard(rings), at))
    }

    pub(super) fn peek(&self, fingerprint: u32) -> Option<(SharedGuard<'_, V>, u32)> {
        let rings = self.0.read();
        let (at, _) = rings.slab.find(fingerprint)?;
        Some((SharedGuard(rings), at))
    }

    pub(super) fn try_read(&self) -> Option<SharedGuard<'_, V>> {
        self.0.try_read().map(SharedGuard)
    }

    pub(super) fn insert_with(
        &self,
        fingerprint: u32,
        make: impl FnOnce(Option<&Entry<V>>) -> Result<Entry<V>, InsertError>,
    ) -> Result<Displaced<V>, InsertError> {
        let mut displaced = Displaced::default();
        let mut rings = self.0.write();
        let inserted = rings.insert_with(fingerprint, make, &mut displaced);
        rings.evicted += displaced.evicted.len() as u64;
        drop(rings);
        inserted.map(|()| displaced)
    }

    pub(super) fn remove(&self, fingerprint: u32, under_lock: impl FnOnce()) -> Option<Entry<V>> {
        let mut rings = self.0.write();
        under_lock();
        let (at, _) = rings.slab.find(fingerprint)?;
        rings.remove(at)
    }

    pub(super) fn retain(&self, keep: impl Fn(&Entry<V>) -> bool) -> usize {
        let mut rings = self.0.write();
        let visited = rings.items();
        let rejected = rings.slab.rejected_by(keep);
        let removed: Vec<_> = rejected.into_iter().filter_map(|at| rings.remove(at)).collect();
        drop(rings);
        drop(removed);
        usize::try_from(visited).unwrap_or(usize::MAX)
    }

    pub(super) fn size(&self) -> Size {
        let rings = self.0.read();
        Size { items: rings.items(), bytes: rings.weight(), evicted: rings.evicted }
    }
}

impl<V: Value> SharedGuard<'_, V> {
    #[inline]
    pub(super) fn slab(&self) -> &EntrySlab<V> {
        &self.0.slab
    }
}

impl<V: Value> Rings<V> {
    fn insert_with(
        &mut self,
        fingerprint: u32,
        make: impl FnOnce(Option<&Entry<V>>) -> Result<Entry<V>, InsertError>,
        displaced: &mut Displaced<V>,
    ) -> Result<(), InsertError> {
        let location = self.slab.index.get(fingerprint);
        let node = location.filter(|&at| at < NODES_MAX);
        let entry = make(node.and_then(|at| self.slab.entry(at)))?;
        if let Some(at) = node {
            self.replace(at, entry, displaced);
            return Ok(());
        }
        let was_ghost = location.is_some();
        self.add(fingerprint, entry, was_ghost, displaced)
    }

    fn replace(&mut self, at: u32, entry: Entry<V>, displaced: &mut Displaced<V>) {
        let ring = if self.slab.state(at) == State::Hot { &mut self.hot } else { &mut self.cold };
        displaced.replaced = self.slab.replace(at, entry, ring);
        self.make_room(0, displaced);
    }

    /// Adds an entry whose fingerprint has no node. Fails only with more entries than fit in
    /// memory.
    fn add(
        &mut self,
        fingerprint: u32,
        entry: Entry<V>,
        was_ghost: bool,
        displaced: &mut Displaced<V>,
    ) -> Result<(), InsertError> {
        let weight = self.slab.weight(&entry);
        if was_ghost {
            self.ghosts.recall(fingerprint, &mut self.slab.index);
            let less = self.hot_weight_max.saturating_sub(weight);
            self.hot_weight_max = less.max(*self.hot_weight_range.start());
        }
        let is_hot = was_ghost || self.hot.weight + weight <= self.hot_weight_max;
        self.make_room(weight, displaced);
        let (state, ring) =
            if is_hot { (State::Hot, &mut self.hot) } else { (State::Cold, &mut self.cold) };
        self.slab.insert(fingerprint, entry, state, ring).map_err(|_| InsertError::NoRoom)
    }

    /// Evicts entries until `weight` more fits.
    fn make_room(&mut self, weight: u64, displaced: &mut Displaced<V>) {
        while self.weight() + weight > self.weight_max {
            self.prefetch_next();
            if !self.advance_cold_hand(displaced) {
                break;
            }
        }
    }

    /// Requests all the memory that the next eviction will read. An eviction spends most of its
    /// time waiting for memory, and would otherwise wait for one piece after the other.
    fn prefetch_next(&self) {
        let Self { slab, cold, ghosts, .. } = self;
        black_box(cold.first().and_then(|at| slab.prefetch(at)));
        black_box(ghosts.prefetch_oldest(&slab.index));
    }

    /// Evicts the first entry of the cold ring, or moves it to the hot ring. Returns false if both
    /// rings are empty.
    fn advance_cold_hand(&mut self, displaced: &mut Displaced<V>) -> bool {
        let Some(at) = self.cold.first() else { return self.advance_hot_hand(displaced) };
        if self.slab.take_access(at) {
            self.slab.relink(at, &mut self.cold, &mut self.hot, State::Hot);
            while self.hot.weight > self.hot_weight_max && self.advance_hot_hand(displaced) {}
        } else if let Some(vacated) = self.slab.vacate(at, &mut self.cold) {
            self.add_ghost(vacated.fingerprint, vacated.weight);
            displaced.evicted.push(vacated.entry);
        }
        true
    }

    /// Turns an evicted entry into a ghost, and gives the hot ring the share of the ghosts that are
    /// forgotten for it.
    fn add_ghost(&mut self, fingerprint: u32, weight: u64) {
        let ghosts_max = usize::try_from(self.items() / ITEMS_PER_GHOST).unwrap_or(usize::MAX);
        let ghosts_max = ghosts_max.max(GHOSTS_MIN);
        let forgotten = self.ghosts.add(fingerprint, ghosts_max, &mut self.slab.index);
        let more = self.hot_weight_max + forgotten * weight / FORGOTTEN_PER_RETURN;
        self.hot_weight_max = more.min(*self.hot_weight_range.end());
    }

    /// Evicts from the hot ring the first entry that was not accessed since the hand passed it.
    /// Returns false if the ring is empty.
    fn advance_hot_hand(&mut self, displaced: &mut Displaced<V>) -> bool {
        while let Some(at) = self.hot.first() {
            if self.slab.take_access(at) {
                self.slab.rotate(&mut self.hot);
            } else {
                displaced.evicted.extend(self.slab.remove(at, &mut self.hot));
                return true;
            }
        }
        false
    }

    fn remove(&mut self, at: u32) -> Option<Entry<V>> {
        match self.slab.state(at) {
            State::Hot => self.slab.remove(at, &mut self.hot),
            State::Cold => self.slab.remove(at, &mut self.cold),
            State::Free => None,
        }
    }

    fn items(&self) -> u64 {
        self.cold.items + self.hot.items
    }

    fn weight(&self) -> u64 {
        self.cold.weight + self.hot.weight
    }
}

/// Returns the minimum and the maximum share of the hot ring. No entry may weigh more than that
/// share, so where a single entry weighs as much as the whole shard, it is the whole shard.
fn hot_weight_range(weight_max: u64, weigher: Weigher) -> RangeInclusive<u64> {
    match weigher.weight_min() < weight_max {
        true => weight_max / 100 * 95..=weight_max / 100 * 99,
        false => weight_max..=weight_max,
    }
}
