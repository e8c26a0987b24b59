//! Policy `lru`: the entry not asked for longest leaves first. Every look-up takes the shard's lock
//! exclusively, because it moves the entry to the end of the line.

use super::{
    places::{Places, Ring, State},
    slot::Slot,
    table::{Left, Size},
    weigh::Weigh,
};
use crate::{
    Value,
    sync::{Mutex, MutexGuard},
};

pub(super) struct Lru<V: Value>(Mutex<Line<V>>);

struct Line<V> {
    places: Places<V>,
    /// The one not asked for longest is the first.
    ring: Ring,
    bytes_max: u64,
    evicted: u64,
}

/// A shard that is locked. An entry that was visited has moved to the end.
pub(super) struct Moved<'a, V: Value>(MutexGuard<'a, Line<V>>);

impl<V: Value> Moved<'_, V> {
    pub(super) fn places(&self) -> &Places<V> {
        &self.0.places
    }
}

impl<V: Value> Lru<V> {
    pub(super) fn new(bytes_max: u64, weigh: Weigh) -> Self {
        Self(Mutex::new(Line {
            places: Places::new(weigh),
            ring: Ring::new(),
            bytes_max,
            evicted: 0,
        }))
    }

    pub(super) fn visit(&self, tag: u32) -> Option<(Moved<'_, V>, u32)> {
        let mut line = self.0.lock();
        let Line { places, ring, .. } = &mut *line;
        let (at, _) = places.find(tag)?;
        places.move_last(at, ring);
        Some((Moved(line), at))
    }

    pub(super) fn peek(&self, tag: u32) -> Option<(Moved<'_, V>, u32)> {
        let line = self.0.lock();
        let (at, _) = line.places.find(tag)?;
        Some((Moved(line), at))
    }

    pub(super) fn put(
        &self,
        tag: u32,
        make: impl FnOnce(Option<&Slot<V>>) -> Option<Slot<V>>,
    ) -> Option<Left<V>> {
        let mut left = Left::default();
        let mut line = self.0.lock();
        let put = line.put(tag, make, &mut left);
        line.evicted += left.evicted.len() as u64;
        drop(line);
        put.map(|()| left)
    }

    pub(super) fn remove(&self, tag: u32, happens: impl FnOnce()) -> Option<Slot<V>> {
        let mut line = self.0.lock();
        happens();
        let Line { places, ring, .. } = &mut *line;
        let (at, _) = places.find(tag)?;
        places.take(at, ring)
    }

    pub(super) fn retain(&self, keep: impl Fn(&Slot<V>) -> bool) -> usize {
        let mut line = self.0.lock();
        let Line { places, ring, .. } = &mut *line;
        let visited = ring.items;
        let refused = places.refused(keep);
        let gone: Vec<_> = refused.into_iter().filter_map(|at| places.take(at, ring)).collect();
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
        tag: u32,
        make: impl FnOnce(Option<&Slot<V>>) -> Option<Slot<V>>,
        left: &mut Left<V>,
    ) -> Option<()> {
        let Self { places, ring, bytes_max, .. } = self;
        let present = places.find(tag);
        let at = present.map(|(at, _)| at);
        let slot = make(present.map(|(_, slot)| slot))?;
        if let Some(at) = at {
            left.replaced = places.replace(at, slot, ring);
            places.move_last(at, ring);
        } else {
            places.add(tag, slot, State::Cold, ring).ok()?;
        }
        while ring.bytes > *bytes_max
            && let Some(first) = ring.first()
        {
            left.evicted.extend(places.take(first, ring));
        }
        Some(())
    }
}
