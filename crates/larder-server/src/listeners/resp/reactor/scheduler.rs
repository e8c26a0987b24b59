//! What the clients of a worker share: room to work in, and their fair share of its time.

use crate::listeners::resp::proxy::hits::Batch;
use mio::Registry;
use std::{
    cell::{Cell, RefCell, RefMut},
    collections::VecDeque,
    future::poll_fn,
    rc::Rc,
    task::{Context, Poll, Waker},
};
use tokio::task::yield_now;

/// Room for one read.
const READ_BYTES: usize = 64 << 10;
/// Bytes read and sent in one share of a lap, about. What else the worker has to do, above all to
/// hear from the store, waits as long as a lap takes.
const SHARE_BYTES_MAX: usize = 1 << 20;

/// See the [module](self).
pub(crate) struct Desk {
    registry: Registry,
    /// Where everything is read first, so that a client who sends nothing takes no room.
    room: RefCell<Box<[u8]>>,
    /// The reads that are looked up.
    batch: RefCell<Batch>,
    /// Bytes read and sent in this share.
    spent: Cell<usize>,
    /// Tasks that wait for one.
    waiting: RefCell<VecDeque<Rc<Ticket>>>,
    /// Begins the next lap.
    lap: Cell<Option<Waker>>,
}

/// A task's place among those that wait.
#[derive(Default)]
struct Ticket {
    is_called: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

impl Desk {
    pub(crate) fn new(registry: Registry) -> Self {
        Self {
            registry,
            room: RefCell::new(vec![0; READ_BYTES].into()),
            batch: RefCell::default(),
            spent: Cell::new(0),
            waiting: RefCell::default(),
            lap: Cell::default(),
        }
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    pub(crate) fn room(&self) -> RefMut<'_, Box<[u8]>> {
        self.room.borrow_mut()
    }

    pub(crate) fn batch(&self) -> RefMut<'_, Batch> {
        self.batch.borrow_mut()
    }

    pub(crate) fn spend(&self, bytes: usize) {
        self.spent.set(self.spent.get().saturating_add(bytes));
    }

    pub(crate) fn is_spent(&self) -> bool {
        self.spent.get() > SHARE_BYTES_MAX
    }

    /// Lets others have their turn; then waits for a share of which something is left, behind those
    /// who wait already. For whoever has much to do.
    pub(crate) async fn share(&self) {
        if !self.is_spent() && self.waiting.borrow().is_empty() {
            return yield_now().await;
        }
        let ticket = Rc::new(Ticket::default());
        self.waiting.borrow_mut().push_back(Rc::clone(&ticket));
        self.call_for_lap();
        poll_fn(|context| {
            if ticket.is_called.get() {
                return Poll::Ready(());
            }
            ticket.waker.set(Some(context.waker().clone()));
            Poll::Pending
        })
        .await;
    }

    /// Whoever has had enough of a share leaves what is left of it to the next.
    pub(crate) fn pass_on(&self) {
        if !self.is_spent() {
            self.call_next();
        }
    }

    /// One lap: `rounds` have a share of it, then tasks have one, the first of those who wait in any
    /// case. The runtime comes by here before it polls the tasks, and looks at all sockets after
    /// that.
    pub(crate) fn lap<T>(
        &self,
        context: &mut Context<'_>,
        rounds: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.lap.set(Some(context.waker().clone()));
        self.spent.set(0);
        let polled = rounds(context);
        self.spent.set(0);
        self.call_next();
        if !self.waiting.borrow().is_empty() {
            self.call_for_lap();
        }
        polled
    }

    fn call_next(&self) {
        let Some(ticket) = self.waiting.borrow_mut().pop_front() else { return };
        ticket.is_called.set(true);
        if let Some(waker) = ticket.waker.take() {
            waker.wake();
        }
    }

    fn call_for_lap(&self) {
        if let Some(waker) = self.lap.take() {
            waker.wake();
        }
    }
}
