//! Reads that miss: fetched together when everything that waits is a cacheable read.

mod pending_read;

use super::{
    context::ProxyContext,
    read_ahead::ReadAhead,
    read_context::{MULTI_GET_KEYS_MAX, OUTPUT_BYTES_SOFT_MAX, Protocol, ReadContext, write_reply},
    requests::Requests,
    session::auth::Principal,
};
use crate::stats::reads::ReadResult;
use bytes::BytesMut;
use larder_core::{FetchError, Found, StoreError};
use larder_redis::Reply;
use larder_resp::{
    command::{Spec, Table},
    reply::{self, Resp2Layout},
    request::Command,
};
use pending_read::{Cached, Outcome, PendingRead, Started};
use smallvec::SmallVec;

/// Keys of one batch; the next batch fetches the others.
const KEYS_MAX: usize = 1024;

/// Reads that are being fetched, in the order of the commands.
pub(super) struct FetchBatch {
    /// In reverse order. Most clients wait for one.
    reads: SmallVec<[PendingRead; 1]>,
    /// How many of them, from the next one on, have been started.
    started: usize,
    read_ahead: ReadAhead,
    /// How many replies the batch has waited for.
    waits: u64,
    /// Earlier fetches of the same keys are unanswered.
    follows_others: bool,
    /// A read was sent again, or on another connection, so what it brought may be newer than what was
    /// sent after this batch.
    was_repeated: bool,
    /// Bytes of input that the answered commands had.
    answered_bytes: usize,
    /// Bytes of input that all commands had, and what was ignored after them.
    all_bytes: usize,
    read_context: ReadContext,
    /// The client's user, who may lose the right to read while replies are awaited.
    principal: Principal,
}

/// Why [`FetchBatch::finish`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Done,
    /// The client has to read replies before others are fetched.
    OutputFull,
}

impl FetchBatch {
    fn new(read_context: ReadContext, principal: Principal) -> Self {
        Self {
            reads: SmallVec::new(),
            started: 0,
            read_ahead: ReadAhead::default(),
            waits: 0,
            follows_others: false,
            was_repeated: false,
            answered_bytes: 0,
            all_bytes: 0,
            read_context,
            principal,
        }
    }

    /// Looks at the commands at the head of the input, if all that wait are cacheable reads, and starts
    /// to fetch what is not in memory. Returns `None` when another command is among them: then all of
    /// them go upstream, which keeps their order (R5).
    ///
    /// The commands stay in the input until they are answered: see [`FetchBatch::answered_bytes`].
    pub(super) fn take(
        context: &ProxyContext,
        table: &Table,
        (read_context, principal): (ReadContext, Principal),
        requests: Requests<'_>,
    ) -> Option<Self> {
        let Requests { decoder, input } = requests;
        let mut batch = Self::new(read_context, principal);
        let (mut consumed, mut keys) = (0, 0);
        while keys < KEYS_MAX {
            // A malformed command is reported when its turn comes.
            let Ok(decoded) = decoder.decode(input.get(consumed..)?) else { break };
            let bytes = decoded.consumed;
            let Some(command) = decoded.command else {
                consumed += bytes;
                break;
            };
            let mut read = batch.read_of(context, table.spec(&command), &command)?;
            read.bytes = bytes;
            keys += read.keys();
            batch.reads.push(read);
            consumed += bytes;
        }
        if batch.reads.is_empty() {
            return None;
        }
        batch.all_bytes = consumed;
        batch.reads.reverse();
        batch.start_ahead(context);
        Some(batch)
    }

    /// Takes the command at the head of the input if it is a cacheable read, and returns the number
    /// of its bytes too. Nothing is fetched before [`FetchBatch::start`].
    pub(super) fn of_first(
        context: &ProxyContext,
        table: &Table,
        (read_context, principal): (ReadContext, Principal),
        requests: Requests<'_>,
    ) -> Option<(Self, usize)> {
        let Requests { decoder, input } = requests;
        let decoded = decoder.decode(input).ok()?;
        let command = decoded.command?;
        let mut batch = Self::new(read_context, principal);
        let read = batch.read_of(context, table.spec(&command), &command)?;
        batch.reads.push(read);
        Some((batch, decoded.consumed))
    }

    /// Returns the names of the keys.
    pub(super) fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.reads.iter().flat_map(PendingRead::names)
    }

    /// Looks the first reads up, and starts to fetch those that are not in memory.
    pub(super) fn start(&mut self, context: &ProxyContext) {
        self.start_ahead(context);
    }

    /// Records that earlier fetches of the same keys are unanswered: what was found in memory, or by
    /// another reader's fetch, may be older than their replies.
    pub(super) fn follow_others(&mut self) {
        self.follows_others = true;
        self.waits += 1;
    }

    /// Has the keys looked up again if they follow other fetches, one of which was repeated or has
    /// ended with a read on another connection.
    pub(super) fn distrust(&mut self) {
        if self.follows_others {
            self.distrust_started();
        }
    }

    /// Returns whether the first reply has arrived.
    pub(super) fn is_answered(&self) -> bool {
        let first = self.reads.last().and_then(|read| read.started.as_ref());
        first.is_none_or(Started::is_answered)
    }

    /// Waits until [`FetchBatch::is_answered`]. May be dropped and called again.
    pub(super) async fn answered(&mut self) {
        if let Some(first) = self.reads.last_mut().and_then(|read| read.started.as_mut()) {
            first.answered().await;
        }
    }

    /// Returns the read that a command is, or `None` if its reply is not cacheable.
    fn read_of(
        &self,
        context: &ProxyContext,
        spec: &Spec,
        command: &Command<'_>,
    ) -> Option<PendingRead> {
        let cacheable = spec.cacheable?;
        let is_cacheable = |name: &[u8]| context.engine().bypass_reason_for(name).is_none();
        let db = self.read_context.db;
        if cacheable.is_multi_get {
            let names = command.args().skip(1);
            let is_taken =
                (1..=MULTI_GET_KEYS_MAX).contains(&names.len()) && names.clone().all(is_cacheable);
            return is_taken.then(|| PendingRead::of_keys(names.map(Box::from).collect(), db));
        }
        let mut variant = Vec::new();
        let name = spec.encode_read(command, &mut variant).filter(|name| is_cacheable(name))?;
        Some(PendingRead::of_key(name, db, variant, cacheable.resp2_layout))
    }

    /// Starts the next reads, as many as may wait.
    fn start_ahead(&mut self, context: &ProxyContext) {
        if self.started > 0 && !self.read_ahead.wants_more() {
            return;
        }
        while self.started == 0 || self.read_ahead.has_room() {
            let next = self.reads.len().checked_sub(self.started + 1);
            let Some(read) = next.and_then(|next| self.reads.get_mut(next)) else { return };
            read.started = Some(read.start(context, self.waits));
            self.read_ahead.started(read.keys());
            self.started += 1;
        }
    }

    /// Waits for the replies and appends them to `output` in the order of the commands, up to a size
    /// that the client should read first. An error replaces the whole reply, also that of an `MGET`.
    pub(super) async fn finish(
        &mut self,
        context: &ProxyContext,
        output: &mut BytesMut,
    ) -> Progress {
        while let Some((read, outcome, result)) = self.next(context).await {
            context.stats().results().count(result, read.keys() as u64);
            match &outcome {
                Ok(fetched) => {
                    let protocol = self.read_context.protocol;
                    write_fetched(&fetched.value, read.layout(), protocol, output);
                }
                Err(error) => write_error(error, output),
            }
            self.answered_bytes += read.bytes;
            if output.len() > OUTPUT_BYTES_SOFT_MAX && !self.reads.is_empty() {
                return Progress::OutputFull;
            }
        }
        self.answered_bytes = self.all_bytes;
        Progress::Done
    }

    /// Does what [`FetchBatch::finish`] does for a single read. Returns whether nothing is newer than
    /// requests sent after the start of this batch.
    pub(super) async fn finish_one(
        mut self,
        context: &ProxyContext,
        output: &mut BytesMut,
    ) -> bool {
        self.finish(context, output).await;
        !self.was_repeated
    }

    /// Returns how many bytes of the input are dealt with.
    pub(super) fn answered_bytes(&self) -> usize {
        self.answered_bytes
    }

    /// Returns the next read and its reply, which is no older than the replies before it (R5). What
    /// was found in memory, or by another reader's fetch, before an earlier reply arrived must still
    /// be cached; otherwise it is read again.
    async fn next(&mut self, context: &ProxyContext) -> Option<(PendingRead, Outcome, ReadResult)> {
        if self.principal.shares(context) {
            self.start_ahead(context);
        }
        let mut read = self.reads.pop()?;
        self.started = self.started.saturating_sub(1);
        let Some(started) = read.started.take() else {
            return Some((read, Err(rights_unknown()), ReadResult::Error));
        };
        let follows_all = started.follows_all(self.waits);
        let (mut outcome, cached) = self.wait(context, &read, started).await;
        let mut result = ReadResult::of(&outcome);
        if !follows_all
            && !is_read_elsewhere(&outcome)
            && !cached.is_some_and(|cached| read.is_still(&cached, context))
        {
            self.was_repeated = true;
            self.distrust_started();
            outcome = if self.principal.shares(context) {
                let started = read.start(context, self.waits);
                self.wait(context, &read, started).await.0
            } else {
                Err(rights_unknown())
            };
            // What is found in memory now may have been brought by the first request.
            result = match result.is_sent() {
                true => result.finished(&outcome),
                false => ReadResult::of(&outcome),
            };
        }
        if is_read_elsewhere(&outcome) {
            self.was_repeated = true;
            self.distrust_started();
        }
        let bytes = outcome.as_ref().map_or(0, |fetched| fetched.value.bytes().len());
        self.read_ahead.answered(read.keys(), bytes);
        Some((read, outcome, result))
    }

    async fn wait(
        &mut self,
        context: &ProxyContext,
        read: &PendingRead,
        started: Started,
    ) -> (Outcome, Option<Cached>) {
        self.waits += u64::from(!started.is_found());
        read.finish(context, started).await
    }

    /// Notes that the reads which have been started may be answered as of an earlier moment than one
    /// before them.
    fn distrust_started(&mut self) {
        for started in self.reads.iter_mut().rev().map_while(|read| read.started.as_mut()) {
            started.is_in_order = false;
        }
    }
}

/// The user was allowed to read when the command arrived. Larder reads as another user, so it reads
/// nothing more before the store has confirmed that (R12).
fn rights_unknown() -> FetchError {
    let text = "ERR Larder: the rights of this user may have changed; retry";
    FetchError::Store(StoreError::Refused(text.into()))
}

/// Returns whether a read was sent when its turn came, not on the feed's connection, or failed to be.
fn is_read_elsewhere(outcome: &Outcome) -> bool {
    match outcome {
        Ok(fetched) => matches!(fetched.found, Found::Bypass(_)),
        Err(error) => {
            !matches!(error, FetchError::Store(StoreError::Refused(_) | StoreError::NotReady(_)))
        }
    }
}

fn write_fetched(reply: &Reply, layout: Resp2Layout, protocol: Protocol, output: &mut BytesMut) {
    if !write_reply(reply.bytes(), layout, protocol, output) {
        reply::error(output, b"ERR Larder: the store's reply has no form in RESP2");
    }
}

/// Writes an error. The store's own errors are forwarded unchanged.
fn write_error(error: &FetchError, output: &mut BytesMut) {
    match error {
        FetchError::Store(StoreError::Refused(text) | StoreError::NotReady(text)) => {
            reply::error(output, text.as_bytes());
        }
        error => reply::error(output, format!("ERR Larder: {error}").as_bytes()),
    }
}
