//! One keyspace: its records in a row, and an index that finds them by name.
//!
//! A record that is removed gives its position to the last of the row. A scan that goes from the end
//! of the row to its start therefore meets every record that exists all the time, whatever happens
//! between two steps: records only ever move towards the start, and only from positions behind the
//! scan or still ahead of it. A record that moved may be met twice.

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

/// The deadline of a record that does not expire.
pub(super) const NEVER: i64 = i64::MIN;

/// A row shorter than this keeps its memory.
const SHRUNK_LEN_MIN: usize = 1024;

/// What a record costs beside its name and its payload.
const RECORD_BYTES: u64 = 96;

/// See the [module](self).
#[derive(Default)]
pub(super) struct Keyspace {
    records: Vec<Record>,
    /// Positions in the row.
    index: HashTable<usize>,
    hash: RandomState,
    /// The number of records that have a deadline.
    volatile: usize,
    /// Where the next removal of expired records goes on.
    sweep_position: usize,
}

/// A key and its value.
pub(super) struct Record {
    pub(super) name: Box<[u8]>,
    pub(super) payload: Vec<u8>,
    pub(super) deadline: i64,
}

impl Record {
    pub(super) fn is_live(&self, now: i64) -> bool {
        self.deadline > now || self.deadline == NEVER
    }

    /// Returns the bytes that the record counts for.
    pub(super) fn cost(&self) -> u64 {
        cost(self.name.len(), self.payload.capacity())
    }
}

/// Returns the bytes that a record with such a name and payload counts for.
pub(super) fn cost(name_bytes: usize, payload_bytes: usize) -> u64 {
    (name_bytes as u64).saturating_add(payload_bytes as u64).saturating_add(RECORD_BYTES)
}

impl Keyspace {
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Returns the number of records that have a deadline.
    pub(super) fn volatile(&self) -> usize {
        self.volatile
    }

    pub(super) fn records(&self) -> &[Record] {
        &self.records
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<&Record> {
        self.records.get(self.position(name)?)
    }

    /// Returns a record to be changed, and the number of records that have a deadline, which a change
    /// of the record's deadline must keep right.
    pub(super) fn get_mut(&mut self, name: &[u8]) -> Option<(&mut Record, &mut usize)> {
        let position = self.position(name)?;
        Some((self.records.get_mut(position)?, &mut self.volatile))
    }

    /// Adds a record whose name is not in the keyspace.
    pub(super) fn insert(&mut self, record: Record) {
        let Self { records, index, hash, .. } = self;
        let hash_at = |at: &usize| records.get(*at).map_or(0, |record| hash.hash_one(&record.name));
        index.insert_unique(hash.hash_one(&record.name), records.len(), hash_at);
        self.volatile += usize::from(record.deadline != NEVER);
        self.records.push(record);
    }

    /// Removes a record. Returns it with its position, for [`Keyspace::restore`].
    pub(super) fn remove(&mut self, name: &[u8]) -> Option<(usize, Record)> {
        let position = self.position(name)?;
        Some((position, self.remove_at(position)?))
    }

    /// Undoes a removal, if everything that was done since has been undone.
    pub(super) fn restore(&mut self, position: usize, record: Record) {
        self.insert(record);
        self.swap_with_last(position);
    }

    /// Removes expired records among the next `visits`, from where the last call ended.
    pub(super) fn remove_expired(
        &mut self,
        now: i64,
        visits: usize,
        mut removed: impl FnMut(Record),
    ) {
        let visits = visits.min(self.len());
        if visits == self.len() {
            self.sweep_position = self.len();
        }
        for _ in 0..visits {
            self.sweep_position = match self.sweep_position.min(self.len()) {
                0 => self.len().saturating_sub(1),
                position => position - 1,
            };
            let record = self.records.get(self.sweep_position);
            if record.is_some_and(|record| !record.is_live(now)) {
                self.remove_at(self.sweep_position).into_iter().for_each(&mut removed);
            }
        }
    }

    fn position(&self, name: &[u8]) -> Option<usize> {
        let has_name = |at: &usize| self.records.get(*at).is_some_and(|it| *it.name == *name);
        self.index.find(self.hash.hash_one(name), has_name).copied()
    }

    fn remove_at(&mut self, position: usize) -> Option<Record> {
        let last = self.records.len().checked_sub(1)?;
        let (hash, hash_of_last) = (self.hash_at(position)?, self.hash_at(last)?);
        self.index.find_entry(hash, |at| *at == position).ok()?.remove();
        if let Some(at) = self.index.find_mut(hash_of_last, |at| *at == last) {
            *at = position;
        }
        let record = self.records.swap_remove(position);
        self.volatile -= usize::from(record.deadline != NEVER);
        self.shrink();
        Some(record)
    }

    fn hash_at(&self, position: usize) -> Option<u64> {
        self.records.get(position).map(|record| self.hash.hash_one(&record.name))
    }

    fn swap_with_last(&mut self, position: usize) {
        let Some(last) = self.records.len().checked_sub(1).filter(|last| position < *last) else {
            return;
        };
        let (Some(hash), Some(hash_of_last)) = (self.hash_at(position), self.hash_at(last)) else {
            return;
        };
        let of_position = self.index.find_bucket_index(hash, |at| *at == position);
        let of_last = self.index.find_bucket_index(hash_of_last, |at| *at == last);
        for (bucket, at) in [(of_position, last), (of_last, position)] {
            if let Some(entry) = bucket.and_then(|bucket| self.index.get_bucket_mut(bucket)) {
                *entry = at;
            }
        }
        self.records.swap(position, last);
    }

    /// Frees memory when most of it is unused.
    fn shrink(&mut self) {
        let len = self.records.len();
        if len >= SHRUNK_LEN_MIN && len < self.records.capacity() / 8 {
            self.records.shrink_to(len * 2);
            let Self { records, index, hash, .. } = self;
            let hash_at =
                |at: &usize| records.get(*at).map_or(0, |record| hash.hash_one(&record.name));
            index.shrink_to(len * 2, hash_at);
        }
    }
}
