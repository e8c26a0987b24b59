//! The entry of a name: how long it is valid, and the values of a few variants of that name.

use super::{
    ReadView,
    inline::{Inline, Parts},
};
use crate::{Key, Moment, Value, value::CachedRef};

/// Maximum number of variants of an entry. Further variants are not cached.
pub(crate) const VARIANTS_PER_NAME_MAX: usize = 64;

/// A larger value is stored as it is, so that a caller can keep it by incrementing its reference
/// count instead of copying it.
const INLINE_BYTES_MAX: usize = 1024;

/// The bytes that an entry takes apart from its allocations: its node in the slab and its bucket in
/// the index. `tests/memory.rs` checks the sum against the memory of a process.
const ENTRY_BYTES: usize = 68;

/// The entry of one name.
#[derive(Clone, Debug)]
pub(crate) struct Entry<V> {
    pub(super) validity: Validity,
    variants: Variants<V>,
}

/// How long an entry is valid.
#[derive(Clone, Copy, Debug)]
pub(super) struct Validity {
    /// The moment from which the entry is no longer served.
    pub(super) deadline: Moment,
    /// The epoch in which it was filled.
    pub(super) epoch: u32,
    /// The number of clears before it was inserted.
    pub(super) generation: u32,
}

/// Why an entry is no longer valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Invalid {
    /// Its epoch has ended, or the cache was cleared.
    Ended,
    /// Its deadline has passed.
    Expired,
}

impl Validity {
    /// Returns why an entry is invalid in a view, if it is.
    #[inline]
    pub(super) fn check(&self, view: ReadView, generation: u32) -> Result<(), Invalid> {
        if self.epoch != view.epoch || self.generation != generation {
            Err(Invalid::Ended)
        } else if self.deadline <= view.now {
            Err(Invalid::Expired)
        } else {
            Ok(())
        }
    }

    /// Returns the validity of an entry to which values with another deadline are added.
    fn until(self, deadline: Moment) -> Self {
        Self { deadline: self.deadline.min(deadline), ..self }
    }
}

#[derive(Clone, Debug)]
enum Variants<V> {
    /// One small value, in one allocation with the name.
    Inline(Inline),
    Boxed(Box<Boxed<V>>),
}

/// Several values, or one that is large or has no bytes of its own.
#[derive(Clone, Debug)]
struct Boxed<V> {
    name: Box<[u8]>,
    variants: Vec<Variant<V>>,
}

/// One variant of a name in one keyspace.
#[derive(Clone, Debug)]
struct Variant<V> {
    keyspace: u32,
    id: Box<[u8]>,
    value: V,
}

impl<V: Value> Entry<V> {
    pub(super) fn new(validity: Validity, key: Key<'_>, value: &V) -> Self {
        let Key { name, keyspace, variant } = key;
        let variants = match value.as_bytes().filter(|bytes| bytes.len() <= INLINE_BYTES_MAX) {
            Some(value) => Variants::Inline(Inline::new(Parts { name, keyspace, variant, value })),
            None => Variants::Boxed(Box::new(Boxed {
                name: name.into(),
                variants: vec![Variant { keyspace, id: variant.into(), value: value.clone() }],
            })),
        };
        Self { validity, variants }
    }

    /// Creates the placeholder of a free node, without an allocation.
    pub(super) fn vacant() -> Self {
        let validity = Validity { deadline: Moment::START, epoch: 0, generation: 0 };
        Self { validity, variants: Variants::Inline(Inline::empty()) }
    }

    /// Returns the value of a key, if this is the entry of its name.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "measured: the result would be returned in memory")]
    pub(super) fn get(&self, key: Key<'_>) -> Option<CachedRef<'_, V>> {
        match &self.variants {
            Variants::Inline(inline) => inline.get(key).map(CachedRef::Bytes),
            Variants::Boxed(boxed) => boxed.get(key).map(CachedRef::Value),
        }
    }

    /// Reads a byte of each part that a lookup needs, so that it is in the processor's cache.
    #[inline]
    pub(super) fn prefetch(&self) -> u8 {
        match &self.variants {
            Variants::Inline(inline) => inline.prefetch(),
            Variants::Boxed(boxed) => boxed.name.first().copied().unwrap_or_default(),
        }
    }

    /// Returns whether this is the entry of `name`, and not of another name with the same
    /// fingerprint.
    pub(super) fn has_name(&self, name: &[u8]) -> bool {
        *self.name() == *name
    }

    /// Returns this entry with the values of a newer entry of the same name added, or put in place
    /// of older values of the same variants. The result expires with the earlier deadline of the two,
    /// unless all older values are replaced.
    ///
    /// Returns `None` if there would be too many values.
    pub(super) fn merged_with(&self, newer: &Self) -> Option<Self> {
        let name = newer.name();
        let is_replaced = |variant: &Variant<V>| {
            newer.get(Key { name, keyspace: variant.keyspace, variant: &variant.id }).is_some()
        };
        let mut variants = self.to_variants();
        variants.retain(|variant| !is_replaced(variant));
        if variants.is_empty() {
            return Some(newer.clone());
        }
        variants.extend(newer.to_variants());
        if variants.len() > VARIANTS_PER_NAME_MAX {
            return None;
        }
        let validity = self.validity.until(newer.validity.deadline);
        let boxed = Box::new(Boxed { name: name.into(), variants });
        Some(Self { validity, variants: Variants::Boxed(boxed) })
    }

    /// Returns the bytes of this entry, its allocations and its bookkeeping included.
    #[inline]
    pub(super) fn bytes(&self) -> u64 {
        let allocations = match &self.variants {
            Variants::Inline(inline) => allocated(inline.len()),
            Variants::Boxed(boxed) => boxed.bytes(),
        };
        (ENTRY_BYTES + allocations) as u64
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
    fn get(&self, key: Key<'_>) -> Option<&V> {
        let Key { name, keyspace, variant: id } = key;
        let variants = if *self.name == *name { &*self.variants } else { &[] };
        variants.iter().find(|variant| variant.matches(keyspace, id)).map(|variant| &variant.value)
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
        Self {
            keyspace: parts.keyspace,
            id: parts.variant.into(),
            value: V::from_bytes(parts.value),
        }
    }

    fn matches(&self, keyspace: u32, id: &[u8]) -> bool {
        self.keyspace == keyspace && *self.id == *id
    }

    fn bytes(&self) -> usize {
        allocated(self.value.heap_bytes()) + allocated(self.id.len())
    }
}

/// Returns the memory that an allocation takes: most allocators add a header of 8 bytes and round
/// up to 16.
#[inline]
fn allocated(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { (bytes + 8).next_multiple_of(16).max(32) }
}
