//! The entries of one shard: where each stands, and the rings in which its policy has put them.

use super::{index::Index, slot::Slot, weigh::Weigh};
use crate::{
    Value,
    sync::atomic::{AtomicU8, Ordering::Relaxed},
};

pub(super) struct Places<V> {
    all: Vec<Place<V>>,
    /// The first of those that hold nothing; each knows the next.
    free: u32,
    /// Where the entry with a tag stands. Numbers from [`PLACES_MAX`] on mean what the policy
    /// wants.
    pub(super) index: Index,
    weigh: Weigh,
}

struct Place<V> {
    slot: Slot<V>,
    /// How often it was looked at lately, up to [`VISITS_MAX`].
    visits: AtomicU8,
    state: State,
    tag: u32,
    before: u32,
    after: u32,
}

/// An entry that has left its place.
pub(super) struct Vacated<V> {
    pub(super) tag: u32,
    pub(super) slot: Slot<V>,
    pub(super) bytes: u64,
}

/// What a place holds: nothing, or an entry in one of two rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Free,
    Cold,
    Hot,
}

/// Entries in a circle.
pub(super) struct Ring {
    first: u32,
    pub(super) items: u64,
    pub(super) bytes: u64,
}

/// Places are numbered below this.
pub(super) const PLACES_MAX: u32 = 1 << 31;
/// No place.
pub(super) const NOWHERE: u32 = u32::MAX;
/// More visits than that tell a policy nothing.
const VISITS_MAX: u8 = 3;

impl Ring {
    pub(super) fn new() -> Self {
        Self { first: NOWHERE, items: 0, bytes: 0 }
    }

    pub(super) fn first(&self) -> Option<u32> {
        (self.first != NOWHERE).then_some(self.first)
    }
}

impl<V: Value> Places<V> {
    pub(super) fn new(weigh: Weigh) -> Self {
        Self { all: Vec::new(), free: NOWHERE, index: Index::new(), weigh }
    }

    /// The entry with this tag.
    #[inline]
    pub(super) fn find(&self, tag: u32) -> Option<(u32, &Slot<V>)> {
        let at = self.index.get(tag)?;
        self.get(at).map(|place| (at, &place.slot))
    }

    /// Where it is, and notes the visit.
    #[inline]
    pub(super) fn visit(&self, tag: u32) -> Option<u32> {
        self.index.get(tag).filter(|&at| self.visit_at(at).is_some())
    }

    /// The entry at a place, of which the visit is noted.
    #[inline]
    pub(super) fn visit_at(&self, at: u32) -> Option<&Slot<V>> {
        let place = self.get(at)?;
        let visits = place.visits.load(Relaxed);
        // Two at once may count as one. Those who are visited most are not written to.
        if visits < VISITS_MAX {
            place.visits.store(visits + 1, Relaxed);
        }
        Some(&place.slot)
    }

    /// The slot at a place.
    #[inline]
    pub(super) fn slot(&self, at: u32) -> Option<&Slot<V>> {
        self.get(at).map(|place| &place.slot)
    }

    pub(super) fn weight(&self, slot: &Slot<V>) -> u64 {
        self.weigh.bytes(slot)
    }

    /// PendingLoads a new entry, whose tag is not in the index, at the end of a ring. Gives it back where
    /// there is no place.
    pub(super) fn add(
        &mut self,
        tag: u32,
        slot: Slot<V>,
        state: State,
        ring: &mut Ring,
    ) -> Result<(), Slot<V>> {
        let bytes = self.weight(&slot);
        let place =
            Place { slot, visits: AtomicU8::new(0), state, tag, before: NOWHERE, after: NOWHERE };
        let at = match self.get_mut(self.free) {
            Some(free) => {
                let next = free.after;
                *free = place;
                std::mem::replace(&mut self.free, next)
            }
            None => match u32::try_from(self.all.len()) {
                Ok(at) if at < PLACES_MAX => {
                    self.all.push(place);
                    at
                }
                _ => return Err(place.slot),
            },
        };
        self.index.insert(tag, at);
        self.link_last(at, bytes, ring);
        Ok(())
    }

    /// PendingLoads another slot in place of one in a ring, which is given back. That counts as a visit.
    pub(super) fn replace(&mut self, at: u32, slot: Slot<V>, ring: &mut Ring) -> Option<Slot<V>> {
        let weigh = self.weigh;
        let place = self.get_mut(at)?;
        ring.bytes += weigh.bytes(&slot);
        ring.bytes -= weigh.bytes(&place.slot);
        let visits = place.visits.get_mut();
        *visits = (*visits + 1).min(VISITS_MAX);
        Some(std::mem::replace(&mut place.slot, slot))
    }

    /// Reads what is read of an entry when it leaves: where it stands in the index, and itself.
    pub(super) fn touch(&self, at: u32) -> Option<(u64, u8)> {
        let place = self.get(at)?;
        Some((self.index.first_word(place.tag), place.slot.touch()))
    }

    /// Takes an entry out of its ring, and its tag out of the index.
    pub(super) fn take(&mut self, at: u32, ring: &mut Ring) -> Option<Slot<V>> {
        let Vacated { tag, slot, .. } = self.vacate(at, ring)?;
        self.index.remove(tag);
        Some(slot)
    }

    /// Takes an entry out of its ring. Its tag the index still has, and must not have for long.
    pub(super) fn vacate(&mut self, at: u32, ring: &mut Ring) -> Option<Vacated<V>> {
        let bytes = self.unlink(at, ring);
        let free = self.free;
        let place = self.get_mut(at)?;
        let slot = std::mem::replace(&mut place.slot, Slot::vacant());
        let tag = place.tag;
        (place.state, place.after) = (State::Free, free);
        self.free = at;
        Some(Vacated { tag, slot, bytes })
    }

    /// Takes back one visit to an entry, if there was any.
    pub(super) fn unvisit(&mut self, at: u32) -> bool {
        let Some(visits) = self.get_mut(at).map(|place| place.visits.get_mut()) else {
            return false;
        };
        let was_visited = *visits > 0;
        *visits = visits.saturating_sub(1);
        was_visited
    }

    /// Moves an entry to the end of another ring.
    pub(super) fn change(&mut self, at: u32, from: &mut Ring, to: &mut Ring, state: State) {
        let bytes = self.unlink(at, from);
        self.link_last(at, bytes, to);
        self.with(at, |place| place.state = state);
    }

    /// Moves an entry to the end of its ring.
    pub(super) fn move_last(&mut self, at: u32, ring: &mut Ring) {
        let bytes = self.unlink(at, ring);
        self.link_last(at, bytes, ring);
    }

    /// Lets the first of a ring be its last.
    pub(super) fn turn(&self, ring: &mut Ring) {
        ring.first = self.get(ring.first).map_or(NOWHERE, |place| place.after);
    }

    pub(super) fn state(&self, at: u32) -> State {
        self.get(at).map_or(State::Free, |place| place.state)
    }

    /// Those entries that a judge refuses.
    pub(super) fn refused(&self, keep: impl Fn(&Slot<V>) -> bool) -> Vec<u32> {
        let is_refused = |place: &Place<V>| place.state != State::Free && !keep(&place.slot);
        (0..).zip(&self.all).filter(|(_, place)| is_refused(place)).map(|(at, _)| at).collect()
    }

    fn link_last(&mut self, at: u32, bytes: u64, ring: &mut Ring) {
        let first = ring.first().unwrap_or(at);
        let last = self.get(first).map_or(at, |place| place.before);
        let last = if last == NOWHERE { at } else { last };
        self.with(at, |place| (place.before, place.after) = (last, first));
        self.with(last, |place| place.after = at);
        self.with(first, |place| place.before = at);
        ring.first = first;
        ring.items += 1;
        ring.bytes += bytes;
    }

    /// Returns the entry's bytes, which are not to be counted twice.
    fn unlink(&mut self, at: u32, ring: &mut Ring) -> u64 {
        let Some((before, after)) = self.get(at).map(|place| (place.before, place.after)) else {
            return 0;
        };
        self.with(before, |place| place.after = after);
        self.with(after, |place| place.before = before);
        self.with(at, |place| (place.before, place.after) = (NOWHERE, NOWHERE));
        if ring.first == at {
            ring.first = if after == at { NOWHERE } else { after };
        }
        let bytes = self.bytes_at(at);
        ring.items -= 1;
        ring.bytes -= bytes;
        bytes
    }

    fn bytes_at(&self, at: u32) -> u64 {
        self.get(at).map_or(0, |place| self.weigh.bytes(&place.slot))
    }

    #[inline]
    fn get(&self, at: u32) -> Option<&Place<V>> {
        self.all.get(at as usize)
    }

    fn get_mut(&mut self, at: u32) -> Option<&mut Place<V>> {
        self.all.get_mut(at as usize)
    }

    fn with(&mut self, at: u32, change: impl FnOnce(&mut Place<V>)) {
        if let Some(place) = self.get_mut(at) {
            change(place);
        }
    }
}
