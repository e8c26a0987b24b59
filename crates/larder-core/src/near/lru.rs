//! Policy `lru`: the entry not asked for longest leaves first. Every look-up takes the shard's lock
//! exclusively, because it moves the entry to the end of the line.

use super::{
    entry::Entry,
    shard::{Displaced, Size},
    slab::{EntrySlab, Ring, State},
    weigher::Weigher,
};
use crate::{
    Value,
    sync::{Mutex, MutexGuard},
};

pub(super) struct Lru<V: Value>(Mutex<Line<V>>);

struct Line<V> {
    slab: EntrySlab<V>,
    /// The one not asked for longest is the first.
    ring: Ring,
    bytes_max: u64,
    evicted: u64,
}

/// A shard that is locked. An entry that was visited has moved to the end.
pub(super) struct ExclusiveGuard<'a, V: Value>(MutexGuard<'a, Line<V>>);

impl<V: Value> ExclusiveGuard<'_, V> {
    pub(super) fn slab(&self) -> &EntrySlab<V> {
        &self.0.slab
    }
}

impl<V: Value> Lru<V> {
    pub(super) fn new(bytes_max: u64, weigher: Weigher) -> Self {
        Self(Mutex::new(Line {
            slab: EntrySlab::new(weigher),
            ring: Ring::new(),
            bytes_max,
            evicted: 0,
        }))
    }

    pub(super) fn visit(&self, fingerprint: u32) -> Option<(ExclusiveGuard<'_, V>, u32)> {
        let mut line = self.0.lock();
        let Line { slab, ring, .. } = &mut *line;
        let (at, _) = slab.find(fingerprint)?;
        slab.move_to_back(at, ring);
        Some((ExclusiveGuard(line), at))
    }

    pub(super) fn peek(&self, fingerprint: u32) -> Option<(ExclusiveGuard<'_, V>, u32)> {
        let line = self.0.lock();
        let (at, _) = line.slab.find(fingerprint)?;
        Some((ExclusiveGuard(line), at))
    }

    pub(super) fn put(
        &self,
        fingerprint: u32,
        make: impl FnOnce(Option<&Entry<V>>) -> Option<Entry<V>>,
    ) -> Option<Displaced<V>> {
        let mut displaced = Displaced::default();
        let mut line = self.0.lock();
        let put = line.put(fingerprint, make, &mut displaced);
        line.evicted += displaced.evicted.len() as u64;
        drop(line);
        put.map(|()| displaced)
    }

    pub(super) fn remove(&self, fingerprint: u32, under_lock: impl FnOnce()) -> Option<Entry<V>> {
        let mut line = self.0.lock();
        under_lock();
        let Line { slab, ring, .. } = &mut *line;
        let (at, _) = slab.find(fingerprint)?;
        slab.remove(at, ring)
    }

    pub(super) fn retain(&self, keep: impl Fn(&Entry<V>) -> bool) -> usize {
        let mut line = self.0.lock();
        let Line { slab, ring, .. } = &mut *line;
        let visited = ring.items;
        let refused = slab.rejected_by(keep);
        let gone: Vec<_> = refused.into_iter().filter_map(|at| slab.remove(at, ring)).collect();
        drop(line);
        drop(gone);
        usize::try_from(visited).unwrap_or(usize::MAX)
    }

    pub(super) fn size(&self) -> Size {
        let line = self.0.lock();
        Size { items: line.ring.items, bytes: line.ring.bytes, evicted: line.evicted }
    }
}

impl<V: Value> Line<V> {
    /// `None` when nothing is to be put, or there is no place, which takes more entries than there
    /// is memory for.
    fn put(
        &mut self,
        fingerprint: u32,
        make: impl FnOnce(Option<&Entry<V>>) -> Option<Entry<V>>,
        displaced: &mut Displaced<V>,
    ) -> Option<()> {
        let Self { slab, ring, bytes_max, .. } = self;
        let present = slab.find(fingerprint);
        let at = present.map(|(at, _)| at);
        let entry = make(present.map(|(_, entry)| entry))?;
        if let Some(at) = at {
            displaced.replaced = slab.replace(at, entry, ring);
            slab.move_to_back(at, ring);
        } else {
            slab.insert(fingerprint, entry, State::Cold, ring).ok()?;
        }
        while ring.bytes > *bytes_max
            && let Some(first) = ring.first()
        {
            displaced.evicted.extend(slab.remove(first, ring));
        }
        Some(())
    }
}
