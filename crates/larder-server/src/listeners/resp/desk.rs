//! What the clients of a worker share: room to work in, and their fair share of its time.

use super::hits::Batch;
use mio::Registry;
use std::cell::{Cell, RefCell, RefMut};
use tokio::task::yield_now;

/// Room for one read.
const READ_BYTES: usize = 64 << 10;
/// Bytes read and sent in one lap, about. What else the worker has to do, above all to hear from the
/// store, waits as long as that takes.
const LAP_BYTES_MAX: usize = 1 << 20;

/// See the [module](self).
pub(super) struct Desk {
    registry: Registry,
    /// Where everything is read first, so that a client who sends nothing takes no room.
    room: RefCell<Box<[u8]>>,
    /// The reads that are looked up.
    batch: RefCell<Batch>,
    /// Bytes read and sent in this lap.
    spent: Cell<usize>,
}

impl Desk {
    pub(super) fn new(registry: Registry) -> Self {
        Self {
            registry,
            room: RefCell::new(vec![0; READ_BYTES].into()),
            batch: RefCell::default(),
            spent: Cell::new(0),
        }
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }

    pub(super) fn room(&self) -> RefMut<'_, Box<[u8]>> {
        self.room.borrow_mut()
    }

    pub(super) fn batch(&self) -> RefMut<'_, Batch> {
        self.batch.borrow_mut()
    }

    /// Everybody has had a turn, and the runtime has looked at all sockets.
    pub(super) fn begin_lap(&self) {
        self.spent.set(0);
    }

    pub(super) fn spend(&self, bytes: usize) {
        self.spent.set(self.spent.get().saturating_add(bytes));
    }

    pub(super) fn is_spent(&self) -> bool {
        self.spent.get() > LAP_BYTES_MAX
    }

    /// Waits for a lap in which something is left.
    pub(super) async fn lap(&self) {
        while self.is_spent() {
            yield_now().await;
        }
    }
}
