//! The entries of one shard: where each stands, and the rings in which its policy has put them.

use super::{entry::Entry, index::Index, weigher::Weigher};
use crate::{
    Value,
    sync::atomic::{AtomicU8, Ordering::Relaxed},
};

pub(super) struct EntrySlab<V> {
    nodes: Vec<Node<V>>,
    /// The first of those that hold nothing; each knows the next.
    free: u32,
    /// Where the entry with a tag stands. Numbers from [`NODES_MAX`] on mean what the policy
    /// wants.
    pub(super) index: Index,
    weigher: Weigher,
}

struct Node<V> {
    entry: Entry<V>,
    /// How often it was looked at lately, up to [`VISITS_MAX`].
    visits: AtomicU8,
    state: State,
    fingerprint: u32,
    prev: u32,
    next: u32,
}

/// An entry that has left its place.
pub(super) struct Vacated<V> {
    pub(super) fingerprint: u32,
    pub(super) entry: Entry<V>,
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

/// EntrySlab are numbered below this.
pub(super) const NODES_MAX: u32 = 1 << 31;
/// No place.
pub(super) const NIL: u32 = u32::MAX;
/// More visits than that tell a policy nothing.
const VISITS_MAX: u8 = 3;

impl Ring {
    pub(super) fn new() -> Self {
        Self { first: NIL, items: 0, bytes: 0 }
    }

    pub(super) fn first(&self) -> Option<u32> {
        (self.first != NIL).then_some(self.first)
    }
}

impl<V: Value> EntrySlab<V> {
    pub(super) fn new(weigher: Weigher) -> Self {
        Self { nodes: Vec::new(), free: NIL, index: Index::new(), weigher }
    }

    /// The entry with this tag.
    #[inline]
    pub(super) fn find(&self, fingerprint: u32) -> Option<(u32, &Entry<V>)> {
        let at = self.index.get(fingerprint)?;
        self.get(at).map(|node| (at, &node.entry))
    }

    /// Where it is, and notes the visit.
    #[inline]
    pub(super) fn visit(&self, fingerprint: u32) -> Option<u32> {
        self.index.get(fingerprint).filter(|&at| self.visit_at(at).is_some())
    }

    /// The entry at a place, of which the visit is noted.
    #[inline]
    pub(super) fn visit_at(&self, at: u32) -> Option<&Entry<V>> {
        let node = self.get(at)?;
        let visits = node.visits.load(Relaxed);
        // Two at once may count as one. Those who are visited most are not written to.
        if visits < VISITS_MAX {
            node.visits.store(visits + 1, Relaxed);
        }
        Some(&node.entry)
    }

    /// The slot at a place.
    #[inline]
    pub(super) fn entry(&self, at: u32) -> Option<&Entry<V>> {
        self.get(at).map(|node| &node.entry)
    }

    pub(super) fn weight(&self, entry: &Entry<V>) -> u64 {
        self.weigher.bytes(entry)
    }

    /// PendingLoads a new entry, whose tag is not in the index, at the end of a ring. Gives it back where
    /// there is no place.
    pub(super) fn insert(
        &mut self,
        fingerprint: u32,
        entry: Entry<V>,
        state: State,
        ring: &mut Ring,
    ) -> Result<(), Entry<V>> {
        let bytes = self.weight(&entry);
        let node =
            Node { entry, visits: AtomicU8::new(0), state, fingerprint, prev: NIL, next: NIL };
        let at = match self.get_mut(self.free) {
            Some(free) => {
                let next = free.next;
                *free = node;
                std::mem::replace(&mut self.free, next)
            }
            None => match u32::try_from(self.nodes.len()) {
                Ok(at) if at < NODES_MAX => {
                    self.nodes.push(node);
                    at
                }
                _ => return Err(node.entry),
            },
        };
        self.index.insert(fingerprint, at);
        self.push_back(at, bytes, ring);
        Ok(())
    }

    /// PendingLoads another slot in place of one in a ring, which is given back. That counts as a visit.
    pub(super) fn replace(
        &mut self,
        at: u32,
        entry: Entry<V>,
        ring: &mut Ring,
    ) -> Option<Entry<V>> {
        let weigher = self.weigher;
        let node = self.get_mut(at)?;
        ring.bytes += weigher.bytes(&entry);
        ring.bytes -= weigher.bytes(&node.entry);
        let visits = node.visits.get_mut();
        *visits = (*visits + 1).min(VISITS_MAX);
        Some(std::mem::replace(&mut node.entry, entry))
    }

    /// Reads what is read of an entry when it leaves: where it stands in the index, and itself.
    pub(super) fn prefetch(&self, at: u32) -> Option<(u64, u8)> {
        let node = self.get(at)?;
        Some((self.index.home_bucket(node.fingerprint), node.entry.prefetch()))
    }

    /// Takes an entry out of its ring, and its tag out of the index.
    pub(super) fn remove(&mut self, at: u32, ring: &mut Ring) -> Option<Entry<V>> {
        let Vacated { fingerprint, entry, .. } = self.vacate(at, ring)?;
        self.index.remove(fingerprint);
        Some(entry)
    }

    /// Takes an entry out of its ring. Its tag the index still has, and must not have for long.
    pub(super) fn vacate(&mut self, at: u32, ring: &mut Ring) -> Option<Vacated<V>> {
        let bytes = self.unlink(at, ring);
        let free = self.free;
        let node = self.get_mut(at)?;
        let entry = std::mem::replace(&mut node.entry, Entry::vacant());
        let fingerprint = node.fingerprint;
        (node.state, node.next) = (State::Free, free);
        self.free = at;
        Some(Vacated { fingerprint, entry, bytes })
    }

    /// Takes back one visit to an entry, if there was any.
    pub(super) fn take_visit(&mut self, at: u32) -> bool {
        let Some(visits) = self.get_mut(at).map(|node| node.visits.get_mut()) else {
            return false;
        };
        let was_visited = *visits > 0;
        *visits = visits.saturating_sub(1);
        was_visited
    }

    /// Moves an entry to the end of another ring.
    pub(super) fn relink(&mut self, at: u32, from: &mut Ring, to: &mut Ring, state: State) {
        let bytes = self.unlink(at, from);
        self.push_back(at, bytes, to);
        self.with(at, |node| node.state = state);
    }

    /// Moves an entry to the end of its ring.
    pub(super) fn move_to_back(&mut self, at: u32, ring: &mut Ring) {
        let bytes = self.unlink(at, ring);
        self.push_back(at, bytes, ring);
    }

    /// Lets the first of a ring be its last.
    pub(super) fn rotate(&self, ring: &mut Ring) {
        ring.first = self.get(ring.first).map_or(NIL, |node| node.next);
    }

    pub(super) fn state(&self, at: u32) -> State {
        self.get(at).map_or(State::Free, |node| node.state)
    }

    /// Those entries that a judge refuses.
    pub(super) fn rejected_by(&self, keep: impl Fn(&Entry<V>) -> bool) -> Vec<u32> {
        let is_rejected = |node: &Node<V>| node.state != State::Free && !keep(&node.entry);
        (0..).zip(&self.nodes).filter(|(_, node)| is_rejected(node)).map(|(at, _)| at).collect()
    }

    fn push_back(&mut self, at: u32, bytes: u64, ring: &mut Ring) {
        let first = ring.first().unwrap_or(at);
        let last = self.get(first).map_or(at, |node| node.prev);
        let last = if last == NIL { at } else { last };
        self.with(at, |node| (node.prev, node.next) = (last, first));
        self.with(last, |node| node.next = at);
        self.with(first, |node| node.prev = at);
        ring.first = first;
        ring.items += 1;
        ring.bytes += bytes;
    }

    /// Returns the entry's bytes, which are not to be counted twice.
    fn unlink(&mut self, at: u32, ring: &mut Ring) -> u64 {
        let Some((prev, next)) = self.get(at).map(|node| (node.prev, node.next)) else {
            return 0;
        };
        self.with(prev, |node| node.next = next);
        self.with(next, |node| node.prev = prev);
        self.with(at, |node| (node.prev, node.next) = (NIL, NIL));
        if ring.first == at {
            ring.first = if next == at { NIL } else { next };
        }
        let bytes = self.bytes_at(at);
        ring.items -= 1;
        ring.bytes -= bytes;
        bytes
    }

    fn bytes_at(&self, at: u32) -> u64 {
        self.get(at).map_or(0, |node| self.weigher.bytes(&node.entry))
    }

    #[inline]
    fn get(&self, at: u32) -> Option<&Node<V>> {
        self.nodes.get(at as usize)
    }

    fn get_mut(&mut self, at: u32) -> Option<&mut Node<V>> {
        self.nodes.get_mut(at as usize)
    }

    fn with(&mut self, at: u32, relink: impl FnOnce(&mut Node<V>)) {
        if let Some(node) = self.get_mut(at) {
            relink(node);
        }
    }
}
