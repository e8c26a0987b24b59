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
const BUDGET_BYTES_MAX: usize = 1 << 20;

/// See the [module](self).
pub(crate) struct WorkerShared {
    registry: Registry,
    /// Where everything is read first, so that a client who sends nothing takes no room.
    read_buf: RefCell<Box<[u8]>>,
    /// The reads that are looked up.
    batch: RefCell<Batch>,
    /// Bytes read and sent in this share.
    charged: Cell<usize>,
    /// Tasks that wait for one.
    waiting: RefCell<VecDeque<Rc<BudgetWaiter>>>,
    /// Begins the next lap.
    tick: Cell<Option<Waker>>,
}

/// A task's place among those that wait.
#[derive(Default)]
struct BudgetWaiter {
    is_woken: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

impl WorkerShared {
    pub(crate) fn new(registry: Registry) -> Self {
        Self {
            registry,
            read_buf: RefCell::new(vec![0; READ_BYTES].into()),
            batch: RefCell::default(),
            charged: Cell::new(0),
            waiting: RefCell::default(),
            tick: Cell::default(),
        }
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    pub(crate) fn read_buf(&self) -> RefMut<'_, Box<[u8]>> {
        self.read_buf.borrow_mut()
    }

    pub(crate) fn batch(&self) -> RefMut<'_, Batch> {
        self.batch.borrow_mut()
    }

    pub(crate) fn charge(&self, bytes: usize) {
        self.charged.set(self.charged.get().saturating_add(bytes));
    }

    pub(crate) fn is_budget_spent(&self) -> bool {
        self.charged.get() > BUDGET_BYTES_MAX
    }

    /// Lets others have their turn; then waits for a share of which something is left, behind those
    /// who wait already. For whoever has much to do.
    pub(crate) async fn await_budget(&self) {
        if !self.is_budget_spent() && self.waiting.borrow().is_empty() {
            return yield_now().await;
        }
        let waiter = Rc::new(BudgetWaiter::default());
        self.waiting.borrow_mut().push_back(Rc::clone(&waiter));
        self.request_tick();
        poll_fn(|context| {
            if waiter.is_woken.get() {
                return Poll::Ready(());
            }
            waiter.waker.set(Some(context.waker().clone()));
            Poll::Pending
        })
        .await;
    }

    /// Whoever has had enough of a share leaves what is left of it to the next.
    pub(crate) fn yield_budget(&self) {
        if !self.is_budget_spent() {
            self.wake_next();
        }
    }

    /// One lap: `rounds` have a share of it, then tasks have one, the first of those who wait in any
    /// case. The runtime comes by here before it polls the tasks, and looks at all sockets after
    /// that.
    pub(crate) fn tick<T>(
        &self,
        context: &mut Context<'_>,
        event_loop: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.tick.set(Some(context.waker().clone()));
        self.charged.set(0);
        let polled = event_loop(context);
        self.charged.set(0);
        self.wake_next();
        if !self.waiting.borrow().is_empty() {
            self.request_tick();
        }
        polled
    }

    fn wake_next(&self) {
        let Some(waiter) = self.waiting.borrow_mut().pop_front() else { return };
        waiter.is_woken.set(true);
        if let Some(waker) = waiter.waker.take() {
            waker.wake();
        }
    }

    fn request_tick(&self) {
        if let Some(waker) = self.tick.take() {
            waker.wake();
        }
    }
}
