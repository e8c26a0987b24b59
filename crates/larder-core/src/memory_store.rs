//! A store in this process's memory, for when there is no Redis. Nothing survives a restart.
//!
//! Every change passes through this process, so its feed is the write itself (R3). One lock guards
//! all of it; a [`Txn`] holds that lock.

mod entry;
mod keyspace;
mod state;
mod txn;
mod undo_log;
mod watches;

use crate::{
    clock::Clock,
    engine::{Fill, FillOutcome, WriteGuard},
    expiry::Ttl,
    key::Key,
    outcome::{PutOutcome, StoreError},
    store::{LoadedValue, Put, ReadStore, WriteStore},
    sync::Mutex,
    value::Value,
};
pub use entry::{Entry, Expiry, KeyspaceSize, OutOfMemory};
use keyspace::Keyspace;
use state::State;
use std::time::Duration;
use txn::Locked;
pub use txn::{Journal, Txn};
pub use undo_log::Change;
pub use watches::Watch;

/// See the [module](self).
pub struct MemoryStore {
    clock: Clock,
    /// What to add to the clock for milliseconds since 1970.
    epoch: i64,
    bytes_max: u64,
    journal: Option<Box<dyn Journal>>,
    locked: Mutex<Locked>,
}

impl MemoryStore {
    /// Creates an empty store that holds up to `bytes_max` bytes, including names and bookkeeping.
    pub fn new(clock: Clock, bytes_max: u64) -> Self {
        let epoch = millis(clock.unix()).saturating_sub(clock.now().as_millis());
        Self { clock, epoch, bytes_max, journal: None, locked: Mutex::new(Locked::default()) }
    }

    /// Makes every later commit append to this journal.
    #[must_use]
    pub fn with_journal(self, journal: Box<dyn Journal>) -> Self {
        Self { journal: Some(journal), ..self }
    }

    /// Begins a transaction: locks the store until it ends.
    pub fn begin(&self) -> Txn<'_> {
        let locked = self.locked.lock();
        // Read under the lock, so that no transaction sees an earlier time than the one before.
        Txn::new(locked, self.journal.as_deref(), self.bytes_max, self.now())
    }

    /// Removes keys that have expired. Looks at up to `visits` keys of each keyspace, from where it
    /// ended before. Returns how many it removed.
    pub fn remove_expired(&self, visits: usize) -> usize {
        let mut removed = Vec::new();
        let mut locked = self.locked.lock();
        let State { keyspaces, bytes, .. } = &mut locked.state;
        for keyspace in keyspaces.values_mut() {
            keyspace.remove_expired(self.now(), visits, |record| {
                *bytes -= record.cost();
                removed.push(record);
            });
        }
        drop(locked);
        removed.len()
    }

    /// Returns the number of keys, including those that have expired and were not removed yet.
    pub fn len(&self) -> usize {
        self.locked.lock().state.keyspaces.values().map(Keyspace::len).sum()
    }

    /// Whether the store holds no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns how many bytes the store may hold.
    pub fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    fn now(&self) -> i64 {
        self.clock.now().as_millis().saturating_add(self.epoch)
    }

    fn get<V: Value>(&self, key: Key<'_>) -> (V, Ttl) {
        let txn = self.begin();
        match txn.get(key.keyspace, key.name) {
            Some(Entry { payload, expires: None }) => (V::from_payload(payload), Ttl::Forever),
            Some(Entry { payload, expires: Some(time) }) => {
                let left = u64::try_from(time.saturating_sub(txn.now())).unwrap_or(0);
                (V::from_payload(payload), Ttl::Left(Duration::from_millis(left)))
            }
            None => (V::absent(), Ttl::NoKey),
        }
    }
}

impl Txn<'_> {
    fn put(&mut self, put: Put<'_>) -> Result<(), StoreError> {
        let Put { key, payload, ttl } = put;
        let at = |ttl| Expiry::At(self.now().saturating_add(millis(ttl)));
        let expiry = ttl.map_or(Expiry::Never, at);
        Ok(self.set(key.keyspace, key.name, payload, expiry)?)
    }
}

/// At least one, so that a key with a shorter time to live does not expire at once.
fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX).max(1)
}

impl<V: Value> ReadStore<V> for MemoryStore {
    fn fill(&self, fill: Fill<'_, V>) -> FillOutcome<V> {
        let (value, ttl) = self.get(fill.key());
        fill.complete(value, ttl)
    }

    fn answers_at_once(&self) -> bool {
        true
    }

    async fn read(&self, key: Key<'_>) -> Result<V, StoreError> {
        Ok(self.get(key).0)
    }
}

impl<V: Value> WriteStore<V> for MemoryStore {
    async fn put(&self, guard: &WriteGuard<V>, put: Put<'_>) -> Result<(), StoreError> {
        // A client that reads this store and then asks the near cache must not get an older value
        // there, so the name is invalidated under the store's lock.
        let mut txn = self.begin();
        guard.invalidate();
        txn.put(put)?;
        txn.commit()
    }

    async fn delete(&self, guard: &WriteGuard<V>, key: Key<'_>) -> Result<bool, StoreError> {
        let mut txn = self.begin();
        guard.invalidate();
        let existed = txn.remove(key.keyspace, key.name);
        txn.commit()?;
        Ok(existed)
    }

    async fn put_loaded(
        &self,
        load: &Fill<'_, V>,
        loaded: LoadedValue<'_>,
    ) -> Result<PutOutcome, StoreError> {
        let LoadedValue { key, payload, ttl } = loaded;
        let mut txn = self.begin();
        // A write invalidates the lease before it changes the store, or while it holds the lock. So
        // this check is never out of date, and no reader sees a value that comes too late.
        if !load.holds() {
            return Ok(PutOutcome::LeaseInvalidated { is_put: false });
        }
        if !txn.contains(key.keyspace, key.name) {
            txn.put(Put { key, payload, ttl: Some(ttl) })?;
        }
        load.invalidate_name();
        txn.commit()?;
        Ok(PutOutcome::Done)
    }

    async fn delete_if_ours(
        &self,
        guard: &WriteGuard<V>,
        loaded: LoadedValue<'_>,
    ) -> Result<(), StoreError> {
        let LoadedValue { key, payload, ttl } = loaded;
        let mut txn = self.begin();
        let latest = txn.now().saturating_add(millis(ttl));
        let is_ours = |entry: Entry<'_>| {
            entry.payload == payload && entry.expires.is_some_and(|expires| expires <= latest)
        };
        if txn.get(key.keyspace, key.name).is_some_and(is_ours) {
            guard.invalidate();
            txn.remove(key.keyspace, key.name);
        }
        txn.commit()
    }
}
