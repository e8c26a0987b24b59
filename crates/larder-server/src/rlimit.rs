//! The limit of open files, which most systems set too low for a server: each client is one, or two
//! when it has a connection to the store of its own.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are open whoever is connected: listeners, the store, the files of origins.
const OTHERS: u64 = 64;

/// Raises the limit as far as `maxclients` needs and the system allows. Says so where that is not
/// enough.
pub(crate) fn allow(maxclients: usize) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = 2 * maxclients as u64 + OTHERS;
    // No limit is `None`.
    let possible = wanted.min(maximum.unwrap_or(u64::MAX));
    let mut limit = current.unwrap_or(u64::MAX);
    if limit < possible
        && setrlimit(Resource::Nofile, Rlimit { current: Some(possible), maximum }).is_ok()
    {
        limit = possible;
    }
    if limit < maxclients as u64 + OTHERS {
        tracing::warn!(
            limit,
            maxclients,
            "the limit of open files is too low for maxclients: raise it (ulimit -n) or lower \
             --maxclients"
        );
    }
}
