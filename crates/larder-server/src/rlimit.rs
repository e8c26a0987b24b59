//! The limit of open files. Most systems set it too low for a server: a Redis client takes one file
//! descriptor, or two if it has an upstream connection of its own, and an HTTP client one.
//!
//! Connections share what the limit leaves for them. The rest is reserved, so that a server that
//! turns clients away can still accept them, say so, and report its health.

use crate::config::Config;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// File descriptors besides those of clients: listeners, the store, origin files, and connections
/// that are being refused.
const RESERVED: u64 = 64;
/// File descriptors of one worker: its runtime and its event loop.
const PER_WORKER: u64 = 8;
/// What one client of each listener takes.
const PER_CLIENT: u64 = 3;
/// Clients are served even if the limit leaves no room for them.
const FOR_CLIENTS_MIN: u64 = 16;

/// The file descriptors that clients may take.
#[derive(Debug)]
pub(crate) struct Descriptors(Arc<Semaphore>);

/// A file descriptor that a connection takes until this is dropped.
pub(crate) type Descriptor = OwnedSemaphorePermit;

impl Descriptors {
    /// Returns `None` if all are taken.
    pub(crate) fn take(&self) -> Option<Descriptor> {
        Arc::clone(&self.0).try_acquire_owned().ok()
    }
}

/// Raises the limit as far as `maxclients` needs and the system allows, and returns what is left
/// for clients. Logs a warning if that is not enough.
pub(crate) fn raise(config: &Config) -> Descriptors {
    let (maxclients, workers) = (config.maxclients as u64, config.resp.workers as u64);
    let reserved = RESERVED + PER_WORKER * workers;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = PER_CLIENT * maxclients + reserved;
    // `None` means unlimited.
    let possible = wanted.min(maximum.unwrap_or(u64::MAX));
    let mut limit = current.unwrap_or(u64::MAX);
    if limit < possible
        && setrlimit(Resource::Nofile, Rlimit { current: Some(possible), maximum }).is_ok()
    {
        limit = possible;
    }
    let for_clients = limit.saturating_sub(reserved).max(FOR_CLIENTS_MIN);
    if for_clients < maxclients {
        tracing::warn!(
            limit,
            maxclients,
            for_clients,
            "the limit of open files is too low for maxclients: raise it (ulimit -n) or lower \
             --maxclients"
        );
    }
    let permits = usize::try_from(for_clients).unwrap_or(usize::MAX);
    Descriptors(Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS))))
}
