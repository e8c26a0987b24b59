//! The event loop: reads from all ready sockets of a worker and answers them in one batch.
//!
//! A hit wakes no task: its connection is parked here and is served in place. Replies are sent
//! together at the end of a batch, because waking a sleeping peer dominates the cost of a small
//! reply: the peer that the first reply wakes finds the others without having slept in between.

use super::{
    handler::{Handler, Next},
    scheduler::WorkerShared,
    socket::{Readiness, Socket, Stream, is_would_block},
};
use bytes::BytesMut;
use mio::{Events, Token};
use slab::Slab;
use std::{
    cell::RefCell,
    collections::VecDeque,
    future::poll_fn,
    io,
    ops::Range,
    panic::{self, AssertUnwindSafe},
    rc::Rc,
    task::Poll,
    time::Duration,
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    task::yield_now,
};

/// Maximum number of socket events that one poll returns; the next poll returns the others.
const EVENTS_MAX: usize = 256;
/// Replies are sent early when they take more than this.
const OUTPUT_BYTES_MAX: usize = 64 << 10;
/// An empty buffer larger than this is freed.
const IDLE_BUFFER_BYTES_MAX: usize = 1 << 20;

/// See the [module](self).
pub(crate) struct EventLoop<H> {
    shared: Rc<WorkerShared>,
    slots: RefCell<Slab<Slot<H>>>,
    /// Slots whose sockets have changed and have not been served since.
    changed: RefCell<VecDeque<usize>>,
}

/// The state of one socket.
struct Slot<H> {
    readiness: Rc<Readiness>,
    /// The connection, from [`Registration::park`] to [`Registration::take`].
    parked: Option<Box<H>>,
}

/// A connection's slot in the event loop, owned by the connection's task. Dropping it frees the
/// slot and whatever is parked there.
pub(crate) struct Registration<H> {
    event_loop: Rc<EventLoop<H>>,
    readiness: Rc<Readiness>,
    slot: usize,
}

/// The replies of one batch.
#[derive(Default)]
struct Replies {
    bytes: BytesMut,
    /// The slot that each part of `bytes` is for.
    parts: Vec<(usize, Range<usize>)>,
}

impl<H: Handler> EventLoop<H> {
    /// Returns an empty event loop and the poll that [`EventLoop::run`] needs.
    pub(crate) fn new() -> io::Result<(Rc<Self>, AsyncFd<mio::Poll>)> {
        let poll = mio::Poll::new()?;
        let shared = Rc::new(WorkerShared::new(poll.registry().try_clone()?));
        let event_loop =
            Rc::new(Self { shared, slots: RefCell::default(), changed: RefCell::default() });
        Ok((event_loop, into_async(poll)?))
    }

    /// Registers a socket.
    pub(crate) fn register(
        self: &Rc<Self>,
        stream: Stream,
    ) -> io::Result<(Socket, Registration<H>)> {
        let readiness = Rc::<Readiness>::default();
        let entry = Slot { readiness: Rc::clone(&readiness), parked: None };
        let slot = self.slots.borrow_mut().insert(entry);
        let registration =
            Registration { event_loop: Rc::clone(self), readiness: Rc::clone(&readiness), slot };
        let socket = Socket::register(stream, Token(slot), readiness, Rc::clone(&self.shared))?;
        Ok((socket, registration))
    }

    /// Returns what all connections of the worker share.
    pub(crate) fn shared(&self) -> &Rc<WorkerShared> {
        &self.shared
    }

    /// Serves parked connections until polling fails.
    pub(crate) async fn run(&self, mut poll: AsyncFd<mio::Poll>) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        let mut replies = Replies::default();
        loop {
            let mut ready = poll.readable_mut().await?;
            match ready.get_inner_mut().poll(&mut events, Some(Duration::ZERO)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            let is_all = events.iter().count() < EVENTS_MAX;
            if is_all {
                ready.clear_ready();
            }
            self.record(&events);
            self.run_once(&mut replies);
            while !self.changed.borrow().is_empty() {
                yield_now().await;
                self.run_once(&mut replies);
            }
            if !is_all {
                yield_now().await;
            }
        }
    }

    fn record(&self, events: &Events) {
        let slots = self.slots.borrow();
        for event in events {
            let Token(number) = event.token();
            if let Some(slot) = slots.get(number) {
                slot.readiness.record(event);
                self.changed.borrow_mut().push_back(number);
            }
        }
    }

    /// Serves the changed slots until none is left or the budget is spent.
    fn run_once(&self, replies: &mut Replies) {
        let mut slots = self.slots.borrow_mut();
        let mut changed = self.changed.borrow_mut();
        let mut buf = self.shared.read_buf();
        while !self.shared.is_budget_spent()
            && let Some(number) = changed.pop_front()
        {
            let Some(slot) = slots.get_mut(number) else { continue };
            // As with a task, a panic ends one connection and no other.
            let before = replies.bytes.len();
            let served =
                panic::catch_unwind(AssertUnwindSafe(|| slot.serve(number, &mut buf, replies)));
            if served.is_err() {
                replies.bytes.truncate(before);
                slot.parked = None;
                slot.readiness.wake();
            }
            if replies.bytes.len() > OUTPUT_BYTES_MAX {
                replies.send(&mut slots);
            }
        }
        replies.send(&mut slots);
    }
}

#[allow(unsafe_code, reason = "the runtime cannot check the file descriptor it is given")]
fn into_async(poll: mio::Poll) -> io::Result<AsyncFd<mio::Poll>> {
    // SAFETY: a `mio::Poll` owns one file descriptor, which stays open and the same until it is
    // dropped, and `as_raw_fd` returns no other.
    let registered = unsafe { AsyncFd::register_with_interest(poll, Interest::READABLE) };
    Ok(registered?)
}

impl<H: Handler> Slot<H> {
    /// Reads from the socket and has the handler answer. Wakes the task for everything else.
    #[inline]
    fn serve(&mut self, number: usize, buf: &mut [u8], replies: &mut Replies) {
        let Self { readiness, parked } = self;
        // A task that has been woken goes first.
        let handler = parked.as_mut().filter(|_| !readiness.is_woken());
        let Some(handler) = handler else { return readiness.wake() };
        let input = match handler.read(buf) {
            Ok(read) => buf.get(..read).unwrap_or_default(),
            Err(error) if is_would_block(&error) => return,
            // The task's own read fails the same way; so does a read at the end of the stream.
            Err(_) => return readiness.wake(),
        };
        let start = replies.bytes.len();
        let next = handler.handle(input, &mut replies.bytes);
        if replies.bytes.len() > start {
            replies.parts.push((number, start..replies.bytes.len()));
        }
        if next == Next::WakeTask || readiness.is_readable() {
            readiness.wake();
        }
    }
}

impl Replies {
    /// Sends all replies. A connection whose socket is full goes back to its task.
    fn send<H: Handler>(&mut self, slots: &mut Slab<Slot<H>>) {
        for (number, range) in self.parts.drain(..) {
            let Some(Slot { readiness, parked }) = slots.get_mut(number) else { continue };
            let Some(handler) = parked else { continue };
            if handler.send(self.bytes.get(range).unwrap_or_default()) == Next::WakeTask {
                readiness.wake();
            }
        }
        self.bytes.clear();
        if self.bytes.capacity() > IDLE_BUFFER_BYTES_MAX {
            self.bytes = BytesMut::new();
        }
    }
}

impl<H> Registration<H> {
    /// Returns whether the last read emptied the socket.
    pub(crate) fn is_drained(&self) -> bool {
        !self.readiness.is_readable()
    }

    /// Parks the connection: the event loop serves it until [`Registration::take`]. Clears earlier
    /// wake-ups.
    pub(crate) fn park(&self, connection: Box<H>) {
        self.readiness.clear_wake();
        if let Some(slot) = self.event_loop.slots.borrow_mut().get_mut(self.slot) {
            slot.parked = Some(connection);
        }
    }

    /// Takes the connection back. Returns `None` if its handler panicked.
    pub(crate) fn take(&self) -> Option<Box<H>> {
        self.event_loop.slots.borrow_mut().get_mut(self.slot)?.parked.take()
    }

    /// Waits until the event loop wakes the task.
    pub(crate) async fn woken(&self) {
        poll_fn(|context| {
            if self.readiness.is_woken() {
                return Poll::Ready(());
            }
            self.readiness.set_waker(context);
            Poll::Pending
        })
        .await;
    }

    /// Returns whether anything has been read since the last call.
    pub(crate) fn take_activity(&self) -> bool {
        self.readiness.take_activity()
    }
}

impl<H> Drop for Registration<H> {
    fn drop(&mut self) {
        // The slot holds the connection if its task ended while it was parked. Its destructor runs
        // after the slots are released.
        let slot = self.event_loop.slots.borrow_mut().try_remove(self.slot);
        drop(slot);
    }
}
