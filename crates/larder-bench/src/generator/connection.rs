//! One connection: a batch on its way, and its replies as they come in.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::{Errno, read, write};

use crate::clock::now;
use crate::generator::Shape;
use crate::generator::batch::Batch;
use crate::generator::http::{Exchange, Response};
use crate::generator::replies::Replies;
use crate::keys::Order;

/// A batch that was answered.
pub(super) struct Answered {
    /// When its last reply was read.
    pub(super) at: Instant,
    /// Since it was written.
    pub(super) took: Duration,
    /// How many of its requests were writes.
    pub(super) writes: u64,
    /// Replies that held another value.
    pub(super) wrong: u64,
}

/// What the server has to answer, in the language in which it is asked.
enum Expected {
    Replies(Replies),
    Http(Response),
}

impl Expected {
    fn expect(&mut self, batch: &Batch) {
        match self {
            Self::Replies(replies) => replies.expect(batch),
            Self::Http(response) => response.expect_another(),
        }
    }

    fn space(&mut self) -> &mut [u8] {
        match self {
            Self::Replies(replies) => replies.space(),
            Self::Http(response) => response.space(),
        }
    }

    fn take(&mut self, count: usize, batch: &Batch) -> io::Result<bool> {
        match self {
            Self::Replies(replies) => replies.take(count, batch),
            Self::Http(response) => response.take(count),
        }
    }

    fn count_wrong(&mut self, batch: &Batch) -> io::Result<u64> {
        match self {
            Self::Replies(replies) => replies.count_wrong(batch),
            Self::Http(response) => {
                Ok(batch.asked().map(|asked| response.count_wrong(asked.key)).sum())
            }
        }
    }
}

pub(super) struct Connection {
    socket: OwnedFd,
    batch: Batch,
    replies: Expected,
    sent: Instant,
}

impl Connection {
    pub(super) fn new(socket: OwnedFd, shape: Shape) -> Self {
        let replies = Expected::Replies(Replies::new(shape));
        Self { socket, batch: shape.batch(), replies, sent: now() }
    }

    /// One request at a time.
    pub(super) fn over_http(socket: OwnedFd, exchange: &Exchange) -> Self {
        let replies = Expected::Http(Response::new(exchange));
        Self { socket, batch: exchange.batch(), replies, sent: now() }
    }

    /// Sends a batch; false when no keys are left for one.
    pub(super) fn send(&mut self, order: &mut Order) -> io::Result<bool> {
        if !self.batch.fill(order) {
            return Ok(false);
        }
        self.replies.expect(&self.batch);
        self.sent = now();
        let mut rest = self.batch.bytes();
        while !rest.is_empty() {
            let count = write(&self.socket, rest)?;
            rest = rest.get(count..).unwrap_or_default();
        }
        Ok(true)
    }

    /// Reads once, which does not wait after an event. The batch, when it is complete.
    pub(super) fn receive(&mut self) -> io::Result<Option<Answered>> {
        let count = match read(&self.socket, self.replies.space()) {
            Ok(0) => return Err(io::Error::other("the server closed the connection")),
            Err(Errno::INTR) => return Ok(None),
            count => count?,
        };
        if !self.replies.take(count, &self.batch)? {
            return Ok(None);
        }
        let at = now();
        let wrong = self.replies.count_wrong(&self.batch)?;
        let writes = self.batch.asked().filter(|asked| asked.is_write).count() as u64;
        Ok(Some(Answered { at, took: at - self.sent, writes, wrong }))
    }
}
