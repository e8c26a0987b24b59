//! Whether Redis accepts Larder's connections: it may know another password by now, although the
//! connections that are open go on.

use crate::url::RedisUrl;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// See the [module](self).
pub(crate) struct Access {
    url: RedisUrl,
    /// Why Redis refused the last connection that was opened.
    refusal: Mutex<Option<Arc<str>>>,
}

impl Access {
    pub(crate) fn new(url: RedisUrl) -> Self {
        Self { url, refusal: Mutex::new(None) }
    }

    /// Returns why Redis refuses Larder's connections, if it does.
    pub(crate) fn refusal(&self) -> Option<Arc<str>> {
        self.lock().clone()
    }

    /// Records that Redis has refused a connection, and logs it unless it is known.
    pub(crate) fn refused(&self, why: &str) {
        if self.lock().replace(why.into()).is_none() {
            tracing::warn!(url = %self.url, why, "Redis refuses Larder's connections");
        }
    }

    /// Records that Redis has accepted a connection, and logs it if the last one was refused.
    pub(crate) fn accepted(&self) {
        if self.lock().take().is_some() {
            tracing::info!(url = %self.url, "Redis accepts Larder's connections again");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<str>>> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
