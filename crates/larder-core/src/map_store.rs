//! A store in this process's memory, for when there is no Redis at hand. Nothing survives a restart.
//!
//! Every change passes through this process, so its feed is the write itself (R3).

use crate::{
    Clock, Key, Moment, Put, Store, StoreError, Value, engine::Fill, expiry::Ttl, near::Name,
    sync::Mutex,
};
use hashbrown::HashMap;
use std::{sync::Arc, time::Duration};

/// See the [module](self).
pub struct MapStore {
    clock: Clock,
    bytes_max: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    dbs: HashMap<u32, Db, foldhash::fast::RandomState>,
    bytes: u64,
}

type Db = HashMap<Name, Stored, foldhash::fast::RandomState>;

struct Stored {
    payload: Arc<[u8]>,
    deadline: Moment,
}

/// What an entry costs beside its name and its payload.
const ENTRY_BYTES: u64 = 96;

impl MapStore {
    /// An empty store that holds `bytes_max` bytes, names and bookkeeping included.
    pub fn new(clock: Clock, bytes_max: u64) -> Self {
        Self { clock, bytes_max, state: Mutex::new(State::default()) }
    }

    /// Removes what has expired; returns how many entries that were.
    pub fn purge(&self) -> usize {
        let now = self.clock.now();
        let mut state = self.state.lock();
        let State { dbs, bytes } = &mut *state;
        let mut gone = Vec::new();
        for db in dbs.values_mut() {
            gone.extend(db.extract_if(|_, stored| stored.deadline <= now));
        }
        *bytes -= gone.iter().map(|(name, stored)| cost(name.len(), &stored.payload)).sum::<u64>();
        drop(state);
        gone.len()
    }

    /// Keys held, those that expired and were not purged yet included.
    pub fn len(&self) -> usize {
        self.state.lock().dbs.values().map(HashMap::len).sum()
    }

    /// Whether it holds no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn get<V: Value>(&self, key: Key<'_>) -> (V, Ttl) {
        let now = self.clock.now();
        let state = self.state.lock();
        match state.live(key.name, key.db, now) {
            Some(Stored { payload, deadline: Moment::NEVER }) => (V::string(payload), Ttl::Forever),
            Some(Stored { payload, deadline }) => {
                (V::string(payload), Ttl::Left(deadline.since(now)))
            }
            None => (V::absent(), Ttl::NoKey),
        }
    }

    fn set(
        &self,
        name: &[u8],
        db: u32,
        payload: &[u8],
        ttl: Option<Duration>,
        may: impl FnOnce(Option<&Stored>) -> bool,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let deadline = ttl.map_or(Moment::NEVER, |ttl| now.plus(ttl));
        let stored = Stored { payload: payload.into(), deadline };
        let mut state = self.state.lock();
        if !may(state.live(name, db, now)) {
            return Ok(());
        }
        let before = state.get(name, db).map_or(0, |old| cost(name.len(), &old.payload));
        let after = state.bytes - before + cost(name.len(), payload);
        if after > self.bytes_max {
            return Err(StoreError::Full);
        }
        state.bytes = after;
        let old = state.dbs.entry(db).or_default().insert(Name::new(name), stored);
        drop(state);
        drop(old);
        Ok(())
    }

    fn remove(&self, name: &[u8], db: u32, only: impl FnOnce(&Stored) -> bool) -> bool {
        let now = self.clock.now();
        let mut state = self.state.lock();
        let Some(found) = state.get(name, db) else { return false };
        let live = found.deadline > now;
        if live && !only(found) {
            return false;
        }
        state.bytes -= cost(name.len(), &found.payload);
        let gone = state.dbs.get_mut(&db).and_then(|db| db.remove(name));
        drop(state);
        drop(gone);
        live
    }
}

impl State {
    fn get(&self, name: &[u8], db: u32) -> Option<&Stored> {
        self.dbs.get(&db)?.get(name)
    }

    fn live(&self, name: &[u8], db: u32, now: Moment) -> Option<&Stored> {
        self.get(name, db).filter(|stored| stored.deadline > now)
    }
}

fn cost(name_bytes: usize, payload: &[u8]) -> u64 {
    (name_bytes + payload.len()) as u64 + ENTRY_BYTES
}

impl<V: Value> Store<V> for MapStore {
    fn fill(&self, fill: Fill<V>) {
        let (value, ttl) = self.get(fill.key());
        fill.land(value, ttl);
    }

    async fn read(&self, key: Key<'_>) -> Result<V, StoreError> {
        Ok(self.get(key).0)
    }

    async fn put(
        &self,
        name: &[u8],
        db: u32,
        payload: &[u8],
        ttl: Option<Duration>,
    ) -> Result<(), StoreError> {
        self.set(name, db, payload, ttl, |_| true)
    }

    async fn delete(&self, name: &[u8], db: u32) -> Result<bool, StoreError> {
        Ok(self.remove(name, db, |_| true))
    }

    async fn put_loaded(
        &self,
        load: &Fill<V>,
        payload: &[u8],
        ttl: Duration,
    ) -> Result<Put, StoreError> {
        let Key { name, db, .. } = load.key();
        // A write voids the lease before it changes the map, so what is judged under the lock of
        // the map is never out of date: no reader sees a value that comes too late.
        let mut holds = false;
        self.set(name, db, payload, Some(ttl), |present| {
            holds = load.holds();
            holds && present.is_none()
        })?;
        if !holds {
            return Ok(Put::LeaseVoid);
        }
        load.void_name();
        Ok(Put::Done)
    }

    async fn take_back(&self, name: &[u8], db: u32, payload: &[u8]) -> Result<(), StoreError> {
        self.remove(name, db, |stored| *stored.payload == *payload);
        Ok(())
    }
}
