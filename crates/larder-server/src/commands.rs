//! The commands of the store, as it describes them. Until it has done so, the built-in table holds.

use larder_resp::command::Table;
use std::sync::{Arc, PoisonError, RwLock};

/// See the [module](self).
pub(crate) struct Commands {
    table: RwLock<Arc<Table>>,
}

impl Commands {
    /// Creates the state before the store has answered.
    pub(crate) fn new() -> Self {
        Self { table: RwLock::new(Arc::new(Table::builtin())) }
    }

    pub(crate) fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn replace(&self, table: Table) {
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
    }
}
