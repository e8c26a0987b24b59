//! What the connections of one worker share: a read buffer, and a budget of bytes that keeps one of
//! them from taking all of the worker's time.

use mio::Registry;
use std::{
    cell::{Cell, RefCell, RefMut},
    collections::VecDeque,
    future::poll_fn,
    rc::Rc,
    task::{Context, Poll, Waker},
};
use tokio::task::yield_now;

/// Bytes of one read.
const READ_BYTES: usize = 64 << 10;
/// Bytes read and sent, about, before others have their turn. The worker's other work, above all
/// reading from the store, waits for at most two budgets: one of the event loop, one of the tasks.
const BUDGET_BYTES_MAX: usize = 1 << 20;

/// See the [module](self).
pub(crate) struct WorkerShared {
    registry: Registry,
    /// All sockets are read into this buffer first, so that an idle connection holds no memory.
    read_buf: RefCell<Box<[u8]>>,
    /// Bytes charged to the current budget.
    charged: Cell<usize>,
    /// Tasks that wait for a budget.
    waiting: RefCell<VecDeque<Rc<BudgetWaiter>>>,
    /// Starts the next tick.
    tick: Cell<Option<Waker>>,
}

/// A task's place in the queue for a budget.
#[derive(Default)]
struct BudgetWaiter {
    is_woken: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

impl WorkerShared {
    pub(super) fn new(registry: Registry) -> Self {
        Self {
            registry,
            read_buf: RefCell::new(vec![0; READ_BYTES].into()),
            charged: Cell::new(0),
            waiting: RefCell::default(),
            tick: Cell::default(),
        }
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }

    pub(super) fn read_buf(&self) -> RefMut<'_, Box<[u8]>> {
        self.read_buf.borrow_mut()
    }

    /// Charges bytes that were read or sent to the current budget.
    pub(crate) fn charge(&self, bytes: usize) {
        self.charged.set(self.charged.get().saturating_add(bytes));
    }

    pub(super) fn is_budget_spent(&self) -> bool {
        self.charged.get() > BUDGET_BYTES_MAX
    }

    /// Lets others run, then waits for a budget that is not spent. Tasks get it in the order in
    /// which they asked.
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

    /// Passes the rest of the current budget on to the next task in the queue.
    pub(crate) fn yield_budget(&self) {
        if !self.is_budget_spent() {
            self.wake_next();
        }
    }

    /// Runs one tick: `event_loop` gets a budget, then the tasks get one, which the first task in the
    /// queue always receives. The runtime polls this future before the tasks it wakes, and checks
    /// all sockets after that.
    #[inline]
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
