//! What a loader is handed.

use larder_expiry::Expiry;
use parking_lot::Mutex;
use std::sync::Arc;

/// What a loader is handed: the stale value, if there is one, and the way to choose the value's
/// time to live.
#[derive(Clone, Debug)]
pub struct LoadContext<V> {
    stale: Option<V>,
    ttl: Arc<Mutex<Option<Expiry>>>,
}

impl<V> LoadContext<V> {
    pub(crate) fn new(stale: Option<V>) -> Self {
        Self { stale, ttl: Arc::default() }
    }

    /// Returns the value that is to be replaced, if the cache still has it. A loader can ask its
    /// source whether it has changed, and return it again.
    pub fn stale(&self) -> Option<&V> {
        self.stale.as_ref()
    }

    /// Sets when the value expires that this loader is about to return, in place of the cache's
    /// setting and that of the call. No jitter is applied to it.
    pub fn ttl(&self, expiry: impl Into<Expiry>) {
        *self.ttl.lock() = Some(expiry.into());
    }

    pub(crate) fn chosen_ttl(&self) -> Option<Expiry> {
        self.ttl.lock().take()
    }
}
