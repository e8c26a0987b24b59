//! What the clients of one worker send, taken in rounds: whoever is ready is read from and answered
//! from memory, one after the other, then all replies are sent.
//!
//! A [`Connection`] that owes nothing is left here, and its task sleeps until it is called: a hit
//! wakes no task. Whoever waits for bytes sleeps too, and to wake it is the dearest part of a small
//! reply; where all replies of a round go out together, who was woken by the first finds the others
//! without having slept.

use super::{
    scheduler::WorkerShared,
    socket::{Readiness, Socket, Stream, is_not_yet},
};
use crate::listeners::resp::proxy::connection::Connection;
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

/// Sockets of one round; the others have the next.
const SOCKETS_MAX: usize = 256;
/// Replies that are sent before the round goes on.
const OUTPUT_BYTES_MAX: usize = 64 << 10;
/// An empty buffer larger than this is given back.
const IDLE_BUFFER_BYTES_MAX: usize = 1 << 20;

/// See the [module](self).
pub(crate) struct EventLoop {
    shared: Rc<WorkerShared>,
    slots: RefCell<Slab<Slot>>,
    /// The slots whose sockets have changed, and that have yet to be looked at.
    changed: RefCell<VecDeque<usize>>,
}

/// One socket's.
#[derive(Default)]
struct Slot {
    readiness: Rc<Readiness>,
    /// It is served here until its task takes it back.
    parked: Option<Box<Connection>>,
}

/// A connection's slot, as its task holds it. Dropping it gives it up.
pub(crate) struct Registration {
    event_loop: Rc<EventLoop>,
    readiness: Rc<Readiness>,
    number: usize,
}

/// What a round has to send.
#[derive(Default)]
struct Replies {
    bytes: BytesMut,
    /// The slots they are for, one behind the other, and where they are.
    to: Vec<(usize, Range<usize>)>,
}

impl EventLoop {
    /// EventLoop that nobody takes part in yet, and what tells them of their sockets.
    pub(crate) fn new() -> io::Result<(Rc<Self>, AsyncFd<mio::Poll>)> {
        let poll = mio::Poll::new()?;
        let shared = Rc::new(WorkerShared::new(poll.registry().try_clone()?));
        let event_loop =
            Rc::new(Self { shared, slots: RefCell::default(), changed: RefCell::default() });
        Ok((event_loop, watch(poll)?))
    }

    /// Takes a socket in.
    pub(crate) fn join(self: &Rc<Self>, stream: Stream) -> io::Result<(Socket, Registration)> {
        let slot = Slot::default();
        let readiness = Rc::clone(&slot.readiness);
        let number = self.slots.borrow_mut().insert(slot);
        let place =
            Registration { event_loop: Rc::clone(self), readiness: Rc::clone(&readiness), number };
        let socket = Socket::register(stream, Token(number), readiness, Rc::clone(&self.shared))?;
        Ok((socket, place))
    }

    /// What the clients share.
    pub(crate) fn shared(&self) -> &Rc<WorkerShared> {
        &self.shared
    }

    /// Holds rounds as long as the runtime runs.
    pub(crate) async fn run(&self, mut poll: AsyncFd<mio::Poll>) -> io::Result<()> {
        let mut events = Events::with_capacity(SOCKETS_MAX);
        let mut replies = Replies::default();
        loop {
            let mut ready = poll.readable_mut().await?;
            match ready.get_inner_mut().poll(&mut events, Some(Duration::ZERO)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            let is_all = events.iter().count() < SOCKETS_MAX;
            if is_all {
                ready.clear_ready();
            }
            self.note(&events);
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

    fn note(&self, events: &Events) {
        let slots = self.slots.borrow();
        for event in events {
            let Token(number) = event.token();
            if let Some(slot) = slots.get(number) {
                slot.readiness.note(event);
                self.changed.borrow_mut().push_back(number);
            }
        }
    }

    /// Serves whose sockets have changed, as long as there is anything left of this share.
    fn run_once(&self, replies: &mut Replies) {
        let mut slots = self.slots.borrow_mut();
        let mut changed = self.changed.borrow_mut();
        let mut room = self.shared.read_buf();
        while !self.shared.is_budget_spent()
            && let Some(number) = changed.pop_front()
        {
            let Some(slot) = slots.get_mut(number) else { continue };
            // As in a task of its own: one client's misfortune is not that of the others.
            let before = replies.bytes.len();
            let served =
                panic::catch_unwind(AssertUnwindSafe(|| slot.serve(number, &mut room, replies)));
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

#[allow(unsafe_code, reason = "the runtime cannot check what it is given")]
fn watch(poll: mio::Poll) -> io::Result<AsyncFd<mio::Poll>> {
    // SAFETY: a `mio::Poll` owns one file descriptor, which stays open and the same until it is
    // dropped, and `as_raw_fd` gives no other.
    let watched = unsafe { AsyncFd::register_with_interest(poll, Interest::READABLE) };
    Ok(watched?)
}

impl Slot {
    /// Reads, and answers what can be answered from memory. The rest is for the task.
    fn serve(&mut self, number: usize, room: &mut [u8], replies: &mut Replies) {
        let Self { readiness, parked } = self;
        // What it was called for comes first.
        let connection = parked.as_mut().filter(|_| !readiness.is_woken());
        let Some(connection) = connection else { return readiness.wake() };
        let read = match connection.read(room) {
            Ok(read) => room.get(..read).unwrap_or_default(),
            Err(error) if is_not_yet(&error) => return,
            // It shows again when the task reads, as does the end.
            Err(_) => return readiness.wake(),
        };
        let start = replies.bytes.len();
        let is_all = connection.take_hits(read, &mut replies.bytes);
        if replies.bytes.len() > start {
            replies.to.push((number, start..replies.bytes.len()));
        }
        if !is_all || readiness.is_readable() {
            readiness.wake();
        }
    }
}

impl Replies {
    /// Sends them all. What a client does not take at once is left to its task.
    fn send(&mut self, slots: &mut Slab<Slot>) {
        for (number, range) in self.to.drain(..) {
            let Some(Slot { readiness, parked }) = slots.get_mut(number) else { continue };
            let Some(connection) = parked else { continue };
            if !connection.send(self.bytes.get(range).unwrap_or_default()) {
                readiness.wake();
            }
        }
        self.bytes.clear();
        if self.bytes.capacity() > IDLE_BUFFER_BYTES_MAX {
            self.bytes = BytesMut::new();
        }
    }
}

impl Registration {
    /// Whether all that the socket was ready for has been used up.
    pub(crate) fn is_drained(&self) -> bool {
        !self.readiness.is_readable()
    }

    /// Leaves the connection to the rounds. What they did before is no news to it.
    pub(crate) fn park(&self, connection: Box<Connection>) {
        self.readiness.clear_wake();
        if let Some(slot) = self.event_loop.slots.borrow_mut().get_mut(self.number) {
            slot.parked = Some(connection);
        }
    }

    /// Takes it back.
    pub(crate) fn take(&self) -> Option<Box<Connection>> {
        self.event_loop.slots.borrow_mut().get_mut(self.number)?.parked.take()
    }

    /// Waits until the rounds have something for the task.
    pub(crate) async fn woken(&self) {
        poll_fn(|context| {
            if self.readiness.is_woken() {
                return Poll::Ready(());
            }
            self.readiness.wait(context);
            Poll::Pending
        })
        .await;
    }

    /// Whether the client has been heard since this was asked last.
    pub(crate) fn take_activity(&self) -> bool {
        self.readiness.take_activity()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // With the connection, if its task ended while that was here.
        let slot = self.event_loop.slots.borrow_mut().try_remove(self.number);
        drop(slot);
    }
}
