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
    store::Store,
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
    fn put(
        &mut self,
        name: &[u8],
        db: u32,
        payload: &[u8],
        ttl: Option<Duration>,
    ) -> Result<(), StoreError> {
        let until = |ttl| Expiry::At(self.now().saturating_add(millis(ttl)));
        Ok(self.set(db, name, payload, ttl.map_or(Expiry::Never, until))?)
    }
}

/// At least one, so that what was to live for less is not dead at once.
fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX).max(1)
}

impl<V: Value> Store<V> for MemoryStore {
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

    async fn put(
        &self,
        write: &WriteGuard<V>,
        name: &[u8],
        db: u32,
        payload: &[u8],
        ttl: Option<Duration>,
    ) -> Result<(), StoreError> {
        // Who reads the map and then asks the near tier must not find there what was before.
        let mut txn = self.begin();
        write.invalidate();
        txn.put(name, db, payload, ttl)
    }

    async fn delete(
        &self,
        write: &WriteGuard<V>,
        name: &[u8],
        db: u32,
    ) -> Result<bool, StoreError> {
        let mut txn = self.begin();
        write.invalidate();
        Ok(txn.remove(db, name))
    }

    async fn put_loaded(
        &self,
        load: &Fill<'_, V>,
        payload: &[u8],
        ttl: Duration,
    ) -> Result<PutOutcome, StoreError> {
        let Key { name, keyspace: db, .. } = load.key();
        let mut txn = self.begin();
        // A write voids the lease before it changes the map, or while it holds the lock: what is
        // judged here is never out of date, and no reader sees a value that comes too late.
        if !load.holds() {
            return Ok(PutOutcome::LeaseInvalidated { is_put: false });
        }
        if !txn.contains(db, name) {
            txn.put(name, db, payload, Some(ttl))?;
        }
        load.invalidate_name();
        Ok(PutOutcome::Done)
    }

    async fn delete_if_ours(
        &self,
        write: &WriteGuard<V>,
        name: &[u8],
        db: u32,
        payload: &[u8],
        ttl: Duration,
    ) -> Result<(), StoreError> {
        let mut txn = self.begin();
        let latest = txn.now().saturating_add(millis(ttl));
        let is_ours = |it: Entry<'_>| {
            it.payload == payload && it.expires.is_some_and(|expires| expires <= latest)
        };
        if txn.get(db, name).is_some_and(is_ours) {
            write.invalidate();
            txn.remove(db, name);
        }
        Ok(())
    }
}
