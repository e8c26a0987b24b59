//! Looking: where a hit is decided.

use super::{Near, Shard, Sight, slot::Slot};
use crate::{Key, Moment, Seen, Value, sync::atomic::Ordering::Relaxed};

/// Looks into the near tier from one point of view. What they found is counted when this is
/// dropped, at once for all, so that a pipeline of reads does not count each by itself.
pub struct Looks<'a, V: Value> {
    near: &'a Near<V>,
    sight: Sight,
    /// Where the last one was: it keeps the count, as good as any other.
    shard: Option<&'a Shard<V>>,
    hits: u64,
    misses: u64,
}

impl<'a, V: Value> Looks<'a, V> {
    pub(super) fn new(near: &'a Near<V>, sight: Sight) -> Self {
        Self { near, sight, shard: None, hits: 0, misses: 0 }
    }

    /// Looks for the reply to a read. `found` sees the reply where it is and its deadline, under
    /// the lock of its shard, so it should copy and return.
    #[inline]
    pub fn look<R>(
        &mut self,
        key: Key<'_>,
        found: impl FnOnce(Seen<'_, V>, Moment) -> R,
    ) -> Option<R> {
        // Read each time: a flush counts from the next look on.
        let generation = self.near.generation.load(Relaxed);
        let Sight { now, epoch } = self.sight;
        let judge = |slot: &Slot<V>| {
            let life = slot.life;
            let counts =
                now < life.deadline && life.epoch == epoch && life.generation == generation;
            counts.then(|| slot.get(key)).flatten().map(|seen| found(seen, life.deadline))
        };
        let hash = self.near.hash.of(key.name);
        self.shard = self.near.shard(hash);
        let found = self.shard?.table.get(super::tag(hash), judge).flatten();
        let counter = if found.is_some() { &mut self.hits } else { &mut self.misses };
        *counter += 1;
        found
    }
}

impl<V: Value> Drop for Looks<'_, V> {
    fn drop(&mut self) {
        let Some(shard) = self.shard else { return };
        if self.hits > 0 {
            shard.hits.fetch_add(self.hits, Relaxed);
        }
        if self.misses > 0 {
            shard.misses.fetch_add(self.misses, Relaxed);
        }
    }
}
