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
    ghosts::Ghosts,
    places::{PLACES_MAX, Places, Ring, State, Vacated},
    slot::Slot,
    table::{Left, Size},
    weigh::Weigh,
};
use crate::{
    Value,
    sync::{RwLock, RwLockReadGuard},
};
use std::{hint::black_box, ops::RangeInclusive};

pub(super) struct ClockPro<V: Value>(RwLock<Rings<V>>);

/// A shard in which nothing changes meanwhile.
pub(super) struct Reading<'a, V: Value>(RwLockReadGuard<'a, Rings<V>>);

struct Rings<V> {
    places: Places<V>,
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
    pub(super) fn new(bytes_max: u64, weigh: Weigh) -> Self {
        let hot_bytes = hot_part(bytes_max, weigh);
        Self(RwLock::new(Rings {
            places: Places::new(weigh),
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
    pub(super) fn visit(&self, tag: u32) -> Option<(Reading<'_, V>, u32)> {
        let rings = self.0.read();
        let at = rings.places.visit(tag)?;
        Some((Reading(rings), at))
    }

    pub(super) fn peek(&self, tag: u32) -> Option<(Reading<'_, V>, u32)> {
        let rings = self.0.read();
        let (at, _) = rings.places.find(tag)?;
        Some((Reading(rings), at))
    }

    pub(super) fn try_read(&self) -> Option<Reading<'_, V>> {
        self.0.try_read().map(Reading)
    }

    pub(super) fn put(
        &self,
        tag: u32,
        make: impl FnOnce(Option<&Slot<V>>) -> Option<Slot<V>>,
    ) -> Option<Left<V>> {
        let mut left = Left::default();
        let mut rings = self.0.write();
        let put = rings.put(tag, make, &mut left);
        rings.evicted += left.evicted.len() as u64;
        drop(rings);
        put.map(|()| left)
    }

    pub(super) fn remove(&self, tag: u32, happens: impl FnOnce()) -> Option<Slot<V>> {
        let mut rings = self.0.write();
        happens();
        let (at, _) = rings.places.find(tag)?;
        rings.take(at)
    }

    pub(super) fn retain(&self, keep: impl Fn(&Slot<V>) -> bool) -> usize {
        let mut rings = self.0.write();
        let visited = rings.items();
        let refused = rings.places.refused(keep);
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

impl<V: Value> Reading<'_, V> {
    #[inline]
    pub(super) fn places(&self) -> &Places<V> {
        &self.0.places
    }
}

impl<V: Value> Rings<V> {
    fn put(
        &mut self,
        tag: u32,
        make: impl FnOnce(Option<&Slot<V>>) -> Option<Slot<V>>,
        left: &mut Left<V>,
    ) -> Option<()> {
        let stands = self.places.index.get(tag);
        let slot = make(stands.and_then(|at| self.places.slot(at)))?;
        match stands {
            Some(at) if at < PLACES_MAX => self.replace(at, slot, left),
            ghost => self.add(tag, slot, ghost.is_some(), left)?,
        }
        Some(())
    }

    fn replace(&mut self, at: u32, slot: Slot<V>, left: &mut Left<V>) {
        let ring = if self.places.state(at) == State::Hot { &mut self.hot } else { &mut self.cold };
        left.replaced = self.places.replace(at, slot, ring);
        self.make_room(0, left);
    }

    /// `None` when there is no place, which takes more entries than there is memory for.
    fn add(&mut self, tag: u32, slot: Slot<V>, came_back: bool, left: &mut Left<V>) -> Option<()> {
        let bytes = self.places.weight(&slot);
        if came_back {
            self.ghosts.recall(tag, &mut self.places.index);
            let less = self.hot_bytes_max.saturating_sub(bytes);
            self.hot_bytes_max = less.max(*self.hot_bytes.start());
        }
        let is_hot = came_back || self.hot.bytes + bytes <= self.hot_bytes_max;
        self.make_room(bytes, left);
        let (state, ring) =
            if is_hot { (State::Hot, &mut self.hot) } else { (State::Cold, &mut self.cold) };
        self.places.add(tag, slot, state, ring).ok()
    }

    /// Most of the time that an eviction takes is spent waiting for memory, one piece after the
    /// other. Here the processor asks for all that it will have to wait for.
    fn touch_next(&self) {
        let Self { places, cold, ghosts, .. } = self;
        black_box(cold.first().and_then(|at| places.touch(at)));
        black_box(ghosts.touch_oldest(&places.index));
    }

    fn make_room(&mut self, bytes: u64, left: &mut Left<V>) {
        while self.bytes() + bytes > self.bytes_max {
            self.touch_next();
            if !self.turn_cold(left) {
                break;
            }
        }
    }

    /// Lets the first of the cold ring leave, or move into the hot one. False when there is none in
    /// either.
    fn turn_cold(&mut self, left: &mut Left<V>) -> bool {
        let Some(at) = self.cold.first() else { return self.turn_hot(left) };
        if self.places.unvisit(at) {
            self.places.change(at, &mut self.cold, &mut self.hot, State::Hot);
            while self.hot.bytes > self.hot_bytes_max && self.turn_hot(left) {}
        } else if let Some(Vacated { tag, slot, bytes }) = self.places.vacate(at, &mut self.cold) {
            left.evicted.push(slot);
            let ghosts_max = usize::try_from(self.items() / ITEMS_PER_GHOST).unwrap_or(usize::MAX);
            let forgotten =
                self.ghosts.add(tag, ghosts_max.max(GHOSTS_MIN), &mut self.places.index);
            let more = self.hot_bytes_max + forgotten * bytes / FORGOTTEN_PER_RETURN;
            self.hot_bytes_max = more.min(*self.hot_bytes.end());
        }
        true
    }

    /// Lets one leave the hot ring: the first that was not visited since the hand was there last.
    fn turn_hot(&mut self, left: &mut Left<V>) -> bool {
        while let Some(at) = self.hot.first() {
            if self.places.unvisit(at) {
                self.places.turn(&mut self.hot);
            } else {
                left.evicted.extend(self.places.take(at, &mut self.hot));
                return true;
            }
        }
        false
    }

    fn take(&mut self, at: u32) -> Option<Slot<V>> {
        match self.places.state(at) {
            State::Hot => self.places.take(at, &mut self.hot),
            State::Cold => self.places.take(at, &mut self.cold),
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
fn hot_part(bytes_max: u64, weigh: Weigh) -> RangeInclusive<u64> {
    match weigh.floor() < bytes_max {
        true => bytes_max / 100 * 95..=bytes_max / 100 * 99,
        false => bytes_max..=bytes_max,
    }
}
