//! What the near tier keeps.

/// A reply that the near tier can keep: cheap to clone, of known size.
pub trait Value: Clone + Send + Sync + 'static {
    /// The reply that says: here is this string.
    fn from_payload(payload: &[u8]) -> Self;

    /// The reply that says: there is no such key.
    fn absent() -> Self;

    /// Whether this reply says that there is no such key.
    fn is_absent(&self) -> bool;

    /// Whether this may be the reply to a read of a key that does not exist.
    fn fits_missing_key(&self) -> bool {
        self.is_absent()
    }

    /// Bytes of what a client would call the value, as `value_bytes_max` counts them.
    fn payload_bytes(&self) -> usize;

    /// Bytes on the heap that this value keeps alive, as the allocator was asked for them.
    fn heap_bytes(&self) -> usize;

    /// The bytes that are all of this value, if there are such: the near tier then keeps them
    /// instead, where they are small, in one piece with the name.
    fn as_bytes(&self) -> Option<&[u8]>;

    /// The value of which these are the [`Value::as_bytes`] bytes.
    fn from_bytes(bytes: &[u8]) -> Self;
}

/// A value where the near tier keeps it.
#[derive(Clone, Copy, Debug)]
pub enum CachedRef<'a, V> {
    /// As its [`Value::as_bytes`] bytes.
    Bytes(&'a [u8]),
    /// As itself.
    Value(&'a V),
}

impl<V: Value> CachedRef<'_, V> {
    /// The value, to take away: a copy if it is small.
    pub fn to_value(self) -> V {
        match self {
            Self::Bytes(bytes) => V::from_bytes(bytes),
            Self::Value(value) => value.clone(),
        }
    }
}

/// The plainest value: a payload or nothing.
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

/// The two reference counts in front of what an `Arc` holds.
const ARC_HEADER_BYTES: usize = 2 * size_of::<usize>();
