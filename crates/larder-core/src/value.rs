//! The values that the near cache holds.

/// A value that the near cache can hold: cheap to clone and of known size.
///
/// A value is either a payload or the fact that the key does not exist. Caching the latter saves a
/// round trip for each read of a missing key.
pub trait Value: Clone + Send + Sync + 'static {
    /// Creates the value with this payload.
    fn from_payload(payload: &[u8]) -> Self;

    /// Creates the value of a key that does not exist.
    fn absent() -> Self;

    /// Returns whether this is the value of a key that does not exist.
    fn is_absent(&self) -> bool;

    /// Returns whether a read of a key that does not exist can return this value.
    ///
    /// Not every such read returns [`Value::absent`]: the length of a missing list is 0.
    fn fits_missing_key(&self) -> bool {
        self.is_absent()
    }

    /// Returns the size of the payload in bytes, which `value_bytes_max` bounds.
    fn payload_bytes(&self) -> usize;

    /// Returns the number of bytes on the heap that this value keeps alive, as requested from the
    /// allocator.
    fn heap_bytes(&self) -> usize;

    /// Returns the bytes that represent this value completely, if there are any.
    ///
    /// The near cache stores such bytes, if they are few, in one allocation with the name.
    fn as_bytes(&self) -> Option<&[u8]>;

    /// Creates the value whose [`Value::as_bytes`] are `bytes`.
    fn from_bytes(bytes: &[u8]) -> Self;
}

/// A reference to a cached value.
#[derive(Clone, Copy, Debug)]
pub enum CachedRef<'a, V> {
    /// The [`Value::as_bytes`] of a small value.
    Bytes(&'a [u8]),
    /// The value itself.
    Value(&'a V),
}

impl<V: Value> CachedRef<'_, V> {
    /// Returns an owned value: a copy of a small one, a clone of any other.
    pub fn to_value(self) -> V {
        match self {
            Self::Bytes(bytes) => V::from_bytes(bytes),
            Self::Value(value) => value.clone(),
        }
    }
}

/// The simplest value: a payload or nothing.
impl Value for Option<std::sync::Arc<[u8]>> {
    fn from_payload(payload: &[u8]) -> Self {
        Some(payload.into())
    }

    fn absent() -> Self {
        None
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }

    fn payload_bytes(&self) -> usize {
        self.as_ref().map_or(0, |payload| payload.len())
    }

    fn heap_bytes(&self) -> usize {
        self.as_ref().map_or(0, |payload| payload.len() + ARC_HEADER_BYTES)
    }

    fn as_bytes(&self) -> Option<&[u8]> {
        self.as_deref()
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        Self::from_payload(bytes)
    }
}

/// The two reference counts in front of the contents of an `Arc`.
const ARC_HEADER_BYTES: usize = 2 * size_of::<usize>();
