//! A transaction: everything done through one [`Txn`] happens at one moment, before or after
//! everything else that is done to the store.

use super::{
    State,
    keyspace::{Keyspace, NEVER, Slot, cost},
    watches::Watch,
};
use crate::{outcome::StoreError, sync::MutexGuard};
use std::hash::{BuildHasher, RandomState};

/// Room that a payload which grows gets in advance: as much again, and no more than this.
const GROWTH_BYTES_MAX: usize = 1 << 20;
/// A payload from this size on is freed when the transaction is over.
const HEAVY_BYTES_MIN: usize = 1 << 20;

/// The store, held by one. Others wait until it is dropped, so it must not be held while anything
/// is waited for.
///
/// What has expired is not there. Times are milliseconds since 1970 on a clock that never jumps.
///
/// Whoever changes a name here and has an engine in front of the store tells the engine, before
/// this is dropped: then nobody can read the old value after the change and keep it.
pub struct Txn<'a> {
    // First, so that it is given back before what was removed is freed.
    state: MutexGuard<'a, State>,
    bytes_max: u64,
    now: i64,
    removed: Removed,
}

#[derive(Default)]
struct Removed {
    dbs: Vec<Keyspace>,
    payloads: Vec<Vec<u8>>,
}

/// A key that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// What it holds.
    pub payload: &'a [u8],
    /// When it expires, if it does.
    pub expires: Option<i64>,
}

/// When a key expires. A time that has passed deletes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Never.
    Never,
    /// At this time.
    At(i64),
    /// When it was to expire before.
    Keep,
}

/// How many keys a db has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyspaceSize {
    /// Which db.
    pub db: u32,
    /// Its keys, those that expired and were not purged yet included.
    pub keys: usize,
    /// Those of them that have a deadline.
    pub volatile: usize,
}

/// The store has no room. Nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory;

impl From<OutOfMemory> for StoreError {
    fn from(OutOfMemory: OutOfMemory) -> Self {
        Self::Full
    }
}

impl<'a> Txn<'a> {
    pub(super) fn new(state: MutexGuard<'a, State>, bytes_max: u64, now: i64) -> Self {
        Self { state, bytes_max, now, removed: Removed::default() }
    }

    /// The time at which all this happens.
    pub fn now(&self) -> i64 {
        self.now
    }

    /// A key.
    pub fn get(&self, db: u32, name: &[u8]) -> Option<Entry<'_>> {
        let slot = self.state.dbs.get(&db)?.get(name).filter(|slot| slot.is_live(self.now))?;
        let deadline = slot.deadline();
        Some(Entry { payload: &slot.payload, expires: (deadline != NEVER).then_some(deadline) })
    }

    /// Whether a key is there.
    pub fn contains(&self, db: u32, name: &[u8]) -> bool {
        self.get(db, name).is_some()
    }

    /// Sets a key.
    pub fn set(
        &mut self,
        db: u32,
        name: &[u8],
        payload: &[u8],
        expiry: Expiry,
    ) -> Result<(), OutOfMemory> {
        let deadline = self.deadline(db, name, expiry);
        if self.is_over(deadline) {
            self.remove(db, name);
            return Ok(());
        }
        self.make_room(db, name, payload.len())?;
        let keys = self.state.dbs.entry(db).or_default();
        match keys.get_mut(name) {
            Some(slot) if slot.payload.capacity() == payload.len() => {
                slot.payload.clear();
                slot.payload.extend_from_slice(payload);
            }
            Some(slot) => {
                let old = std::mem::replace(&mut slot.payload, payload.to_vec());
                self.removed.payload(old);
            }
            None => keys.insert(name, payload.to_vec(), deadline),
        }
        keys.set_deadline(name, deadline);
        self.state.watches.changed(db, name);
        Ok(())
    }

    /// Whether these names can all be set to these payloads.
    pub fn has_room_for<'n>(
        &self,
        db: u32,
        pairs: impl IntoIterator<Item = (&'n [u8], &'n [u8])>,
    ) -> Result<(), OutOfMemory> {
        let more = |(name, payload): (&[u8], &[u8])| {
            cost(name.len(), payload.len()).saturating_sub(self.cost_of(db, name))
        };
        let more = pairs.into_iter().map(more).fold(0, u64::saturating_add);
        match more == 0 || self.state.bytes.saturating_add(more) <= self.bytes_max {
            true => Ok(()),
            false => Err(OutOfMemory),
        }
    }

    /// The payload of a key to be changed, so many bytes long at least: zeros fill it up, and it is
    /// made if it is not there.
    pub fn grow(&mut self, db: u32, name: &[u8], len: usize) -> Result<&mut [u8], OutOfMemory> {
        if !self.contains(db, name) {
            self.remove(db, name);
            self.make_room(db, name, len)?;
            self.state.dbs.entry(db).or_default().insert(name, vec![0; len], NEVER);
        }
        let capacity = self.slot(db, name).map_or(0, |slot| slot.payload.capacity());
        if capacity < len {
            let ample = len.saturating_add(len.min(GROWTH_BYTES_MAX));
            let room = match self.make_room(db, name, ample) {
                Ok(()) => ample,
                Err(OutOfMemory) => self.make_room(db, name, len).map(|()| len)?,
            };
            if let Some(slot) = self.slot_mut(db, name) {
                slot.payload.reserve_exact(room - slot.payload.len());
            }
        }
        self.state.watches.changed(db, name);
        let slot = self.slot_mut(db, name).ok_or(OutOfMemory)?;
        if slot.payload.len() < len {
            slot.payload.resize(len, 0);
        }
        Ok(&mut slot.payload)
    }

    /// Changes until when a key lives. Says whether it is there.
    pub fn set_expiry(&mut self, db: u32, name: &[u8], expiry: Expiry) -> bool {
        if !self.contains(db, name) {
            return false;
        }
        let deadline = self.deadline(db, name, expiry);
        if self.is_over(deadline) {
            return self.remove(db, name);
        }
        if let Some(keys) = self.state.dbs.get_mut(&db) {
            keys.set_deadline(name, deadline);
        }
        self.state.watches.changed(db, name);
        true
    }

    /// Deletes a key. Says whether it was there.
    pub fn remove(&mut self, db: u32, name: &[u8]) -> bool {
        let Some(slot) = self.take(db, name) else { return false };
        let was_there = slot.is_live(self.now);
        if was_there {
            self.state.watches.changed(db, name);
        }
        self.removed.payload(slot.payload);
        was_there
    }

    /// Moves a key with its time to live, in place of what is there. Says whether it was there.
    pub fn rename(&mut self, from: (u32, &[u8]), to: (u32, &[u8])) -> Result<bool, OutOfMemory> {
        let Some(slot) = self.slot(from.0, from.1).filter(|slot| slot.is_live(self.now)) else {
            return Ok(false);
        };
        if from == to {
            return Ok(true);
        }
        let bytes = self.state.bytes.saturating_sub(slot.cost() + self.cost_of(to.0, to.1));
        let more = cost(to.1.len(), slot.payload.capacity());
        if to.1.len() > from.1.len() && bytes.saturating_add(more) > self.bytes_max {
            return Err(OutOfMemory);
        }
        self.remove(to.0, to.1);
        if let Some(slot) = self.take(from.0, from.1) {
            self.state.bytes += more;
            let deadline = slot.deadline();
            self.state.dbs.entry(to.0).or_default().insert(to.1, slot.payload, deadline);
        }
        self.state.watches.changed(from.0, from.1);
        self.state.watches.changed(to.0, to.1);
        Ok(true)
    }

    /// Empties a db.
    pub fn flush(&mut self, db: u32) {
        let State { dbs, bytes, watches } = &mut *self.state;
        let Some(keys) = dbs.remove(&db) else { return };
        let is_there = |name: &[u8]| keys.get(name).is_some_and(|slot| slot.is_live(self.now));
        watches.flushed(db, is_there);
        *bytes -= keys.slots().iter().map(Slot::cost).sum::<u64>();
        self.removed.dbs.push(keys);
    }

    /// Empties every db.
    pub fn flush_all(&mut self) {
        let dbs: Vec<u32> = self.state.dbs.keys().copied().collect();
        for db in dbs {
            self.flush(db);
        }
    }

    /// Keys of a db, those that expired and were not purged yet included.
    pub fn len(&self, db: u32) -> usize {
        self.state.dbs.get(&db).map_or(0, Keyspace::len)
    }

    /// Whether a db has no key.
    pub fn is_empty(&self, db: u32) -> bool {
        self.len(db) == 0
    }

    /// The sizes of all dbs that have keys, in order.
    pub fn sizes(&self) -> Vec<KeyspaceSize> {
        let size = |(&db, keys): (&u32, &Keyspace)| KeyspaceSize {
            db,
            keys: keys.len(),
            volatile: keys.volatile(),
        };
        let mut sizes: Vec<_> = self.state.dbs.iter().map(size).collect();
        sizes.retain(|size| size.keys > 0);
        sizes.sort_unstable_by_key(|size| size.db);
        sizes
    }

    /// Bytes held, names and bookkeeping included.
    pub fn bytes(&self) -> u64 {
        self.state.bytes
    }

    /// The names of a db's keys, in no order.
    pub fn names(&self, db: u32) -> impl Iterator<Item = &[u8]> {
        self.live(self.slots(db))
    }

    /// Some names of a db, and the cursor with which to go on; 0 both for the start and for the end.
    /// A walk meets every key that is there all the time, some of them perhaps twice.
    pub fn scan(
        &self,
        db: u32,
        cursor: usize,
        visits: usize,
    ) -> (usize, impl Iterator<Item = &[u8]>) {
        let slots = self.slots(db);
        let end = if cursor == 0 { slots.len() } else { cursor.min(slots.len()) };
        let start = end.saturating_sub(visits.max(1));
        (start, self.live(slots.get(start..end).unwrap_or_default()))
    }

    /// Any name of a db.
    pub fn random(&self, db: u32) -> Option<&[u8]> {
        let slots = self.slots(db);
        let random = usize::try_from(RandomState::new().hash_one(0) >> 1).unwrap_or(0);
        let (before, after) = slots.split_at(random.checked_rem(slots.len())?);
        self.live(after).next().or_else(|| self.live(before).next())
    }

    /// Begins to watch a key. Give the watch back with [`Txn::unwatch`].
    pub fn watch(&mut self, db: u32, name: &[u8]) -> Watch {
        let was_there = self.contains(db, name);
        Watch { db, name: name.into(), changes: self.state.watches.add(db, name), was_there }
    }

    /// Ends a watch.
    pub fn unwatch(&mut self, watch: &Watch) {
        self.state.watches.remove(watch);
    }

    /// Whether a watched key is another than it was: it was written or deleted, or it expired.
    pub fn is_changed(&self, watch: &Watch) -> bool {
        self.state.watches.changes(watch) != Some(watch.changes)
            || watch.was_there && !self.contains(watch.db, &watch.name)
    }

    fn slots(&self, db: u32) -> &[Slot] {
        self.state.dbs.get(&db).map_or(&[], Keyspace::slots)
    }

    fn live<'s>(&self, slots: &'s [Slot]) -> impl Iterator<Item = &'s [u8]> + use<'s> {
        let now = self.now;
        slots.iter().filter(move |slot| slot.is_live(now)).map(|slot| &*slot.name)
    }

    fn slot(&self, db: u32, name: &[u8]) -> Option<&Slot> {
        self.state.dbs.get(&db)?.get(name)
    }

    fn slot_mut(&mut self, db: u32, name: &[u8]) -> Option<&mut Slot> {
        self.state.dbs.get_mut(&db)?.get_mut(name)
    }

    fn take(&mut self, db: u32, name: &[u8]) -> Option<Slot> {
        let slot = self.state.dbs.get_mut(&db)?.remove(name)?;
        self.state.bytes -= slot.cost();
        Some(slot)
    }

    fn deadline(&self, db: u32, name: &[u8], expiry: Expiry) -> i64 {
        match expiry {
            Expiry::Never => NEVER,
            Expiry::At(time) => time.max(NEVER + 1),
            Expiry::Keep => self.get(db, name).and_then(|entry| entry.expires).unwrap_or(NEVER),
        }
    }

    fn is_over(&self, deadline: i64) -> bool {
        deadline <= self.now && deadline != NEVER
    }

    fn cost_of(&self, db: u32, name: &[u8]) -> u64 {
        self.slot(db, name).map_or(0, Slot::cost)
    }

    /// Counts a key as one that has a payload of this capacity.
    fn make_room(&mut self, db: u32, name: &[u8], payload_bytes: usize) -> Result<(), OutOfMemory> {
        let (before, after) = (self.cost_of(db, name), cost(name.len(), payload_bytes));
        let bytes = (self.state.bytes - before).saturating_add(after);
        if after > before && bytes > self.bytes_max {
            return Err(OutOfMemory);
        }
        self.state.bytes = bytes;
        Ok(())
    }
}

impl Removed {
    fn payload(&mut self, payload: Vec<u8>) {
        if payload.capacity() >= HEAVY_BYTES_MIN {
            self.payloads.push(payload);
        }
    }
}
