//! What a transaction changes, and how each change is logged.

use super::{Locked, Txn};
use crate::memory_store::{
    entry::{Expiry, OutOfMemory},
    keyspace::{NEVER, Record, cost},
};
use std::mem;

/// The room that a growing payload gets in advance: its own length again, up to this.
const GROWTH_BYTES_MAX: usize = 1 << 20;
/// A payload up to this size is overwritten in place. A longer one is replaced, so that undoing
/// takes no copy of it.
const IN_PLACE_BYTES_MAX: usize = 1 << 10;

impl Txn<'_> {
    /// Sets a key.
    pub fn set(
        &mut self,
        keyspace: u32,
        name: &[u8],
        payload: &[u8],
        expiry: Expiry,
    ) -> Result<(), OutOfMemory> {
        let deadline = self.deadline(keyspace, name, expiry);
        if self.is_over(deadline) {
            self.remove(keyspace, name);
            return Ok(());
        }
        if !self.set_present(keyspace, name, payload, deadline)? {
            self.check_room(keyspace, name, payload.len())?;
            self.insert(keyspace, Record { name: name.into(), payload: payload.into(), deadline });
        }
        self.record_change(keyspace, name);
        Ok(())
    }

    /// Changes a record that is there, looking it up once. Returns whether there is one.
    fn set_present(
        &mut self,
        keyspace: u32,
        name: &[u8],
        payload: &[u8],
        deadline: i64,
    ) -> Result<bool, OutOfMemory> {
        let Locked { state, log } = &mut *self.locked;
        let Some(mut record) = state.record_mut(keyspace, name) else { return Ok(false) };
        if record.bytes_with(payload.len()).is_some_and(|bytes| bytes > self.bytes_max) {
            return Err(OutOfMemory);
        }
        if can_overwrite(record.payload(), payload) {
            log.overwrite(keyspace, name, record.payload(), 0..payload.len());
            record.change_payload(|present| write_part(present, 0, payload));
        } else {
            let before = record.change_payload(|present| mem::replace(present, payload.to_vec()));
            log.replace_payload(keyspace, name, before);
        }
        if let Some(before) = record.set_deadline(deadline) {
            log.set_deadline(keyspace, name, before);
        }
        Ok(true)
    }

    /// Whether these names can all be set to these payloads.
    pub fn has_room_for<'n>(
        &self,
        keyspace: u32,
        pairs: impl IntoIterator<Item = (&'n [u8], &'n [u8])>,
    ) -> Result<(), OutOfMemory> {
        let state = &self.locked.state;
        let more = |(name, payload): (&[u8], &[u8])| {
            cost(name.len(), payload.len()).saturating_sub(state.cost(keyspace, name))
        };
        let more = pairs.into_iter().map(more).fold(0, u64::saturating_add);
        match more == 0 || state.bytes.saturating_add(more) <= self.bytes_max {
            true => Ok(()),
            false => Err(OutOfMemory),
        }
    }

    /// Overwrites a part of a key's value from `start` on. A value that ends before `start` is padded
    /// with zeros, and a key that does not exist is created. Returns the length of the value.
    pub fn write_at(
        &mut self,
        keyspace: u32,
        name: &[u8],
        start: usize,
        part: &[u8],
    ) -> Result<usize, OutOfMemory> {
        let end = start.saturating_add(part.len());
        let len = self.live(keyspace, name).map(|record| record.payload.len());
        if len.is_some() {
            let capacity = self.capacity_for(keyspace, name, end)?;
            self.overwrite(keyspace, name, start, part, capacity);
        } else {
            // An expired key may be in the way.
            self.remove(keyspace, name);
            self.check_room(keyspace, name, end)?;
            let mut payload = vec![0; end];
            write_part(&mut payload, start, part);
            self.insert(keyspace, Record { name: name.into(), payload, deadline: NEVER });
        }
        self.record_change(keyspace, name);
        Ok(len.map_or(end, |len| len.max(end)))
    }

    /// Changes when a key expires. Returns whether it exists.
    pub fn set_expiry(&mut self, keyspace: u32, name: &[u8], expiry: Expiry) -> bool {
        if !self.contains(keyspace, name) {
            return false;
        }
        let deadline = self.deadline(keyspace, name, expiry);
        if self.is_over(deadline) {
            return self.remove(keyspace, name);
        }
        self.set_deadline(keyspace, name, deadline);
        self.record_change(keyspace, name);
        true
    }

    /// Deletes a key. Returns whether it existed.
    pub fn remove(&mut self, keyspace: u32, name: &[u8]) -> bool {
        let Locked { state, log } = &mut *self.locked;
        let Some((position, record)) = state.remove(keyspace, name) else { return false };
        let existed = record.is_live(self.now);
        log.remove(keyspace, position, record);
        if existed {
            self.record_change(keyspace, name);
        }
        existed
    }

    /// Renames a key, which keeps its expiry. It replaces a key that has the new name. Returns
    /// whether it existed.
    pub fn rename(&mut self, from: (u32, &[u8]), to: (u32, &[u8])) -> Result<bool, OutOfMemory> {
        let Some(record) = self.live(from.0, from.1) else { return Ok(false) };
        if from == to {
            return Ok(true);
        }
        let more = cost(to.1.len(), record.payload.capacity());
        let less = record.cost() + self.locked.state.cost(to.0, to.1);
        let bytes = self.locked.state.bytes.saturating_sub(less).saturating_add(more);
        if to.1.len() > from.1.len() && bytes > self.bytes_max {
            return Err(OutOfMemory);
        }
        self.remove(to.0, to.1);
        let Locked { state, log } = &mut *self.locked;
        if let Some((position, record)) = state.remove(from.0, from.1) {
            log.rename(from, position, to);
            state.insert(to.0, Record { name: to.1.into(), ..record });
        }
        self.record_change(from.0, from.1);
        self.record_change(to.0, to.1);
        Ok(true)
    }

    /// Empties a keyspace.
    pub fn flush(&mut self, keyspace: u32) {
        let Locked { state, log } = &mut *self.locked;
        let Some(records) = state.remove_keyspace(keyspace) else { return };
        let is_live = |name: &[u8]| records.get(name).is_some_and(|it| it.is_live(self.now));
        let watched: Vec<Box<[u8]>> =
            state.watches.names(keyspace).filter(|name| is_live(name)).map(Box::from).collect();
        log.flush(keyspace, records);
        for name in watched {
            self.record_change(keyspace, &name);
        }
    }

    /// Empties every keyspace.
    pub fn flush_all(&mut self) {
        let keyspaces: Vec<u32> = self.locked.state.keyspaces.keys().copied().collect();
        for keyspace in keyspaces {
            self.flush(keyspace);
        }
    }

    fn insert(&mut self, keyspace: u32, record: Record) {
        let Locked { state, log } = &mut *self.locked;
        log.insert(keyspace, &record.name);
        state.insert(keyspace, record);
    }

    /// Overwrites a payload from `start` on, after giving it this capacity if it has less.
    fn overwrite(
        &mut self,
        keyspace: u32,
        name: &[u8],
        start: usize,
        part: &[u8],
        capacity: usize,
    ) {
        let Locked { state, log } = &mut *self.locked;
        let Some(mut record) = state.record_mut(keyspace, name) else { return };
        log.overwrite(keyspace, name, record.payload(), start..start.saturating_add(part.len()));
        record.change_payload(|payload| {
            payload.reserve_exact(capacity.saturating_sub(payload.len()));
            write_part(payload, start, part);
        });
    }

    fn set_deadline(&mut self, keyspace: u32, name: &[u8], deadline: i64) {
        let Locked { state, log } = &mut *self.locked;
        let record = state.record_mut(keyspace, name);
        if let Some(before) = record.and_then(|mut record| record.set_deadline(deadline)) {
            log.set_deadline(keyspace, name, before);
        }
    }

    fn record_change(&mut self, keyspace: u32, name: &[u8]) {
        let Locked { state, log } = &mut *self.locked;
        if let Some(before) = state.watches.record(keyspace, name) {
            log.record_change(keyspace, name, before);
        }
    }

    fn deadline(&self, keyspace: u32, name: &[u8], expiry: Expiry) -> i64 {
        match expiry {
            Expiry::Never => NEVER,
            Expiry::At(time) => time.max(NEVER + 1),
            Expiry::Keep => self.live(keyspace, name).map_or(NEVER, |record| record.deadline),
        }
    }

    fn is_over(&self, deadline: i64) -> bool {
        deadline <= self.now && deadline != NEVER
    }

    /// Whether a key may have a payload of this capacity.
    fn check_room(&self, keyspace: u32, name: &[u8], capacity: usize) -> Result<(), OutOfMemory> {
        let state = &self.locked.state;
        let (before, after) = (state.cost(keyspace, name), cost(name.len(), capacity));
        let bytes = (state.bytes - before).saturating_add(after);
        if after > before && bytes > self.bytes_max { Err(OutOfMemory) } else { Ok(()) }
    }

    /// Returns the capacity with which a key's payload can grow to `len` bytes: with room for more,
    /// if the store has that.
    fn capacity_for(&self, keyspace: u32, name: &[u8], len: usize) -> Result<usize, OutOfMemory> {
        let record = self.locked.state.record(keyspace, name);
        let capacity = record.map_or(0, |record| record.payload.capacity());
        if len <= capacity {
            return Ok(capacity);
        }
        let ample = len.saturating_add(len.min(GROWTH_BYTES_MAX));
        match self.check_room(keyspace, name, ample) {
            Ok(()) => Ok(ample),
            Err(OutOfMemory) => self.check_room(keyspace, name, len).map(|()| len),
        }
    }
}

/// Whether a payload is overwritten by another one rather than replaced. Then it has exactly the
/// room that the other one takes.
fn can_overwrite(payload: &Vec<u8>, by: &[u8]) -> bool {
    payload.capacity() == by.len() && by.len() <= IN_PLACE_BYTES_MAX
}

/// Writes a part of a payload, which grows if the part ends behind it.
fn write_part(payload: &mut Vec<u8>, start: usize, part: &[u8]) {
    let end = start.saturating_add(part.len());
    if payload.len() < end {
        payload.resize(end, 0);
    }
    if let Some(place) = payload.get_mut(start..end) {
        place.copy_from_slice(part);
    }
}
