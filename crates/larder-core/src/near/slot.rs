//! What stands under one name: how long it counts, and a few replies to reads of it.

use crate::{Moment, Value};

/// Replies kept under one name at most; further reads of it are not kept.
pub(crate) const FORMS_PER_NAME_MAX: usize = 64;

/// What one allocation costs beyond the bytes asked for, on average (header and rounding).
const ALLOCATION_BYTES: usize = 16;

/// Bytes that a slot costs beside its name's and its replies' allocations: the slot itself, its
/// place in the policy's lists and in the hash table. Measured by `tests/memory.rs`.
const SLOT_BYTES: usize = 120;

/// The entry of one name.
#[derive(Clone, Debug)]
pub(crate) struct Slot<V> {
    /// Served before this moment only.
    pub(crate) deadline: Moment,
    /// The epoch it was filled in.
    pub(crate) epoch: u32,
    /// The number of clears that went before it.
    pub(crate) generation: u32,
    forms: Forms<V>,
}

/// One reply: to which read, in which db.
#[derive(Clone, Debug)]
struct Form<V> {
    db: u32,
    read: Box<[u8]>,
    value: V,
}

#[derive(Clone, Debug)]
enum Forms<V> {
    One(Form<V>),
    Many(Vec<Form<V>>),
}

impl<V: Value> Slot<V> {
    pub(crate) fn new(life: Life, db: u32, read: &[u8], value: V) -> Self {
        let Life { deadline, epoch, generation } = life;
        Self { deadline, epoch, generation, forms: Forms::One(Form::new(db, read, value)) }
    }

    pub(crate) fn get(&self, db: u32, read: &[u8]) -> Option<&V> {
        self.forms().iter().find(|form| form.is(db, read)).map(|form| &form.value)
    }

    /// This slot with the replies of a newer one in place of its own to the same reads; it leaves
    /// with the earliest of them. `None` when that makes too many.
    pub(crate) fn joined_by(&self, newer: &Self) -> Option<Self> {
        let renewed = |form: &Form<V>| newer.get(form.db, &form.read).is_some();
        let mut forms: Vec<_> = self.forms().iter().filter(|form| !renewed(form)).collect();
        forms.extend(newer.forms());
        let forms = match *forms {
            [alone] => Forms::One(alone.clone()),
            _ if forms.len() > FORMS_PER_NAME_MAX => return None,
            _ => Forms::Many(forms.into_iter().cloned().collect()),
        };
        Some(Self { deadline: self.deadline.min(newer.deadline), forms, ..*self })
    }

    /// Bytes that this slot takes with everything that belongs to it.
    pub(crate) fn bytes(&self, name_bytes: usize) -> u64 {
        let list = match &self.forms {
            Forms::One(_) => 0,
            Forms::Many(forms) => forms.capacity() * size_of::<Form<V>>() + ALLOCATION_BYTES,
        };
        let forms = list + self.forms().iter().map(Form::bytes).sum::<usize>();
        (SLOT_BYTES + name_bytes + ALLOCATION_BYTES + forms) as u64
    }

    fn forms(&self) -> &[Form<V>] {
        match &self.forms {
            Forms::One(form) => std::slice::from_ref(form),
            Forms::Many(forms) => forms,
        }
    }
}

/// How long a slot counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    pub(crate) deadline: Moment,
    pub(crate) epoch: u32,
    pub(crate) generation: u32,
}

impl<V: Value> Form<V> {
    fn new(db: u32, read: &[u8], value: V) -> Self {
        Self { db, read: read.into(), value }
    }

    fn is(&self, db: u32, read: &[u8]) -> bool {
        self.db == db && *self.read == *read
    }

    fn bytes(&self) -> usize {
        let read = if self.read.is_empty() { 0 } else { self.read.len() + ALLOCATION_BYTES };
        self.value.heap_bytes() + ALLOCATION_BYTES + read
    }
}
