//! Reads that miss: fetched together when everything that waits is a cacheable read.

use super::{
    context::ProxyContext,
    read_context::{Protocol, ReadContext, write_reply},
    requests::Requests,
};
use crate::stats::reads::ReadResult;
use bytes::{Buf, BytesMut};
use larder_core::{FetchError, Fetched, Found, Key, PendingFetch, StoreError, Value};
use larder_redis::Reply;
use larder_resp::{
    command::{Spec, Table},
    reply::{self, Resp2Layout},
    request::Command,
};
use smallvec::SmallVec;

/// Keys that are fetched at the same time; the next batch fetches the others.
const KEYS_MAX: usize = 1024;

/// Reads that are being fetched, in the order of the commands.
pub(super) struct FetchBatch {
    commands: SmallVec<[PendingCommand; 1]>,
    /// The keys of all commands in reverse order. Most clients wait for one.
    keys: SmallVec<[PendingKey; 1]>,
    staleness: Staleness,
    /// Keys were looked up again, so what they bring may be newer than requests sent before that.
    was_repeated: bool,
    read_context: ReadContext,
}

struct PendingCommand {
    /// The number of its keys: one, or those of an `MGET`.
    keys: usize,
    layout: Resp2Layout,
    is_multi_get: bool,
}

struct PendingKey {
    name: Box<[u8]>,
    variant: Box<[u8]>,
    started: Option<PendingFetch<Reply>>,
    /// How it will be answered.
    result: ReadResult,
}

/// What the batch has waited for since the remaining keys were looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Staleness {
    /// For nothing.
    Fresh,
    /// For a request that was sent together with theirs: a hit found back then may be older than
    /// the reply to it.
    Waited,
    /// For a request that was sent after theirs.
    Old,
}

impl FetchBatch {
    fn new(read_context: ReadContext) -> Self {
        Self {
            commands: SmallVec::new(),
            keys: SmallVec::new(),
            staleness: Staleness::Fresh,
            was_repeated: false,
            read_context,
        }
    }

    /// Takes the commands at the head of the input, if all that wait are cacheable reads, and starts
    /// to fetch what is not in memory. Returns `None`, and takes nothing, when another command is
    /// among them: then all of them go upstream, which keeps their order (R5).
    pub(super) fn take(
        context: &ProxyContext,
        table: &Table,
        read_context: ReadContext,
        requests: Requests<'_>,
    ) -> Option<Self> {
        let Requests { decoder, input } = requests;
        let mut batch = Self::new(read_context);
        let mut consumed = 0;
        while batch.keys.len() < KEYS_MAX {
            // A malformed command is reported when its turn comes.
            let Ok(decoded) = decoder.decode(input.get(consumed..)?) else { break };
            let bytes = decoded.consumed;
            let Some(command) = decoded.command else {
                consumed += bytes;
                break;
            };
            batch.add(context, table.spec(&command), &command)?;
            consumed += bytes;
        }
        if batch.commands.is_empty() {
            return None;
        }
        input.advance(consumed);
        batch.keys.reverse();
        batch.start(context);
        Some(batch)
    }

    /// Takes the command at the head of the input if it is a cacheable read, and returns the number
    /// of its bytes too. Nothing is fetched before [`FetchBatch::start`].
    pub(super) fn of_first(
        context: &ProxyContext,
        table: &Table,
        read_context: ReadContext,
        requests: Requests<'_>,
    ) -> Option<(Self, usize)> {
        let Requests { decoder, input } = requests;
        let decoded = decoder.decode(input).ok()?;
        let command = decoded.command?;
        let mut batch = Self::new(read_context);
        batch.add(context, table.spec(&command), &command)?;
        batch.keys.reverse();
        Some((batch, decoded.consumed))
    }

    /// Returns the names of the keys.
    pub(super) fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.keys.iter().map(|key| &*key.name)
    }

    /// Records that earlier fetches of the same keys are unanswered.
    pub(super) fn follow_others(&mut self) {
        self.staleness = Staleness::Waited;
    }

    /// Has the keys looked up again if they follow other fetches, one of which was repeated or has
    /// ended with a read on another connection.
    pub(super) fn distrust(&mut self) {
        if self.staleness == Staleness::Waited {
            self.staleness = Staleness::Old;
        }
    }

    /// Returns whether the first reply has arrived.
    pub(super) fn is_answered(&self) -> bool {
        let first = self.keys.last().and_then(|key| key.started.as_ref());
        first.is_none_or(PendingFetch::is_answered)
    }

    /// Waits until [`FetchBatch::is_answered`]. May be dropped and called again.
    pub(super) async fn answered(&mut self) {
        if let Some(first) = self.keys.last_mut().and_then(|key| key.started.as_mut()) {
            first.answered().await;
        }
    }

    /// Adds a command. Returns `None` if its reply is not cacheable.
    fn add(&mut self, context: &ProxyContext, spec: &Spec, command: &Command<'_>) -> Option<()> {
        let cacheable = spec.cacheable?;
        let (keys, layout) = if cacheable.is_multi_get {
            (self.add_keys(context, command)?, Resp2Layout::Plain)
        } else {
            let mut variant = Vec::new();
            let name = spec.encode_read(command, &mut variant)?;
            self.add_key(context, name, variant)?;
            (1, cacheable.resp2_layout)
        };
        self.commands.push(PendingCommand { keys, layout, is_multi_get: cacheable.is_multi_get });
        Some(())
    }

    /// Adds the keys of an `MGET` and returns their number.
    fn add_keys(&mut self, context: &ProxyContext, command: &Command<'_>) -> Option<usize> {
        let names = command.args().skip(1);
        let count = names.len();
        if !(1..=KEYS_MAX).contains(&count) {
            return None;
        }
        for name in names {
            self.add_key(context, name, Vec::new())?;
        }
        Some(count)
    }

    fn add_key(&mut self, context: &ProxyContext, name: &[u8], variant: Vec<u8>) -> Option<()> {
        let (owned, variant) = (name.into(), variant.into());
        self.keys.push(PendingKey { name: owned, variant, started: None, result: ReadResult::Hit });
        context.engine().bypass_reason_for(name).is_none().then_some(())
    }

    /// Looks up all keys, and starts to fetch those that are not in memory.
    pub(super) fn start(&mut self, context: &ProxyContext) {
        let db = self.read_context.db;
        for pending in self.keys.iter_mut().rev() {
            let started = context.start_fetch(pending.key(db));
            // What a second look finds in memory may have been brought by the first request.
            if !pending.result.is_sent() {
                pending.result = ReadResult::of_pending(&started);
            }
            pending.started = Some(started);
        }
        self.staleness = Staleness::Fresh;
    }

    /// Waits for the replies and appends them to `output` in the order of the commands. An error
    /// replaces the whole reply, also that of an `MGET`. Returns whether nothing is newer than
    /// requests sent after the start of this batch.
    pub(super) async fn finish(mut self, context: &ProxyContext, output: &mut BytesMut) -> bool {
        for command in std::mem::take(&mut self.commands) {
            let before = output.len();
            let mut results: SmallVec<[ReadResult; 1]> = SmallVec::new();
            let remaining = self.keys.len().saturating_sub(command.keys);
            if command.is_multi_get {
                reply::array(output, command.keys);
            }
            while self.keys.len() > remaining
                && let Some((outcome, result)) = self.next(context).await
            {
                results.push(result);
                let absent = Reply::absent();
                let reply = match &outcome {
                    Ok(fetched) => &fetched.value,
                    // For MGET a key of another type is absent.
                    Err(error) if command.is_multi_get && is_wrong_type(error) => &absent,
                    Err(error) => {
                        output.truncate(before);
                        write_error(error, output);
                        self.keys.truncate(remaining);
                        results = SmallVec::from_elem(result, command.keys);
                        break;
                    }
                };
                write_fetched(reply, command.layout, self.read_context.protocol, output);
            }
            for result in results {
                context.stats().results().count(result, 1);
            }
        }
        !self.was_repeated && self.staleness != Staleness::Old
    }

    /// Returns the reply for the next key, which is no older than the replies before it (R5). When
    /// the key was looked up too early, it and all keys after it are looked up again.
    async fn next(
        &mut self,
        context: &ProxyContext,
    ) -> Option<(Result<Fetched<Reply>, FetchError>, ReadResult)> {
        let is_sent = self.keys.last()?.started.as_ref().is_some_and(PendingFetch::is_sent);
        match self.staleness {
            Staleness::Fresh => {}
            Staleness::Waited if is_sent => {}
            Staleness::Waited | Staleness::Old => {
                self.start(context);
                self.was_repeated = true;
            }
        }
        let mut pending = self.keys.pop()?;
        let started = pending.started.take()?;
        let key = pending.key(self.read_context.db);
        if !started.is_found() {
            self.staleness = Staleness::Waited;
        }
        let outcome = context.finish_fetch(key, started).await;
        let is_in_turn = match &outcome {
            Ok(fetched) => !matches!(fetched.found, Found::Bypass(_)),
            Err(error) => {
                matches!(error, FetchError::Store(StoreError::Refused(_) | StoreError::NotReady(_)))
            }
        };
        if !is_in_turn {
            self.staleness = Staleness::Old;
        }
        let result = pending.result.finished(&outcome);
        Some((outcome, result))
    }
}

impl PendingKey {
    fn key(&self, db: u32) -> Key<'_> {
        Key { name: &self.name, keyspace: db, variant: &self.variant }
    }
}

fn write_fetched(reply: &Reply, layout: Resp2Layout, protocol: Protocol, output: &mut BytesMut) {
    if !write_reply(reply.bytes(), layout, protocol, output) {
        reply::error(output, b"ERR Larder: the store's reply has no form in RESP2");
    }
}

fn is_wrong_type(error: &FetchError) -> bool {
    matches!(error, FetchError::Store(StoreError::Refused(text)) if text.starts_with("WRONGTYPE"))
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
