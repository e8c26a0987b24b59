//! What the event loop asks of a parked connection.

use bytes::BytesMut;
use std::io;

/// A connection that the event loop serves while it is parked.
///
/// The methods must not block. They are called with the event loop borrowed, so they must not call
/// it back.
pub(crate) trait Handler {
    /// Reads what the peer has sent into `buf` and returns the number of bytes; 0 means the end of
    /// the stream. Fails with `WouldBlock` when nothing has arrived.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize>;

    /// Handles `input` as far as that needs no waiting and appends the replies to `output`. The
    /// handler keeps the input that it leaves to its task.
    fn handle(&mut self, input: &[u8], output: &mut BytesMut) -> Next;

    /// Sends `replies` and keeps the bytes that the socket does not accept.
    fn send(&mut self, replies: &[u8]) -> Next;
}

/// What the event loop does next with a parked connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing: the connection waits for its socket.
    StayParked,
    /// Wakes the connection's task, which takes the connection back.
    WakeTask,
}
