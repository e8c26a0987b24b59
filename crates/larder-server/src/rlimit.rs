//! The limit of open files. Most systems set it too low for a server: each client takes one file
//! descriptor, or two if it has an upstream connection of its own.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// File descriptors besides those of clients: listeners, the store, origin files.
const RESERVED: u64 = 64;

/// Raises the limit as far as `maxclients` needs and the system allows. Logs a warning if that is
/// not enough.
pub(crate) fn raise(maxclients: usize) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = 2 * maxclients as u64 + RESERVED;
    // `None` means unlimited.
    let possible = wanted.min(maximum.unwrap_or(u64::MAX));
    let mut limit = current.unwrap_or(u64::MAX);
    if limit < possible
        && setrlimit(Resource::Nofile, Rlimit { current: Some(possible), maximum }).is_ok()
    {
        limit = possible;
    }
    if limit < maxclients as u64 + RESERVED {
        tracing::warn!(
            limit,
            maxclients,
            "the limit of open files is too low for maxclients: raise it (ulimit -n) or lower \
             --maxclients"
        );
    }
}
