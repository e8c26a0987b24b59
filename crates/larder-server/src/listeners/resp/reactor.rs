//! The event loop of one worker thread. It knows no protocol.
//!
//! A connection with nothing left to do is parked in the [event loop](event_loop): its task sleeps
//! while the loop reads its socket, passes the bytes to its [`Handler`](handler::Handler) and sends
//! the replies. The task wakes only for what the handler leaves to it. The [scheduler] divides the
//! worker's time between the event loop and the tasks; a [socket] reads and writes without blocking.

pub(crate) mod event_loop;
pub(crate) mod handler;
pub(crate) mod scheduler;
pub(crate) mod socket;
#[cfg(test)]
mod tests;
