//! What the store's lock guards: records, the bytes that they count for, and watches.

use super::{
    keyspace::{Keyspace, NEVER, Record, cost},
    watches::Watches,
};
use hashbrown::HashMap;

#[derive(Default)]
pub(super) struct State {
    pub(super) keyspaces: HashMap<u32, Keyspace, foldhash::fast::RandomState>,
    pub(super) bytes: u64,
    pub(super) watches: Watches,
}

impl State {
    pub(super) fn record(&self, keyspace: u32, name: &[u8]) -> Option<&Record> {
        self.keyspaces.get(&keyspace)?.get(name)
    }

    /// Returns the bytes that a record counts for, or 0 if there is none.
    pub(super) fn cost(&self, keyspace: u32, name: &[u8]) -> u64 {
        self.record(keyspace, name).map_or(0, Record::cost)
    }

    /// Adds a record whose name is not in the keyspace.
    pub(super) fn insert(&mut self, keyspace: u32, record: Record) {
        self.bytes += record.cost();
        self.keyspaces.entry(keyspace).or_default().insert(record);
    }

    /// Removes a record. Returns it with its position in the row.
    pub(super) fn remove(&mut self, keyspace: u32, name: &[u8]) -> Option<(usize, Record)> {
        let (position, record) = self.keyspaces.get_mut(&keyspace)?.remove(name)?;
        self.bytes -= record.cost();
        Some((position, record))
    }

    /// Undoes a removal. See [`Keyspace::restore`].
    pub(super) fn restore(&mut self, keyspace: u32, position: usize, record: Record) {
        self.bytes += record.cost();
        self.keyspaces.entry(keyspace).or_default().restore(position, record);
    }

    /// Returns a record to be changed.
    pub(super) fn record_mut(&mut self, keyspace: u32, name: &[u8]) -> Option<RecordMut<'_>> {
        let (record, volatile) = self.keyspaces.get_mut(&keyspace)?.get_mut(name)?;
        Some(RecordMut { record, volatile, bytes: &mut self.bytes })
    }

    /// Removes a keyspace with all its records.
    pub(super) fn remove_keyspace(&mut self, number: u32) -> Option<Keyspace> {
        let keyspace = self.keyspaces.remove(&number)?;
        self.bytes -= bytes_of(&keyspace);
        Some(keyspace)
    }

    /// Undoes [`State::remove_keyspace`].
    pub(super) fn restore_keyspace(&mut self, number: u32, keyspace: Keyspace) {
        self.bytes += bytes_of(&keyspace);
        self.keyspaces.insert(number, keyspace);
    }
}

/// A record, and the counts that its changes affect.
pub(super) struct RecordMut<'a> {
    record: &'a mut Record,
    volatile: &'a mut usize,
    bytes: &'a mut u64,
}

impl RecordMut<'_> {
    pub(super) fn payload(&self) -> &Vec<u8> {
        &self.record.payload
    }

    /// Changes the payload, and counts its bytes.
    pub(super) fn change_payload<R>(&mut self, change: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        *self.bytes -= self.record.cost();
        let changed = change(&mut self.record.payload);
        *self.bytes += self.record.cost();
        changed
    }

    /// Sets when the record expires. Returns when it would have, if that is another time.
    pub(super) fn set_deadline(&mut self, deadline: i64) -> Option<i64> {
        let before = std::mem::replace(&mut self.record.deadline, deadline);
        *self.volatile -= usize::from(before != NEVER);
        *self.volatile += usize::from(deadline != NEVER);
        (before != deadline).then_some(before)
    }

    /// Returns the bytes that the store will hold when the payload has this capacity, if that is
    /// more than now.
    pub(super) fn bytes_with(&self, capacity: usize) -> Option<u64> {
        let (before, after) = (self.record.cost(), cost(self.record.name.len(), capacity));
        (after > before).then(|| (*self.bytes - before).saturating_add(after))
    }
}

fn bytes_of(keyspace: &Keyspace) -> u64 {
    keyspace.records().iter().map(Record::cost).sum()
}
