//! `MGET` on the tracking connection: one command, so that its reply is one moment of the store, and
//! a `PTTL` for each key whose part of the reply may be cached (R6).

use crate::{error_reply::store_error, pttl::to_ttl, reply::Reply};
use bytes::BytesMut;
use larder_core::{FetchError, Fill, Moment, NotCached, StoreError, Value, expiry::Ttl};
use larder_resp::{reply::Frame, request::write_command};
use std::collections::VecDeque;
use tokio::sync::oneshot;

/// An `MGET`, from the request for it to the last of its replies. When it is dropped, its reader is
/// told so by the channel, and those who joined one of its fills by the fill.
pub(crate) struct MultiGet {
    pub(crate) db: u32,
    /// The number of its keys.
    pub(super) keys: usize,
    sent: Moment,
    /// The encoded command; empty once it was sent.
    command: BytesMut,
    /// The keys that were not in memory, in the order of their `PTTL`s.
    missing: VecDeque<MissingKey>,
    answer: Option<MultiGetSender>,
    /// Whether the `MGET` was answered, with a reply or an error.
    has_reply: bool,
    reply: Option<Reply>,
}

pub(crate) type MultiGetSender = oneshot::Sender<Result<Reply, StoreError>>;

struct MissingKey {
    /// Its place in the command.
    at: usize,
    /// `None` once it was answered.
    fill: Option<Fill<'static, Reply>>,
    value: Option<Reply>,
}

impl MultiGet {
    /// Creates a request for `command`, an encoded `MGET` of so many keys. Each fill comes with the
    /// place of its key.
    pub(crate) fn new(
        db: u32,
        sent: Moment,
        (command, keys): (BytesMut, usize),
        fills: impl IntoIterator<Item = (usize, Fill<'static, Reply>)>,
        answer: MultiGetSender,
    ) -> Self {
        let missing = |(at, fill)| MissingKey { at, fill: Some(fill), value: None };
        let missing = fills.into_iter().map(missing).collect();
        Self {
            db,
            keys,
            sent,
            command,
            missing,
            answer: Some(answer),
            has_reply: false,
            reply: None,
        }
    }

    /// Writes the commands.
    pub(super) fn send(&mut self, out: &mut BytesMut) {
        out.unsplit(std::mem::take(&mut self.command));
        for fill in self.missing.iter().filter_map(|missing| missing.fill.as_ref()) {
            write_command(out, &[b"PTTL", fill.key().name]);
        }
    }

    /// Takes the next reply: to the `MGET`, then to each `PTTL`. Returns this if others follow.
    pub(super) fn on_reply(mut self, frame: &Frame<'_>, bytes: &[u8]) -> Option<Self> {
        if std::mem::replace(&mut self.has_reply, true) {
            self.take_ttl(frame);
        } else if let Some(error) = frame.as_error() {
            self.fail(&store_error(error));
        } else {
            self.reply = Some(Reply::copy_of(bytes));
            self.take_values(frame);
        }
        self.answer_at_the_end()
    }

    /// Fails what was sent before `since`. The replies are still to come.
    pub(super) fn fail_if_overdue(&mut self, since: Moment, error: &StoreError) {
        if self.is_overdue(since) {
            self.fail(error);
        }
    }

    pub(super) fn is_overdue(&self, since: Moment) -> bool {
        self.sent < since
    }

    /// Returns whether the `MGET` itself was answered.
    pub(super) fn has_reply(&self) -> bool {
        self.has_reply
    }

    pub(crate) fn fail(&mut self, error: &StoreError) {
        for fill in self.missing.iter_mut().filter_map(|missing| missing.fill.take()) {
            drop(fill.fail(FetchError::Store(error.clone())));
        }
        // Fails only when the reader no longer waits.
        self.answer.take().map(|answer| answer.send(Err(error.clone())).ok());
    }

    fn take_ttl(&mut self, frame: &Frame<'_>) {
        let missing = self.missing.pop_front();
        if let Some(MissingKey { fill: Some(fill), value: Some(value), .. }) = missing {
            complete(fill, value, frame.as_integer().map(to_ttl));
        }
    }

    fn take_values(&mut self, frame: &Frame<'_>) {
        let mut wanted = self.missing.iter_mut().peekable();
        for (at, item) in frame.items().into_iter().flatten().enumerate() {
            let Some(missing) = wanted.next_if(|missing| missing.at == at) else { continue };
            missing.value = match item {
                Frame::Bulk(payload) => Some(Reply::from_payload(payload)),
                Frame::Null => Some(Reply::absent()),
                _ => None,
            };
        }
    }

    /// Answers the reader once all that may be cached is, so that its next read is a hit.
    fn answer_at_the_end(mut self) -> Option<Self> {
        if !self.missing.is_empty() {
            return Some(self);
        }
        if let Some((answer, reply)) = self.answer.take().zip(self.reply.take()) {
            // Fails only when the reader no longer waits.
            answer.send(Ok(reply)).ok();
        }
        None
    }
}

/// Caches one value. A key of another type than string is null in an `MGET`, and has a TTL: readers
/// who joined this fill must ask with their own command, which is an error.
fn complete(fill: Fill<'static, Reply>, value: Reply, ttl: Option<Ttl>) {
    match ttl {
        Some(ttl) if ttl != Ttl::NoKey && value.is_absent() => drop(fill),
        Some(ttl) => drop(fill.complete(value, ttl)),
        None => drop(fill.complete_uncached(value, NotCached::NotAllowed)),
    }
}
