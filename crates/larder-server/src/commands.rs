//! The commands of the store, as it describes them. Until it has done so, the built-in table holds.

use larder_resp::command::{Cacheable, Table};
use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicBool, Ordering::Relaxed},
};

/// See the [module](self).
pub(crate) struct Commands {
    table: RwLock<Arc<Table>>,
    caches_hashes: AtomicBool,
}

impl Commands {
    /// Creates the state before the store has answered: reads of hashes are not cached yet.
    pub(crate) fn new() -> Self {
        Self {
            table: RwLock::new(Arc::new(Table::builtin())),
            caches_hashes: AtomicBool::new(false),
        }
    }

    pub(crate) fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns whether replies to such reads are cached. Where fields of a hash can expire, hashes
    /// are not: the TTL of the key says nothing about its fields.
    pub(crate) fn caches(&self, read: &Cacheable) -> bool {
        !read.reads_hash_fields || self.caches_hashes.load(Relaxed)
    }

    pub(crate) fn replace(&self, table: Table, fields_expire: bool) {
        self.caches_hashes.store(!fields_expire, Relaxed);
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
    }
}
