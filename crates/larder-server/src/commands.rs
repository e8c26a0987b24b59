//! The commands of the store, as it describes them. Until it has done so, the built-in table holds.

use larder_resp::command::Table;
use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicBool, Ordering::Relaxed},
};

/// See the [module](self).
pub(crate) struct Commands {
    table: RwLock<Arc<Table>>,
    checks_auth_first: AtomicBool,
}

impl Commands {
    /// Creates the state before the store has answered.
    pub(crate) fn new() -> Self {
        let table = RwLock::new(Arc::new(Table::builtin()));
        Self { table, checks_auth_first: AtomicBool::new(false) }
    }

    pub(crate) fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns whether the store asks for a password before it looks a command up.
    pub(crate) fn checks_auth_first(&self) -> bool {
        self.checks_auth_first.load(Relaxed)
    }

    pub(crate) fn set_checks_auth_first(&self, checks_auth_first: bool) {
        self.checks_auth_first.store(checks_auth_first, Relaxed);
    }

    pub(crate) fn replace(&self, table: Table) {
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
    }
}
