//! What stands under one name: how long it counts, and a few replies to reads of it.

use super::inline::{Inline, Parts};
use crate::{Key, Moment, Value, value::CachedRef};

/// Replies kept under one name at most; further reads of it are not kept.
pub(crate) const FORMS_PER_NAME_MAX: usize = 64;

/// A reply larger than this is kept as the value it came as: whoever wants it for longer than a
/// look counts it up instead of copying it.
const INLINE_BYTES_MAX: usize = 1024;

/// Bytes that a slot costs beside its allocations: the slot itself, its place in the policy's lists
/// and in the index. Measured by `tests/memory.rs`.
const SLOT_BYTES: usize = 68;

/// The entry of one name.
#[derive(Clone, Debug)]
pub(crate) struct Slot<V> {
    pub(crate) life: Life,
    forms: Forms<V>,
}

/// How long a slot counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    /// Served before this moment only.
    pub(crate) deadline: Moment,
    /// The epoch it was filled in.
    pub(crate) epoch: u32,
    /// The number of clears that went before it.
    pub(crate) generation: u32,
}

#[derive(Clone, Debug)]
enum Forms<V> {
    /// One small reply, and the name beside it.
    Inline(Inline),
    Apart(Box<Apart<V>>),
}

/// Replies that do not lie in one piece with their name: several, or a large one.
#[derive(Clone, Debug)]
struct Apart<V> {
    name: Box<[u8]>,
    forms: Vec<Form<V>>,
}

/// One reply: to which read, in which db.
#[derive(Clone, Debug)]
struct Form<V> {
    db: u32,
    read: Box<[u8]>,
    value: V,
}

impl<V: Value> Slot<V> {
    pub(crate) fn new(life: Life, key: Key<'_>, value: &V) -> Self {
        let Key { name, db, read } = key;
        let forms = match value.plain().filter(|plain| plain.len() <= INLINE_BYTES_MAX) {
            Some(reply) => Forms::Inline(Inline::new(Parts { name, db, read, reply })),
            None => Forms::Apart(Box::new(Apart {
                name: name.into(),
                forms: vec![Form { db, read: read.into(), value: value.clone() }],
            })),
        };
        Self { life, forms }
    }

    /// What a place holds that holds nothing.
    pub(crate) fn vacant() -> Self {
        let life = Life { deadline: Moment::START, epoch: 0, generation: 0 };
        Self { life, forms: Forms::Inline(Inline::empty()) }
    }

    /// The reply to a read of this very name.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "measured: what it returns would go over memory")]
    pub(crate) fn get(&self, key: Key<'_>) -> Option<CachedRef<'_, V>> {
        match &self.forms {
            Forms::Inline(inline) => inline.reply_to(key).map(CachedRef::Bytes),
            Forms::Apart(apart) => apart.reply_to(key).map(CachedRef::Value),
        }
    }

    /// Reads a byte of each part that a look would read.
    #[inline]
    pub(crate) fn touch(&self) -> u8 {
        match &self.forms {
            Forms::Inline(inline) => inline.touch(),
            Forms::Apart(apart) => apart.name.first().copied().unwrap_or_default(),
        }
    }

    /// Whether it stands under this name; another may have the same hash.
    pub(crate) fn is_of(&self, name: &[u8]) -> bool {
        *self.name() == *name
    }

    /// This slot with the replies of a newer one of its name in place of its own to the same
    /// reads; it leaves with the earliest of them. `None` when that makes too many.
    pub(crate) fn joined_by(&self, newer: &Self) -> Option<Self> {
        let name = newer.name();
        let renewed = |form: &Form<V>| newer.get(Key { name, db: form.db, read: &form.read });
        let mut forms = self.to_forms();
        forms.retain(|form| renewed(form).is_none());
        if forms.is_empty() {
            let deadline = self.life.deadline.min(newer.life.deadline);
            return Some(Self { life: Life { deadline, ..self.life }, forms: newer.forms.clone() });
        }
        forms.extend(newer.to_forms());
        (forms.len() <= FORMS_PER_NAME_MAX).then(|| Self {
            life: Life { deadline: self.life.deadline.min(newer.life.deadline), ..self.life },
            forms: Forms::Apart(Box::new(Apart { name: name.into(), forms })),
        })
    }

    /// Bytes that this slot takes with everything that belongs to it.
    #[inline]
    pub(crate) fn bytes(&self) -> u64 {
        let apart = match &self.forms {
            Forms::Inline(inline) => allocated(inline.len()),
            Forms::Apart(apart) => apart.bytes(),
        };
        (SLOT_BYTES + apart) as u64
    }

    fn name(&self) -> &[u8] {
        match &self.forms {
            Forms::Inline(inline) => inline.parts().map_or(&[], |parts| parts.name),
            Forms::Apart(apart) => &apart.name,
        }
    }

    fn to_forms(&self) -> Vec<Form<V>> {
        match &self.forms {
            Forms::Inline(inline) => inline.parts().map(Form::copy_of).into_iter().collect(),
            Forms::Apart(apart) => apart.forms.clone(),
        }
    }
}

impl<V: Value> Apart<V> {
    fn reply_to(&self, key: Key<'_>) -> Option<&V> {
        let Key { name, db, read } = key;
        let forms = if *self.name == *name { &*self.forms } else { &[] };
        forms.iter().find(|form| form.is(db, read)).map(|form| &form.value)
    }

    fn bytes(&self) -> usize {
        let forms = self.forms.iter().map(Form::bytes).sum::<usize>();
        allocated(size_of::<Self>())
            + allocated(self.name.len())
            + allocated(self.forms.capacity() * size_of::<Form<V>>())
            + forms
    }
}

impl<V: Value> Form<V> {
    fn copy_of(parts: Parts<'_>) -> Self {
        Self { db: parts.db, read: parts.read.into(), value: V::from_plain(parts.reply) }
    }

    fn is(&self, db: u32, read: &[u8]) -> bool {
        self.db == db && *self.read == *read
    }

    fn bytes(&self) -> usize {
        allocated(self.value.heap_bytes()) + allocated(self.read.len())
    }
}

/// What the allocator takes for so many bytes: most have a header and steps of 16.
#[inline]
fn allocated(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { (bytes + 8).next_multiple_of(16).max(32) }
}
