//! What stands under one name: how long it counts, and a few replies to reads of it.

use super::inline::{Inline, Parts};
use crate::{Key, Moment, Value, value::CachedRef};

/// Replies kept under one name at most; further reads of it are not kept.
pub(crate) const VARIANTS_PER_NAME_MAX: usize = 64;

/// A reply larger than this is kept as the value it came as: whoever wants it for longer than a
/// look counts it up instead of copying it.
const INLINE_BYTES_MAX: usize = 1024;

/// Bytes that a slot costs beside its allocations: the slot itself, its place in the policy's lists
/// and in the index. Measured by `tests/memory.rs`.
const ENTRY_BYTES: usize = 68;

/// The entry of one name.
#[derive(Clone, Debug)]
pub(crate) struct Entry<V> {
    pub(crate) validity: Validity,
    variants: Variants<V>,
}

/// How long a slot counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Validity {
    /// Served before this moment only.
    pub(crate) deadline: Moment,
    /// The epoch it was filled in.
    pub(crate) epoch: u32,
    /// The number of clears that went before it.
    pub(crate) generation: u32,
}

#[derive(Clone, Debug)]
enum Variants<V> {
    /// One small reply, and the name beside it.
    Inline(Inline),
    Boxed(Box<Boxed<V>>),
}

/// Replies that do not lie in one piece with their name: several, or a large one.
#[derive(Clone, Debug)]
struct Boxed<V> {
    name: Box<[u8]>,
    variants: Vec<Variant<V>>,
}

/// One reply: to which read, in which db.
#[derive(Clone, Debug)]
struct Variant<V> {
    db: u32,
    read: Box<[u8]>,
    value: V,
}

impl<V: Value> Entry<V> {
    pub(crate) fn new(validity: Validity, key: Key<'_>, value: &V) -> Self {
        let Key { name, db, read } = key;
        let variants = match value.as_bytes().filter(|plain| plain.len() <= INLINE_BYTES_MAX) {
            Some(reply) => Variants::Inline(Inline::new(Parts { name, db, read, reply })),
            None => Variants::Boxed(Box::new(Boxed {
                name: name.into(),
                variants: vec![Variant { db, read: read.into(), value: value.clone() }],
            })),
        };
        Self { validity, variants }
    }

    /// What a place holds that holds nothing.
    pub(crate) fn vacant() -> Self {
        let validity = Validity { deadline: Moment::START, epoch: 0, generation: 0 };
        Self { validity, variants: Variants::Inline(Inline::empty()) }
    }

    /// The reply to a read of this very name.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "measured: what it returns would go over memory")]
    pub(crate) fn get(&self, key: Key<'_>) -> Option<CachedRef<'_, V>> {
        match &self.variants {
            Variants::Inline(inline) => inline.reply_to(key).map(CachedRef::Bytes),
            Variants::Boxed(boxed) => boxed.reply_to(key).map(CachedRef::Value),
        }
    }

    /// Reads a byte of each part that a look would read.
    #[inline]
    pub(crate) fn prefetch(&self) -> u8 {
        match &self.variants {
            Variants::Inline(inline) => inline.prefetch(),
            Variants::Boxed(boxed) => boxed.name.first().copied().unwrap_or_default(),
        }
    }

    /// Whether it stands under this name; another may have the same hash.
    pub(crate) fn has_name(&self, name: &[u8]) -> bool {
        *self.name() == *name
    }

    /// This slot with the replies of a newer one of its name in place of its own to the same
    /// reads; it leaves with the earliest of them. `None` when that makes too many.
    pub(crate) fn merged_with(&self, newer: &Self) -> Option<Self> {
        let name = newer.name();
        let renewed =
            |variant: &Variant<V>| newer.get(Key { name, db: variant.db, read: &variant.read });
        let mut variants = self.to_variants();
        variants.retain(|variant| renewed(variant).is_none());
        if variants.is_empty() {
            let deadline = self.validity.deadline.min(newer.validity.deadline);
            return Some(Self {
                validity: Validity { deadline, ..self.validity },
                variants: newer.variants.clone(),
            });
        }
        variants.extend(newer.to_variants());
        (variants.len() <= VARIANTS_PER_NAME_MAX).then(|| Self {
            validity: Validity {
                deadline: self.validity.deadline.min(newer.validity.deadline),
                ..self.validity
            },
            variants: Variants::Boxed(Box::new(Boxed { name: name.into(), variants })),
        })
    }

    /// Bytes that this slot takes with everything that belongs to it.
    #[inline]
    pub(crate) fn bytes(&self) -> u64 {
        let boxed = match &self.variants {
            Variants::Inline(inline) => allocated(inline.len()),
            Variants::Boxed(boxed) => boxed.bytes(),
        };
        (ENTRY_BYTES + boxed) as u64
    }

    fn name(&self) -> &[u8] {
        match &self.variants {
            Variants::Inline(inline) => inline.parts().map_or(&[], |parts| parts.name),
            Variants::Boxed(boxed) => &boxed.name,
        }
    }

    fn to_variants(&self) -> Vec<Variant<V>> {
        match &self.variants {
            Variants::Inline(inline) => inline.parts().map(Variant::copy_of).into_iter().collect(),
            Variants::Boxed(boxed) => boxed.variants.clone(),
        }
    }
}

impl<V: Value> Boxed<V> {
    fn reply_to(&self, key: Key<'_>) -> Option<&V> {
        let Key { name, db, read } = key;
        let variants = if *self.name == *name { &*self.variants } else { &[] };
        variants.iter().find(|variant| variant.is(db, read)).map(|variant| &variant.value)
    }

    fn bytes(&self) -> usize {
        let variants = self.variants.iter().map(Variant::bytes).sum::<usize>();
        allocated(size_of::<Self>())
            + allocated(self.name.len())
            + allocated(self.variants.capacity() * size_of::<Variant<V>>())
            + variants
    }
}

impl<V: Value> Variant<V> {
    fn copy_of(parts: Parts<'_>) -> Self {
        Self { db: parts.db, read: parts.read.into(), value: V::from_bytes(parts.reply) }
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
