//! What a transaction has changed: enough to undo it, and to name the keys for a journal.
//!
//! Steps are undone in the opposite order, so that each finds the store as it was right after the
//! step was done. The log outlives its transaction, for the memory that it has allocated.

use super::{
    keyspace::{Keyspace, Record},
    state::State,
};
use std::ops::Range;

/// A payload from this size on is freed after the lock has been given back.
const LARGE_BYTES_MIN: usize = 1 << 20;
/// Memory that the log keeps for the next transaction.
const KEPT_STEPS: usize = 1024;
const KEPT_BYTES: usize = 64 << 10;

/// See the [module](self).
#[derive(Default)]
pub(super) struct UndoLog {
    steps: Vec<Step>,
    /// Names, and bytes that were overwritten. Steps refer to parts of it.
    bytes: Vec<u8>,
}

struct Step {
    keyspace: u32,
    name: Range<usize>,
    undo: Undo,
}

/// How to undo a step.
enum Undo {
    /// Remove the record.
    Insert,
    /// Put the record back.
    Remove { position: usize, record: Record },
    /// Put the payload back.
    ReplacePayload(Vec<u8>),
    /// Put the bytes back that were overwritten, and shorten the payload to what it was.
    Overwrite { start: usize, before: Range<usize>, len: usize, capacity: usize },
    /// Put the deadline back.
    SetDeadline(i64),
    /// Put back the number of the last change to a watched key.
    RecordChange(u64),
    /// Move the record back from the key that has this name in this keyspace.
    Rename { position: usize, to: (u32, Range<usize>) },
    /// Put the keyspace back.
    Flush(Box<Keyspace>),
}

/// What a transaction has changed, as it is now. A key that was changed several times may be named
/// several times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// A key was set, changed or deleted.
    Key {
        /// The keyspace.
        keyspace: u32,
        /// The key's name.
        name: &'a [u8],
    },
    /// All keys of a keyspace were deleted.
    Flush {
        /// The keyspace.
        keyspace: u32,
    },
}

/// Memory to be freed when no lock is held.
#[derive(Default)]
pub(super) struct Freed(Vec<Undo>);

impl Undo {
    fn is_large(&self) -> bool {
        match self {
            Self::Remove { record, .. } => record.payload.capacity() >= LARGE_BYTES_MIN,
            Self::ReplacePayload(payload) => payload.capacity() >= LARGE_BYTES_MIN,
            Self::Flush(_) => true,
            _ => false,
        }
    }
}

impl UndoLog {
    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    pub(super) fn insert(&mut self, keyspace: u32, name: &[u8]) {
        self.add(keyspace, name, Undo::Insert);
    }

    pub(super) fn remove(&mut self, keyspace: u32, position: usize, record: Record) {
        let name = self.copy(&record.name);
        self.steps.push(Step { keyspace, name, undo: Undo::Remove { position, record } });
    }

    pub(super) fn replace_payload(&mut self, keyspace: u32, name: &[u8], before: Vec<u8>) {
        self.add(keyspace, name, Undo::ReplacePayload(before));
    }

    /// Notes that the bytes of a payload from `start` to `end` are about to be overwritten, where
    /// the payload has any.
    pub(super) fn overwrite(
        &mut self,
        keyspace: u32,
        name: &[u8],
        payload: &Vec<u8>,
        Range { start, end }: Range<usize>,
    ) {
        let before = payload.get(start..end.min(payload.len())).unwrap_or_default();
        let before = self.copy(before);
        let (len, capacity) = (payload.len(), payload.capacity());
        self.add(keyspace, name, Undo::Overwrite { start, before, len, capacity });
    }

    pub(super) fn set_deadline(&mut self, keyspace: u32, name: &[u8], before: i64) {
        self.add(keyspace, name, Undo::SetDeadline(before));
    }

    pub(super) fn record_change(&mut self, keyspace: u32, name: &[u8], before: u64) {
        self.add(keyspace, name, Undo::RecordChange(before));
    }

    pub(super) fn rename(&mut self, from: (u32, &[u8]), position: usize, to: (u32, &[u8])) {
        let to = (to.0, self.copy(to.1));
        self.add(from.0, from.1, Undo::Rename { position, to });
    }

    pub(super) fn flush(&mut self, number: u32, keyspace: Keyspace) {
        self.add(number, b"", Undo::Flush(Box::new(keyspace)));
    }

    /// Returns what was changed, in order.
    pub(super) fn changes(&self) -> impl Iterator<Item = Change<'_>> {
        self.steps
            .iter()
            .flat_map(|step| {
                let key =
                    |keyspace, name: &Range<usize>| Change::Key { keyspace, name: self.at(name) };
                match &step.undo {
                    Undo::RecordChange(_) => [None, None],
                    Undo::Flush(_) => [Some(Change::Flush { keyspace: step.keyspace }), None],
                    Undo::Rename { to, .. } => {
                        [Some(key(step.keyspace, &step.name)), Some(key(to.0, &to.1))]
                    }
                    _ => [Some(key(step.keyspace, &step.name)), None],
                }
            })
            .flatten()
    }

    /// Undoes every step.
    pub(super) fn roll_back(&mut self, state: &mut State) {
        while let Some(Step { keyspace, name, undo }) = self.steps.pop() {
            self.undo(state, keyspace, &name, undo);
        }
        self.clear();
    }

    /// Discards every step. Returns what is large, to be freed later.
    pub(super) fn discard(&mut self) -> Freed {
        let mut freed = Freed::default();
        // Usually there is none, and the steps are dropped where they are.
        if self.steps.iter().any(|step| step.undo.is_large()) {
            let undos = self.steps.drain(..).map(|step| step.undo);
            freed.0.extend(undos.filter(Undo::is_large));
        }
        self.clear();
        freed
    }

    fn undo(&self, state: &mut State, keyspace: u32, name: &Range<usize>, undo: Undo) {
        let name = self.at(name);
        match undo {
            Undo::Insert => drop(state.remove(keyspace, name)),
            Undo::Remove { position, record } => state.restore(keyspace, position, record),
            Undo::ReplacePayload(before) => {
                change_payload(state, keyspace, name, |payload| *payload = before);
            }
            Undo::Overwrite { start, before, len, capacity } => {
                let before = self.at(&before);
                change_payload(state, keyspace, name, |payload| {
                    payload.truncate(len);
                    if let Some(part) = payload.get_mut(start..start.saturating_add(before.len())) {
                        part.copy_from_slice(before);
                    }
                    payload.shrink_to(capacity);
                });
            }
            Undo::SetDeadline(before) => {
                if let Some(mut record) = state.record_mut(keyspace, name) {
                    record.set_deadline(before);
                }
            }
            Undo::RecordChange(before) => state.watches.restore(keyspace, name, before),
            Undo::Rename { position, to } => {
                if let Some((_, record)) = state.remove(to.0, self.at(&to.1)) {
                    state.restore(keyspace, position, Record { name: name.into(), ..record });
                }
            }
            Undo::Flush(records) => state.restore_keyspace(keyspace, *records),
        }
    }

    fn add(&mut self, keyspace: u32, name: &[u8], undo: Undo) {
        let name = self.copy(name);
        self.steps.push(Step { keyspace, name, undo });
    }

    fn copy(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    fn at(&self, range: &Range<usize>) -> &[u8] {
        self.bytes.get(range.clone()).unwrap_or_default()
    }

    fn clear(&mut self) {
        self.steps.clear();
        self.bytes.clear();
        if self.steps.capacity() > KEPT_STEPS {
            self.steps.shrink_to(KEPT_STEPS);
        }
        if self.bytes.capacity() > KEPT_BYTES {
            self.bytes.shrink_to(KEPT_BYTES);
        }
    }
}

fn change_payload(
    state: &mut State,
    keyspace: u32,
    name: &[u8],
    change: impl FnOnce(&mut Vec<u8>),
) {
    if let Some(mut record) = state.record_mut(keyspace, name) {
        record.change_payload(change);
    }
}
