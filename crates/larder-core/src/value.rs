//! What the near tier keeps.

/// A reply that the near tier can keep: cheap to clone, of known size.
pub trait Value: Clone + Send + Sync + 'static {
    /// The reply that says: here is this string.
    fn string(payload: &[u8]) -> Self;

    /// The reply that says: there is no such key.
    fn absent() -> Self;

    /// Whether this reply says that there is no such key.
    fn is_absent(&self) -> bool;

    /// Whether this may be the reply to a read of a key that does not exist.
    fn fits_no_key(&self) -> bool {
        self.is_absent()
    }

    /// Bytes on the heap that this value keeps alive, as the allocator was asked for them.
    fn heap_bytes(&self) -> usize;
}

/// The plainest value: a payload or nothing.
impl Value for Option<std::sync::Arc<[u8]>> {
    fn string(payload: &[u8]) -> Self {
        Some(payload.into())
    }

    fn absent() -> Self {
        None
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }

    fn heap_bytes(&self) -> usize {
        self.as_ref().map_or(0, |payload| payload.len() + ARC_HEADER_BYTES)
    }
}

/// The two reference counts in front of what an `Arc` holds.
const ARC_HEADER_BYTES: usize = 2 * size_of::<usize>();
