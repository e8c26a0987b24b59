//! The default policy. A look-up takes the shard's lock for reading only.
//!
//! Two rings and a line of ghosts, as in CLOCK-Pro (Jiang, Chen, Zhang: USENIX ATC 2005) with the
//! small counters of S3-FIFO (Yang et al.: SOSP 2023). Names come into the hot ring while there is
//! room, into the cold one after that. When something must leave, the hand of the cold ring turns:
//! what was visited since moves into the hot ring, what was not leaves and becomes a ghost. A ghost
//! that comes back enters the hot ring at once. When that has more than its part, its hand turns and
//! takes back visits until it finds an entry that has none.
//!
//! How much the cold ring has, the ghosts decide, as in ARC (Megiddo, Modha: FAST 2003): each that
//! comes back would have stayed in a larger one, and gives it the room of an entry; of those that are
//! forgotten, twenty take it away again. So what is read in loops has almost all for the hot ring,
//! and what is read again soon has time to be.

use super::{
    entry::Entry,
    ghosts::Ghosts,
    shard::{Displaced, Size},
    slab::{EntrySlab, NODES_MAX, Ring, State, Vacated},
    weigher::Weigher,
};
use crate::{
    Value,
    sync::{RwLock, RwLockReadGuard},
};
use std::{hint::black_box, ops::RangeInclusive};

pub(super) struct ClockPro<V: Value>(RwLock<Rings<V>>);

/// A shard in which nothing changes meanwhile.
pub(super) struct SharedGuard<'a, V: Value>(RwLockReadGuard<'a, Rings<V>>);

struct Rings<V> {
    slab: EntrySlab<V>,
    cold: Ring,
    hot: Ring,
    ghosts: Ghosts,
    bytes_max: u64,
    /// What the hot ring may have at present.
    hot_bytes_max: u64,
    /// Between which bounds that moves.
    hot_bytes: RangeInclusive<u64>,
    evicted: u64,
}

/// One ghost for so many entries.
const ITEMS_PER_GHOST: u64 = 4;
/// So many ghosts that are forgotten weigh as much as one that comes back.
const FORGOTTEN_PER_RETURN: u64 = 20;
/// Ghosts where there are few entries.
const GHOSTS_MIN: usize = 16;

impl<V: Value> ClockPro<V> {
    pub(super) fn new(bytes_max: u64, weigher: Weigher) -> Self {
        let hot_bytes = hot_part(bytes_max, weigher);
        Self(RwLock::new(Rings {
            slab: EntrySlab::new(weigher),
            cold: Ring::new(),
            hot: Ring::new(),
            ghosts: Ghosts::default(),
            bytes_max,
            hot_bytes_max: *hot_bytes.end(),
            hot_bytes,
            evicted: 0,
        }))
    }

    #[inline]
    pub(super) fn visit(&self, fingerprint: u32) -> Option<(SharedGuard<'_, V>, u32)> {
        let rings = self.0.read();
        let at = rings.slab.visit(fingerprint)?;
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

    pub(super) fn put(
        &self,
        fingerprint: u32,
        make: impl FnOnce(Option<&Entry<V>>) -> Option<Entry<V>>,
    ) -> Option<Displaced<V>> {
        let mut displaced = Displaced::default();
        let mut rings = self.0.write();
        let put = rings.put(fingerprint, make, &mut displaced);
        rings.evicted += displaced.evicted.len() as u64;
        drop(rings);
        put.map(|()| displaced)
    }

    pub(super) fn remove(&self, fingerprint: u32, under_lock: impl FnOnce()) -> Option<Entry<V>> {
        let mut rings = self.0.write();
        under_lock();
        let (at, _) = rings.slab.find(fingerprint)?;
        rings.take(at)
    }

    pub(super) fn retain(&self, keep: impl Fn(&Entry<V>) -> bool) -> usize {
        let mut rings = self.0.write();
        let visited = rings.items();
        let refused = rings.slab.rejected_by(keep);
        let gone: Vec<_> = refused.into_iter().filter_map(|at| rings.take(at)).collect();
        drop(rings);
        drop(gone);
        usize::try_from(visited).unwrap_or(usize::MAX)
    }

    pub(super) fn size(&self) -> Size {
        let rings = self.0.read();
        Size { items: rings.items(), bytes: rings.bytes(), evicted: rings.evicted }
    }
}

impl<V: Value> SharedGuard<'_, V> {
    #[inline]
    pub(super) fn slab(&self) -> &EntrySlab<V> {
        &self.0.slab
    }
}

impl<V: Value> Rings<V> {
    fn put(
        &mut self,
        fingerprint: u32,
        make: impl FnOnce(Option<&Entry<V>>) -> Option<Entry<V>>,
        displaced: &mut Displaced<V>,
    ) -> Option<()> {
        let present = self.slab.index.get(fingerprint);
        let entry = make(present.and_then(|at| self.slab.entry(at)))?;
        match present {
            Some(at) if at < NODES_MAX => self.replace(at, entry, displaced),
            ghost => self.add(fingerprint, entry, ghost.is_some(), displaced)?,
        }
        Some(())
    }

    fn replace(&mut self, at: u32, entry: Entry<V>, displaced: &mut Displaced<V>) {
        let ring = if self.slab.state(at) == State::Hot { &mut self.hot } else { &mut self.cold };
        displaced.replaced = self.slab.replace(at, entry, ring);
        self.make_room(0, displaced);
    }

    /// `None` when there is no place, which takes more entries than there is memory for.
    fn add(
        &mut self,
        fingerprint: u32,
        entry: Entry<V>,
        came_back: bool,
        displaced: &mut Displaced<V>,
    ) -> Option<()> {
        let bytes = self.slab.weight(&entry);
        if came_back {
            self.ghosts.recall(fingerprint, &mut self.slab.index);
            let less = self.hot_bytes_max.saturating_sub(bytes);
            self.hot_bytes_max = less.max(*self.hot_bytes.start());
        }
        let is_hot = came_back || self.hot.bytes + bytes <= self.hot_bytes_max;
        self.make_room(bytes, displaced);
        let (state, ring) =
            if is_hot { (State::Hot, &mut self.hot) } else { (State::Cold, &mut self.cold) };
        self.slab.insert(fingerprint, entry, state, ring).ok()
    }

    /// Most of the time that an eviction takes is spent waiting for memory, one piece after the
    /// other. Here the processor asks for all that it will have to wait for.
    fn prefetch_next(&self) {
        let Self { slab, cold, ghosts, .. } = self;
        black_box(cold.first().and_then(|at| slab.prefetch(at)));
        black_box(ghosts.prefetch_oldest(&slab.index));
    }

    fn make_room(&mut self, bytes: u64, displaced: &mut Displaced<V>) {
        while self.bytes() + bytes > self.bytes_max {
            self.prefetch_next();
            if !self.advance_cold_hand(displaced) {
                break;
            }
        }
    }

    /// Lets the first of the cold ring leave, or move into the hot one. False when there is none in
    /// either.
    fn advance_cold_hand(&mut self, displaced: &mut Displaced<V>) -> bool {
        let Some(at) = self.cold.first() else { return self.advance_hot_hand(displaced) };
        if self.slab.take_visit(at) {
            self.slab.relink(at, &mut self.cold, &mut self.hot, State::Hot);
            while self.hot.bytes > self.hot_bytes_max && self.advance_hot_hand(displaced) {}
        } else if let Some(Vacated { fingerprint, entry, bytes }) =
            self.slab.vacate(at, &mut self.cold)
        {
            displaced.evicted.push(entry);
            let ghosts_max = usize::try_from(self.items() / ITEMS_PER_GHOST).unwrap_or(usize::MAX);
            let forgotten =
                self.ghosts.add(fingerprint, ghosts_max.max(GHOSTS_MIN), &mut self.slab.index);
            let more = self.hot_bytes_max + forgotten * bytes / FORGOTTEN_PER_RETURN;
            self.hot_bytes_max = more.min(*self.hot_bytes.end());
        }
        true
    }

    /// Lets one leave the hot ring: the first that was not visited since the hand was there last.
    fn advance_hot_hand(&mut self, displaced: &mut Displaced<V>) -> bool {
        while let Some(at) = self.hot.first() {
            if self.slab.take_visit(at) {
                self.slab.rotate(&mut self.hot);
            } else {
                displaced.evicted.extend(self.slab.remove(at, &mut self.hot));
                return true;
            }
        }
        false
    }

    fn take(&mut self, at: u32) -> Option<Entry<V>> {
        match self.slab.state(at) {
            State::Hot => self.slab.remove(at, &mut self.hot),
            State::Cold => self.slab.remove(at, &mut self.cold),
            State::Free => None,
        }
    }

    fn items(&self) -> u64 {
        self.cold.items + self.hot.items
    }

    fn bytes(&self) -> u64 {
        self.cold.bytes + self.hot.bytes
    }
}

/// The part of the memory for names that were read more than once, or came while there was room: at
/// least, and at most. No entry may be larger than that, so where one entry counts for everything it
/// is all of it.
fn hot_part(bytes_max: u64, weigher: Weigher) -> RangeInclusive<u64> {
    match weigher.floor() < bytes_max {
        true => bytes_max / 100 * 95..=bytes_max / 100 * 99,
        false => bytes_max..=bytes_max,
    }
}
