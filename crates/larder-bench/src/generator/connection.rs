//! One connection: the batch in flight, and its replies as they arrive.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::{Errno, read, write};

use crate::clock::now;
use crate::generator::batch::Batch;
use crate::generator::config::LoadConfig;
use crate::generator::http::{Exchange, Response};
use crate::generator::replies::Replies;
use crate::keys::KeySequence;

/// A batch whose replies have all arrived.
pub(super) struct CompletedBatch {
    /// When its last reply was read.
    pub(super) at: Instant,
    /// The time since it was written.
    pub(super) latency: Duration,
    /// The number of writes among its requests.
    pub(super) writes: u64,
    /// The number of replies with another value.
    pub(super) wrong: u64,
}

/// The expected replies, by protocol.
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
                Ok(batch.requests().map(|request| response.count_wrong(request.key)).sum())
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
    pub(super) fn new(socket: OwnedFd, config: LoadConfig) -> Self {
        let replies = Expected::Replies(Replies::new(config));
        Self { socket, batch: Batch::of_load(config), replies, sent: now() }
    }

    /// Creates a connection that has one request in flight.
    pub(super) fn over_http(socket: OwnedFd, exchange: &Exchange) -> Self {
        let replies = Expected::Http(Response::new(exchange));
        Self { socket, batch: exchange.batch(), replies, sent: now() }
    }

    /// Sends the next batch. Returns false when too few keys are left for one.
    pub(super) fn send(&mut self, sequence: &mut KeySequence) -> io::Result<bool> {
        if !self.batch.fill(sequence) {
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

    /// Reads once, which does not block after an event. Returns the batch when it is complete.
    pub(super) fn receive(&mut self) -> io::Result<Option<CompletedBatch>> {
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
        let writes = self.batch.requests().filter(|request| request.is_write).count() as u64;
        Ok(Some(CompletedBatch { at, latency: at - self.sent, writes, wrong }))
    }
}
