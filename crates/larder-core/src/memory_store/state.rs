//! What the store's lock guards: records, the bytes that they count for, and watches.

use super::{
    keyspace::{Keyspace, Record},
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

    /// Changes a payload, and counts its bytes.
    pub(super) fn change_payload<R>(
        &mut self,
        keyspace: u32,
        name: &[u8],
        change: impl FnOnce(&mut Vec<u8>) -> R,
    ) -> Option<R> {
        let record = self.keyspaces.get_mut(&keyspace)?.get_mut(name)?;
        self.bytes -= record.cost();
        let changed = change(&mut record.payload);
        self.bytes += record.cost();
        Some(changed)
    }

    /// Sets when a record expires. See [`Keyspace::set_deadline`].
    pub(super) fn set_deadline(
        &mut self,
        keyspace: u32,
        name: &[u8],
        deadline: i64,
    ) -> Option<i64> {
        self.keyspaces.get_mut(&keyspace)?.set_deadline(name, deadline)
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

fn bytes_of(keyspace: &Keyspace) -> u64 {
    keyspace.records().iter().map(Record::cost).sum()
}
