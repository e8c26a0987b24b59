//! A transaction: everything done through one [`Txn`] happens at one moment, before or after
//! everything else that is done to the store.

mod write;

use super::{
    entry::{Entry, KeyspaceSize},
    keyspace::{Keyspace, NEVER, Record},
    state::State,
    undo_log::{Change, Freed, UndoLog},
    watches::Watch,
};
use crate::{outcome::StoreError, sync::MutexGuard};
use std::hash::{BuildHasher, RandomState};

/// What the store's lock guards.
#[derive(Default)]
pub(super) struct Locked {
    pub(super) state: State,
    /// What the transaction that holds the lock has changed.
    log: UndoLog,
}

/// Makes the changes of transactions durable.
pub trait Journal: Send + Sync {
    /// Appends what a transaction has changed: [`Txn::changes`] names the keys, [`Txn::get`] returns
    /// what they hold now. Runs under the store's lock. On an error the transaction is rolled back.
    fn append(&self, txn: &Txn<'_>) -> Result<(), StoreError>;
}

/// Exclusive access to the store, until it is committed or dropped. Every other access blocks
/// meanwhile, so a transaction must not be held across an await.
///
/// [`Txn::commit`] keeps what was changed; a transaction that is dropped instead is rolled back.
///
/// Keys that have expired are absent. Times are milliseconds since 1970 on a clock that never jumps.
///
/// Where an engine is in front of the store, the names that a transaction changes must be invalidated
/// before the commit. Then no reader can fetch the old value after the change and cache it.
pub struct Txn<'a> {
    // Dropped in this order: the lock is released before large memory is freed.
    locked: MutexGuard<'a, Locked>,
    freed: Freed,
    journal: Option<&'a dyn Journal>,
    bytes_max: u64,
    now: i64,
}

impl<'a> Txn<'a> {
    pub(super) fn new(
        locked: MutexGuard<'a, Locked>,
        journal: Option<&'a dyn Journal>,
        bytes_max: u64,
        now: i64,
    ) -> Self {
        Self { locked, freed: Freed::default(), journal, bytes_max, now }
    }

    /// Keeps what was changed, and releases the lock.
    ///
    /// # Errors
    /// The store's journal failed. Everything was rolled back.
    pub fn commit(mut self) -> Result<(), StoreError> {
        if let Some(journal) = self.journal.filter(|_| !self.locked.log.is_empty()) {
            journal.append(&self)?;
        }
        self.freed = self.locked.log.discard();
        Ok(())
    }

    /// Returns what has been changed so far, in order.
    pub fn changes(&self) -> impl Iterator<Item = Change<'_>> {
        self.locked.log.changes()
    }

    /// Returns the time at which the transaction happens.
    pub fn now(&self) -> i64 {
        self.now
    }

    /// Returns a key's value.
    pub fn get(&self, keyspace: u32, name: &[u8]) -> Option<Entry<'_>> {
        let record = self.live(keyspace, name)?;
        let expires = (record.deadline != NEVER).then_some(record.deadline);
        Some(Entry { payload: &record.payload, expires })
    }

    /// Whether a key exists.
    pub fn contains(&self, keyspace: u32, name: &[u8]) -> bool {
        self.live(keyspace, name).is_some()
    }

    /// Returns the number of keys in a keyspace, including those that have expired and were not
    /// removed yet.
    pub fn len(&self, keyspace: u32) -> usize {
        self.locked.state.keyspaces.get(&keyspace).map_or(0, Keyspace::len)
    }

    /// Whether a keyspace has no key.
    pub fn is_empty(&self, keyspace: u32) -> bool {
        self.len(keyspace) == 0
    }

    /// Returns the sizes of all keyspaces that have keys, in order.
    pub fn sizes(&self) -> Vec<KeyspaceSize> {
        let size = |(&keyspace, records): (&u32, &Keyspace)| KeyspaceSize {
            keyspace,
            keys: records.len(),
            volatile: records.volatile(),
        };
        let mut sizes: Vec<_> = self.locked.state.keyspaces.iter().map(size).collect();
        sizes.retain(|size| size.keys > 0);
        sizes.sort_unstable_by_key(|size| size.keyspace);
        sizes
    }

    /// Returns the bytes held, including names and bookkeeping.
    pub fn bytes(&self) -> u64 {
        self.locked.state.bytes
    }

    /// Returns the names of a keyspace's keys, in no order.
    pub fn names(&self, keyspace: u32) -> impl Iterator<Item = &[u8]> {
        self.live_names(self.records(keyspace))
    }

    /// Returns some names of a keyspace, and the cursor to go on with; 0 both at the start and at the
    /// end. A scan meets every key that exists all the time, some of them perhaps twice.
    pub fn scan(
        &self,
        keyspace: u32,
        cursor: usize,
        visits: usize,
    ) -> (usize, impl Iterator<Item = &[u8]>) {
        let records = self.records(keyspace);
        let end = if cursor == 0 { records.len() } else { cursor.min(records.len()) };
        let start = end.saturating_sub(visits.max(1));
        (start, self.live_names(records.get(start..end).unwrap_or_default()))
    }

    /// Returns a random name of a keyspace.
    pub fn random(&self, keyspace: u32) -> Option<&[u8]> {
        let records = self.records(keyspace);
        let random = usize::try_from(RandomState::new().hash_one(0) >> 1).unwrap_or(0);
        let (before, after) = records.split_at(random.checked_rem(records.len())?);
        self.live_names(after).next().or_else(|| self.live_names(before).next())
    }

    /// Begins to watch a key. The watch must be ended by [`Txn::unwatch`]. It is no change: it stands
    /// even if the transaction is rolled back.
    pub fn watch(&mut self, keyspace: u32, name: &[u8]) -> Watch {
        let existed = self.contains(keyspace, name);
        let change = self.locked.state.watches.add(keyspace, name);
        Watch { keyspace, name: name.into(), change, existed }
    }

    /// Ends a watch.
    pub fn unwatch(&mut self, watch: &Watch) {
        self.locked.state.watches.remove(watch);
    }

    /// Whether a watched key has been set, changed or deleted, or has expired.
    pub fn is_changed(&self, watch: &Watch) -> bool {
        self.locked.state.watches.change(watch) != Some(watch.change)
            || watch.existed && !self.contains(watch.keyspace, &watch.name)
    }

    fn records(&self, keyspace: u32) -> &[Record] {
        self.locked.state.keyspaces.get(&keyspace).map_or(&[], Keyspace::records)
    }

    fn live_names<'s>(&self, records: &'s [Record]) -> impl Iterator<Item = &'s [u8]> + use<'s> {
        let now = self.now;
        records.iter().filter(move |record| record.is_live(now)).map(|record| &*record.name)
    }

    fn live(&self, keyspace: u32, name: &[u8]) -> Option<&Record> {
        self.locked.state.record(keyspace, name).filter(|record| record.is_live(self.now))
    }
}

impl Drop for Txn<'_> {
    fn drop(&mut self) {
        let Locked { state, log } = &mut *self.locked;
        if !log.is_empty() {
            log.roll_back(state);
        }
    }
}
