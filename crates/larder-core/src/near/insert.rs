//! Insertion: the checks that a value passes on its way into a shard.

use super::{
    ChangeStamp, Near, ReadView,
    entry::{Entry, Validity},
    fingerprint,
    insertion::{InsertError, Insertion},
};
use crate::{Value, key::HashedKey, sync::atomic::Ordering::Relaxed};

impl<V: Value> Near<V> {
    /// Inserts a value, next to the valid values of other reads of the same name.
    pub(crate) fn insert_hashed(&self, insertion: &Insertion<'_, V>) -> Result<(), InsertError> {
        let &Insertion { key: HashedKey { key, hash }, value, deadline, view, stamp } = insertion;
        let generation = match stamp {
            Some(stamp) => stamp.generation,
            None => self.generation.load(Relaxed),
        };
        let validity = Validity { deadline, epoch: view.epoch, generation };
        let entry = Entry::new(validity, key, value);
        if !self.fits(&entry) {
            return Err(InsertError::NoRoom);
        }
        let shard = self.shard(hash).ok_or(InsertError::NoRoom)?;
        let displaced = shard.insert_with(fingerprint(hash), |present| {
            self.consume_stamp(hash, stamp)?;
            self.merge(present, entry, key.name, view)
        })?;
        // The shard is no longer locked here, so destructors do not block other threads.
        drop(displaced);
        Ok(())
    }

    /// Fails if the stamp is no longer current. Otherwise counts this insertion as a change, so
    /// that no other stamp taken before it can be used after it.
    ///
    /// The caller holds the shard's exclusive lock: nothing can happen between comparing, counting
    /// and inserting.
    #[inline]
    fn consume_stamp(&self, hash: u64, stamp: Option<ChangeStamp>) -> Result<(), InsertError> {
        let Some(stamp) = stamp else { return Ok(()) };
        if !self.is_current(hash, stamp) {
            return Err(InsertError::StampChanged);
        }
        self.changes.count(hash);
        Ok(())
    }

    /// Returns the entry to store in place of the present one.
    #[inline]
    fn merge(
        &self,
        present: Option<&Entry<V>>,
        new: Entry<V>,
        name: &[u8],
        view: ReadView,
    ) -> Result<Entry<V>, InsertError> {
        let Some(present) = present else { return Ok(new) };
        if !present.has_name(name) {
            // A fingerprint has one entry, so that of the other name is evicted.
            self.evictions.full.fetch_add(1, Relaxed);
            return Ok(new);
        }
        if present.validity.check(view, self.generation.load(Relaxed)).is_err() {
            return Ok(new);
        }
        let merged = present.merged_with(&new).ok_or(InsertError::NoRoom)?;
        Ok(if self.fits(&merged) { merged } else { new })
    }

    /// Returns whether an entry is small enough for its shard.
    #[inline]
    fn fits(&self, entry: &Entry<V>) -> bool {
        self.weigher.weight(entry) <= self.entry_weight_max
    }
}
