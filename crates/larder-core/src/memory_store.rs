//! A store in this process's memory, for when there is no Redis at hand. Nothing survives a restart.
//!
//! Every change passes through this process, so its feed is the write itself (R3). One lock guards
//! all of it; who holds a [`Txn`] holds that.

mod keyspace;
mod txn;
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
use hashbrown::HashMap;
use keyspace::Keyspace;
use std::time::Duration;
pub use txn::{Entry, Expiry, KeyspaceSize, OutOfMemory, Txn};
pub use watches::Watch;
use watches::Watches;

/// See the [module](self).
pub struct MemoryStore {
    clock: Clock,
    /// What to add to the clock for milliseconds since 1970.
    epoch: i64,
    bytes_max: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    dbs: HashMap<u32, Keyspace, foldhash::fast::RandomState>,
    bytes: u64,
    watches: Watches,
}

impl MemoryStore {
    /// An empty store that holds `bytes_max` bytes, names and bookkeeping included.
    pub fn new(clock: Clock, bytes_max: u64) -> Self {
        let epoch = millis(clock.unix()).saturating_sub(clock.now().as_millis());
        Self { clock, epoch, bytes_max, state: Mutex::new(State::default()) }
    }

    /// Locks the store, until what this returns is dropped.
    pub fn begin(&self) -> Txn<'_> {
        let state = self.state.lock();
        // Read under the lock, so that no transaction sees an earlier time than the one before.
        Txn::new(state, self.bytes_max, self.now())
    }

    /// Removes what has expired, looking at so many keys of each db at most and going on where it
    /// ended before; returns how many it removed.
    pub fn remove_expired(&self, visits: usize) -> usize {
        let mut gone = Vec::new();
        let mut state = self.state.lock();
        let State { dbs, bytes, .. } = &mut *state;
        for db in dbs.values_mut() {
            db.remove_expired(self.now(), visits, |slot| {
                *bytes -= slot.cost();
                gone.push(slot);
            });
        }
        drop(state);
        gone.len()
    }

    /// Keys held, those that expired and were not purged yet included.
    pub fn len(&self) -> usize {
        self.state.lock().dbs.values().map(Keyspace::len).sum()
    }

    /// Whether it holds no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that it may hold.
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
        let until = |ttl| Expiry::At(self.now().saturating_add(millis(ttl)));
        Ok(self.set(key.keyspace, key.name, payload, ttl.map_or(Expiry::Never, until))?)
    }
}

/// At least one, so that what was to live for less is not dead at once.
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
        txn.put(put)
    }

    async fn delete(&self, guard: &WriteGuard<V>, key: Key<'_>) -> Result<bool, StoreError> {
        let mut txn = self.begin();
        guard.invalidate();
        Ok(txn.remove(key.keyspace, key.name))
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
        Ok(())
    }
}
