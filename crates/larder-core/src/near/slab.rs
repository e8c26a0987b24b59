//! The storage of a shard: a slab of nodes, one for each entry, linked into the rings of the
//! shard's eviction policy.

use super::{entry::Entry, index::Index, weigher::Weigher};
use crate::{
    Value,
    sync::atomic::{AtomicU8, Ordering::Relaxed},
};

pub(super) struct EntrySlab<V> {
    nodes: Vec<Node<V>>,
    /// The first free node. Each links to the next one.
    free: u32,
    /// Maps fingerprints to the numbers of nodes. Locations from [`NODES_MAX`] on are for the
    /// policy to use.
    pub(super) index: Index,
    weigher: Weigher,
}

struct Node<V> {
    entry: Entry<V>,
    /// Recent accesses, up to [`ACCESSES_MAX`].
    accesses: AtomicU8,
    state: State,
    fingerprint: u32,
    prev: u32,
    next: u32,
}

/// An entry that has left its node.
pub(super) struct Vacated<V> {
    pub(super) fingerprint: u32,
    pub(super) entry: Entry<V>,
    pub(super) weight: u64,
}

/// Whether a node is free, or in which of two rings its entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Free,
    Cold,
    Hot,
}

/// A circular list of nodes.
pub(super) struct Ring {
    first: u32,
    pub(super) items: u64,
    pub(super) weight: u64,
}

/// Nodes are numbered below this.
pub(super) const NODES_MAX: u32 = 1 << 31;
/// The number of no node.
pub(super) const NIL: u32 = u32::MAX;
/// Counting further gives a policy no more information.
const ACCESSES_MAX: u8 = 3;

impl Ring {
    pub(super) fn new() -> Self {
        Self { first: NIL, items: 0, weight: 0 }
    }

    pub(super) fn first(&self) -> Option<u32> {
        (self.first != NIL).then_some(self.first)
    }
}

/// Lookups.
impl<V: Value> EntrySlab<V> {
    pub(super) fn new(weigher: Weigher) -> Self {
        Self { nodes: Vec::new(), free: NIL, index: Index::new(), weigher }
    }

    /// Finds an entry and its node.
    #[inline]
    pub(super) fn find(&self, fingerprint: u32) -> Option<(u32, &Entry<V>)> {
        let at = self.index.get(fingerprint)?;
        self.get(at).map(|node| (at, &node.entry))
    }

    /// Finds the node of an entry, and records an access to it.
    #[inline]
    pub(super) fn access(&self, fingerprint: u32) -> Option<u32> {
        self.index.get(fingerprint).filter(|&at| self.access_node(at).is_some())
    }

    /// Returns the entry of a node, and records an access to it.
    #[inline]
    pub(super) fn access_node(&self, at: u32) -> Option<&Entry<V>> {
        let node = self.get(at)?;
        let accesses = node.accesses.load(Relaxed);
        // Two accesses at the same time may count as one. The entries that are read most are not
        // written to, so their cache lines stay shared.
        if accesses < ACCESSES_MAX {
            node.accesses.store(accesses + 1, Relaxed);
        }
        Some(&node.entry)
    }

    /// Returns the entry of a node.
    #[inline]
    pub(super) fn entry(&self, at: u32) -> Option<&Entry<V>> {
        self.get(at).map(|node| &node.entry)
    }

    pub(super) fn state(&self, at: u32) -> State {
        self.get(at).map_or(State::Free, |node| node.state)
    }

    pub(super) fn weight(&self, entry: &Entry<V>) -> u64 {
        self.weigher.weight(entry)
    }

    /// Reads what an eviction of this entry will need, its bucket in the index and the entry
    /// itself, so that both are in the processor's cache.
    pub(super) fn prefetch(&self, at: u32) -> Option<(u64, u8)> {
        let node = self.get(at)?;
        Some((self.index.home_bucket(node.fingerprint), node.entry.prefetch()))
    }

    /// Returns the nodes of the entries for which `keep` returns false.
    pub(super) fn rejected_by(&self, keep: impl Fn(&Entry<V>) -> bool) -> Vec<u32> {
        let is_rejected = |node: &Node<V>| node.state != State::Free && !keep(&node.entry);
        (0..).zip(&self.nodes).filter(|(_, node)| is_rejected(node)).map(|(at, _)| at).collect()
    }
}

/// Changes.
impl<V: Value> EntrySlab<V> {
    /// Inserts an entry, whose fingerprint is not in the index, at the back of a ring. Returns the
    /// entry if all nodes are in use.
    pub(super) fn insert(
        &mut self,
        fingerprint: u32,
        entry: Entry<V>,
        state: State,
        ring: &mut Ring,
    ) -> Result<(), Entry<V>> {
        let weight = self.weight(&entry);
        let accesses = AtomicU8::new(0);
        let node = Node { entry, accesses, state, fingerprint, prev: NIL, next: NIL };
        let at = self.allocate(node)?;
        self.index.insert(fingerprint, at);
        self.push_back(at, weight, ring);
        Ok(())
    }

    fn allocate(&mut self, node: Node<V>) -> Result<u32, Entry<V>> {
        if let Some(free) = self.get_mut(self.free) {
            let next = free.next;
            *free = node;
            return Ok(std::mem::replace(&mut self.free, next));
        }
        match u32::try_from(self.nodes.len()) {
            Ok(at) if at < NODES_MAX => {
                self.nodes.push(node);
                Ok(at)
            }
            _ => Err(node.entry),
        }
    }

    /// Replaces the entry of a node, and returns the old one. This counts as an access.
    pub(super) fn replace(
        &mut self,
        at: u32,
        entry: Entry<V>,
        ring: &mut Ring,
    ) -> Option<Entry<V>> {
        let weigher = self.weigher;
        let node = self.get_mut(at)?;
        ring.weight += weigher.weight(&entry);
        ring.weight -= weigher.weight(&node.entry);
        let accesses = node.accesses.get_mut();
        *accesses = (*accesses + 1).min(ACCESSES_MAX);
        Some(std::mem::replace(&mut node.entry, entry))
    }

    /// Removes an entry from its ring, and its fingerprint from the index.
    pub(super) fn remove(&mut self, at: u32, ring: &mut Ring) -> Option<Entry<V>> {
        let Vacated { fingerprint, entry, .. } = self.vacate(at, ring)?;
        self.index.remove(fingerprint);
        Some(entry)
    }

    /// Removes an entry from its ring. The caller must then change or remove its fingerprint in the
    /// index, which still refers to the node.
    pub(super) fn vacate(&mut self, at: u32, ring: &mut Ring) -> Option<Vacated<V>> {
        let weight = self.unlink(at, ring);
        let free = self.free;
        let node = self.get_mut(at)?;
        let entry = std::mem::replace(&mut node.entry, Entry::vacant());
        let fingerprint = node.fingerprint;
        (node.state, node.next) = (State::Free, free);
        self.free = at;
        Some(Vacated { fingerprint, entry, weight })
    }

    /// Takes one from an entry's access count. Returns whether there was one.
    pub(super) fn take_access(&mut self, at: u32) -> bool {
        let Some(accesses) = self.get_mut(at).map(|node| node.accesses.get_mut()) else {
            return false;
        };
        let was_accessed = *accesses > 0;
        *accesses = accesses.saturating_sub(1);
        was_accessed
    }

    /// Moves an entry to the back of another ring.
    pub(super) fn relink(&mut self, at: u32, from: &mut Ring, to: &mut Ring, state: State) {
        let weight = self.unlink(at, from);
        self.push_back(at, weight, to);
        self.with(at, |node| node.state = state);
    }

    /// Moves an entry to the back of its ring.
    pub(super) fn move_to_back(&mut self, at: u32, ring: &mut Ring) {
        let weight = self.unlink(at, ring);
        self.push_back(at, weight, ring);
    }

    /// Makes the first entry of a ring its last.
    pub(super) fn rotate(&self, ring: &mut Ring) {
        ring.first = self.get(ring.first).map_or(NIL, |node| node.next);
    }

    fn push_back(&mut self, at: u32, weight: u64, ring: &mut Ring) {
        let first = ring.first().unwrap_or(at);
        let last = self.get(first).map_or(at, |node| node.prev);
        let last = if last == NIL { at } else { last };
        self.with(at, |node| (node.prev, node.next) = (last, first));
        self.with(last, |node| node.next = at);
        self.with(first, |node| node.prev = at);
        ring.first = first;
        ring.items += 1;
        ring.weight += weight;
    }

    /// Returns the weight of the entry, so that the caller need not compute it again.
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
        let weight = self.entry(at).map_or(0, |entry| self.weight(entry));
        ring.items -= 1;
        ring.weight -= weight;
        weight
    }

    #[inline]
    fn get(&self, at: u32) -> Option<&Node<V>> {
        self.nodes.get(at as usize)
    }

    fn get_mut(&mut self, at: u32) -> Option<&mut Node<V>> {
        self.nodes.get_mut(at as usize)
    }

    fn with(&mut self, at: u32, change: impl FnOnce(&mut Node<V>)) {
        if let Some(node) = self.get_mut(at) {
            change(node);
        }
    }
}
