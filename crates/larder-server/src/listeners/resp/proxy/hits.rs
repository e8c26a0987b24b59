//! Reads served from memory: decodes a batch of commands, looks all of them up, copies the replies.
//! Serving ends before the first command that is not a read or not in memory.

use super::{
    context::ProxyContext,
    read_context::{MULTI_GET_BYTES_MAX, MULTI_GET_KEYS_MAX, ReadContext, write_reply},
    session::InFlight,
};
use crate::verify::Verifier;
use bytes::BytesMut;
use larder_core::{CachedRef, Key, Moment, near::Reader};
use larder_redis::Reply;
use larder_resp::{
    Limits,
    command::{Spec, Table},
    reply::{self, Resp2Layout},
    request::{Command, Decoder},
};
use std::ops::ControlFlow;

/// Commands that are served from memory before other clients have their turn, and bytes of replies.
const HITS_MAX: u64 = 1024;
const HIT_BYTES_MAX: usize = 1 << 20;
/// Keys with longer names are looked up where misses are fetched, which keeps the batch small.
const NAME_BYTES_MAX: usize = 4 << 10;
/// Commands in one batch.
const BATCH_MAX: usize = 16;

/// What serves the reads at the head of a client's input, and how far it has come.
pub(super) struct HitServer<'a> {
    pub(super) context: &'a ProxyContext,
    pub(super) table: &'a Table,
    pub(super) read_context: ReadContext,
    /// What the client's unanswered commands touch is not served from memory.
    pub(super) in_flight: &'a InFlight,
    pub(super) decoder: &'a mut Decoder,
    pub(super) input: &'a [u8],
    pub(super) batch: &'a mut Batch,
    pub(super) output: &'a mut BytesMut,
}

/// What [`HitServer::serve`] has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Served {
    /// Bytes of input that were used up.
    pub(super) consumed: usize,
    pub(super) stop: Stop,
}

/// Why [`HitServer::serve`] stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Nothing may be served from memory at all.
    CacheUnavailable,
    /// The next command is a read that is not in memory, or is incomplete.
    Miss,
    /// The next command is not a cacheable read.
    NotRead,
    /// Other clients have their turn first.
    BudgetSpent,
}

/// How far a [`HitServer`] has come.
#[derive(Default)]
struct Progress {
    /// Bytes of input that were used up.
    consumed: usize,
    /// Where the last hit begins in the input.
    last: usize,
    hits: u64,
}

impl Progress {
    fn hit(&mut self, bytes: usize) {
        self.last = self.consumed;
        self.consumed += bytes;
        self.hits += 1;
    }
}

impl HitServer<'_> {
    /// Serves reads from memory up to the first command that is not.
    ///
    /// Not inlined: within its callers the compiler keeps less of the loop in registers, which costs
    /// one percent of the instructions of a pipeline.
    #[inline(never)]
    pub(super) fn serve(&mut self) -> Served {
        let context = self.context;
        // The clock is read here, after the socket: a thread that was suspended in between must not
        // serve entries that went stale meanwhile (R8).
        let Some(view) = context.engine().batch_view() else {
            return Served { consumed: 0, stop: Stop::CacheUnavailable };
        };
        let mut reader = context.engine().reader(view);
        let mut progress = Progress::default();
        let stop = loop {
            if let ControlFlow::Break(stop) = self.serve_batch(&mut reader, &mut progress) {
                break stop;
            }
        };
        self.sample(&progress);
        context.stats().results().hits(progress.hits);
        Served { consumed: progress.consumed, stop }
    }

    #[inline]
    fn serve_batch(
        &mut self,
        reader: &mut Reader<'_, Reply>,
        progress: &mut Progress,
    ) -> ControlFlow<Stop> {
        let rest = self.input.get(progress.consumed..).unwrap_or_default();
        let filter = Filter { context: self.context, in_flight: self.in_flight };
        let next = self.batch.fill(self.decoder, self.table, filter, rest);
        let served = self.batch.serve(reader, self.read_context, self.output);
        for read in self.batch.reads.iter().take(served) {
            progress.hit(read.consumed);
        }
        if served < self.batch.reads.len() {
            self.decoder.restart();
            return ControlFlow::Break(match self.output.len() > HIT_BYTES_MAX {
                true => Stop::BudgetSpent,
                false => Stop::Miss,
            });
        }
        match next {
            Next::More => {}
            Next::MultiGet => match self.serve_multi_get(progress.consumed) {
                Some((bytes, keys)) => {
                    progress.hit(bytes);
                    // Each of its keys counts.
                    progress.hits += keys - 1;
                }
                None => return ControlFlow::Break(Stop::Miss),
            },
            Next::NotServed => return ControlFlow::Break(Stop::Miss),
            Next::NotRead => return ControlFlow::Break(Stop::NotRead),
            Next::Incomplete => {
                progress.consumed += self.batch.ignored;
                return ControlFlow::Break(Stop::Miss);
            }
        }
        if progress.hits >= HITS_MAX || self.output.len() > HIT_BYTES_MAX {
            return ControlFlow::Break(Stop::BudgetSpent);
        }
        ControlFlow::Continue(())
    }

    /// Serves the `MGET` at `start`, if all its keys are in memory at one moment. Returns the
    /// command's length and the number of its keys.
    fn serve_multi_get(&mut self, start: usize) -> Option<(usize, u64)> {
        let decoded = self.decoder.decode(self.input.get(start..)?).ok()?;
        let names = decoded.command?.args().skip(1);
        let filter = Filter { context: self.context, in_flight: self.in_flight };
        if !names.clone().all(|name| filter.admits(name)) {
            return None;
        }
        let (before, wanted) = (self.output.len(), names.len());
        if wanted > MULTI_GET_KEYS_MAX {
            return None;
        }
        let bytes_max = before + MULTI_GET_BYTES_MAX;
        let read_context = self.read_context;
        let keys = names.map(|name| (Key::plain(name, read_context.db), Resp2Layout::Plain));
        let output = &mut *self.output;
        let served = self.context.engine().snapshot(|reader| {
            output.truncate(before);
            reply::array(output, wanted);
            let mut copier = Copier { reader, read_context, bytes_max, output };
            (wanted > 0 && copier.copy(keys.clone()) == wanted)
                .then_some((decoded.consumed, wanted as u64))
        });
        if served.is_none() {
            self.output.truncate(before);
        }
        served
    }

    /// Passes the last hit to the verifier when a sample is due.
    fn sample(&self, progress: &Progress) {
        let verifier = self.context.verifier();
        let Some(verifier) = verifier.filter(|verifier| verifier.is_due(progress.hits)) else {
            return;
        };
        // The client's own decoder may be in the middle of the next command.
        let mut decoder = Decoder::new(Limits::default());
        let last = self.input.get(progress.last..).and_then(|rest| decoder.decode(rest).ok());
        if let Some(command) = last.and_then(|decoded| decoded.command) {
            compare(verifier, self.table.spec(&command), &command, self.read_context.db);
        }
    }
}

/// Has a read that was served from memory compared with the store; of an `MGET` its first key.
fn compare(verifier: &Verifier, spec: &Spec, command: &Command<'_>, db: u32) {
    let mut read = Vec::new();
    if spec.cacheable.is_some_and(|cacheable| cacheable.is_multi_get) {
        command.arg(1).into_iter().for_each(|name| verifier.compare(Key::plain(name, db)));
    } else if let Some(name) = spec.encode_read(command, &mut read) {
        verifier.compare(Key { name, keyspace: db, variant: &read });
    }
}

/// The next reads of a client, to be looked up together. Kept by the worker, so that filling it
/// allocates nothing.
#[derive(Default)]
pub(crate) struct Batch {
    /// The texts of all reads, one after the other.
    bytes: Vec<u8>,
    reads: Vec<Read>,
    /// Bytes of input after the reads that hold no command.
    ignored: usize,
}

/// One read. In [`Batch::bytes`] its text comes first, then the name of its key.
struct Read {
    start: usize,
    name_start: usize,
    /// Where the name ends.
    end: usize,
    layout: Resp2Layout,
    /// Bytes of the command, and of what was ignored before it.
    consumed: usize,
}

/// What follows the reads of a batch in the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// More than fits into a batch.
    More,
    /// An `MGET`.
    MultiGet,
    /// A read that must not be served from memory now.
    NotServed,
    /// Another command, or bytes that are not a command.
    NotRead,
    /// Part of a command, or nothing.
    Incomplete,
}

/// Decides which keys may be served from memory.
#[derive(Clone, Copy)]
struct Filter<'a> {
    context: &'a ProxyContext,
    in_flight: &'a InFlight,
}

impl Filter<'_> {
    #[inline]
    fn admits(self, name: &[u8]) -> bool {
        self.in_flight.is_empty() || !self.is_in_flight(name)
    }

    fn is_in_flight(self, name: &[u8]) -> bool {
        self.in_flight.touches(self.context.engine().name_hash(name))
    }
}

impl Batch {
    /// Fills the batch with the reads at the head of `input`. Returns what follows them.
    fn fill(
        &mut self,
        decoder: &mut Decoder,
        table: &Table,
        filter: Filter<'_>,
        input: &[u8],
    ) -> Next {
        self.bytes.clear();
        self.reads.clear();
        self.ignored = 0;
        let mut rest = input;
        // Clients repeat the same command, so its row in the table is remembered.
        let mut last: Option<&Spec> = None;
        while self.reads.len() < BATCH_MAX {
            // A malformed command is reported when its turn comes.
            let Ok(taken) = decoder.decode(rest) else { return Next::NotRead };
            let Some(command) = taken.command else {
                self.ignored = taken.consumed;
                return Next::Incomplete;
            };
            let spec = match last {
                Some(spec) if spec.name.as_bytes() == command.name() => spec,
                _ => table.spec(&command),
            };
            last = Some(spec).filter(|spec| !spec.is_container());
            match spec.cacheable {
                Some(cacheable) if cacheable.is_multi_get => return Next::MultiGet,
                Some(cacheable)
                    if self.add(spec, &command, filter, cacheable.resp2_layout, taken.consumed) => {
                }
                Some(_) => return Next::NotServed,
                None => return Next::NotRead,
            }
            rest = rest.get(taken.consumed..).unwrap_or_default();
        }
        Next::More
    }

    fn add(
        &mut self,
        spec: &Spec,
        command: &Command<'_>,
        filter: Filter<'_>,
        layout: Resp2Layout,
        consumed: usize,
    ) -> bool {
        let start = self.bytes.len();
        let name = spec.encode_read(command, &mut self.bytes);
        let name = name.filter(|name| name.len() <= NAME_BYTES_MAX && filter.admits(name));
        let Some(name) = name else { return false };
        let name_start = self.bytes.len();
        self.bytes.extend_from_slice(name);
        let end = self.bytes.len();
        self.reads.push(Read { start, name_start, end, layout, consumed });
        true
    }

    /// Copies the replies up to the first that is not in memory. Returns how many there were.
    fn serve(
        &self,
        reader: &mut Reader<'_, Reply>,
        read_context: ReadContext,
        output: &mut BytesMut,
    ) -> usize {
        let key_of = |read: &Read| {
            let name = self.bytes.get(read.name_start..read.end).unwrap_or_default();
            let text = self.bytes.get(read.start..read.name_start).unwrap_or_default();
            (Key { name, keyspace: read_context.db, variant: text }, read.layout)
        };
        let mut copier = Copier { reader, read_context, bytes_max: HIT_BYTES_MAX, output };
        copier.copy(self.reads.iter().map(key_of))
    }
}

/// Copies replies out of the near cache.
struct Copier<'a, 'r> {
    reader: &'a mut Reader<'r, Reply>,
    read_context: ReadContext,
    /// No copy begins once the output is longer than this.
    bytes_max: usize,
    output: &'a mut BytesMut,
}

impl Copier<'_, '_> {
    /// Copies replies up to the first that is not in memory. Returns how many there were. Copying
    /// happens under the locks of the shards, which saves an allocation or a reference count for
    /// each hit.
    fn copy<'k>(
        &mut self,
        mut wanted: impl ExactSizeIterator<Item = (Key<'k>, Resp2Layout)> + Clone,
    ) -> usize {
        let Self { reader, read_context, bytes_max, output } = self;
        let (protocol, bytes_max) = (read_context.protocol, *bytes_max);
        let mut copied = 0;
        loop {
            // A single key is found faster without the batch.
            if wanted.len() > 1 {
                let keys = wanted.clone().map(|(key, _)| key);
                let mut layouts = wanted.clone().map(|(_, layout)| layout);
                let found = reader.get_batch(keys, |cached, _| {
                    output.len() <= bytes_max
                        && layouts.next().is_some_and(|layout| {
                            write_reply(Reply::bytes_of(&cached), layout, protocol, output)
                        })
                });
                wanted.by_ref().take(found).for_each(drop);
                copied += found;
            }
            if output.len() > bytes_max {
                return copied;
            }
            let Some((key, layout)) = wanted.next() else { return copied };
            let copy = |cached: CachedRef<'_, Reply>, _: Moment| {
                write_reply(Reply::bytes_of(&cached), layout, protocol, output)
            };
            if !reader.get(key, copy).unwrap_or(false) {
                return copied;
            }
            copied += 1;
        }
    }
}
