//! Whether Redis takes what origins load: at `maxmemory` it may not, and each read of such a row asks
//! the origin.

use larder_core::StoreError;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// See the [module](self).
#[derive(Default)]
pub(crate) struct LoadRefusals {
    /// Why Redis refused the last value.
    last: Mutex<Option<Arc<str>>>,
}

impl LoadRefusals {
    /// Records what became of a value, and logs it if the one before fared differently.
    pub(crate) fn record<T>(&self, outcome: &Result<T, StoreError>) {
        match outcome {
            Err(StoreError::Refused(why)) => {
                if self.lock().replace(Arc::clone(why)).is_none() {
                    tracing::warn!(%why, "the store refuses what origins load");
                }
            }
            Err(_) => {}
            Ok(_) => {
                if self.lock().take().is_some() {
                    tracing::info!("the store takes what origins load again");
                }
            }
        }
    }

    /// Describes the problem, if there is one.
    pub(crate) fn problem(&self) -> Option<String> {
        let last = self.lock();
        last.as_ref().map(|why| format!("the store refused what an origin loaded last: {why}"))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<str>>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
