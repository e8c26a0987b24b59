//! Reads served from memory: decode a few, look for all of them, copy. What is not in memory, or no
//! read at all, is left for others.

use crate::{app::App, stats::resp::RespStats, verify::Verifier};
use bytes::BytesMut;
use larder_core::{CachedRef, Key, Moment, near::Reader};
use larder_redis::Reply;
use larder_resp::{
    Limits,
    command::{Spec, Table},
    reply::{self, Resp2Layout, write_as_resp2},
    request::{Command, Decoder},
};

/// Commands that are served from memory at one go, and bytes of their replies: then others have
/// their turn.
const HITS_MAX: u64 = 1024;
const HIT_BYTES_MAX: usize = 1 << 20;
/// A longer name is not looked for here, but where what misses is: the batch stays small.
const NAME_BYTES_MAX: usize = 4 << 10;
/// Commands that are looked up together, at most.
const BATCH_MAX: usize = 16;

/// How a client wants its replies.
#[derive(Clone, Copy)]
pub(crate) struct ReadContext {
    pub(crate) db: u32,
    pub(crate) resp3: bool,
}

/// Why [`serve_hits`] stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Nothing may be served from memory at all.
    CacheUnavailable,
    /// What comes next is not in memory, or no read, or not there yet.
    NotCacheable,
    /// That was enough for one go.
    BudgetSpent,
}

/// The next few reads of a client, to be looked up together.
#[derive(Default)]
pub(crate) struct Batch {
    /// Names and reads, one behind the other.
    bytes: Vec<u8>,
    reads: Vec<Read>,
    /// What was passed over behind them.
    ignored: usize,
}

/// One of them, as what lies in [`Batch::bytes`].
struct Read {
    start: usize,
    name_start: usize,
    /// That of the name, which stands behind the read.
    end: usize,
    shape: Resp2Layout,
    /// Bytes of the command, and of what was passed over before it.
    consumed: usize,
}

/// What a batch ends before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// More, that did not fit.
    More,
    /// An `MGET`.
    PerKey,
    /// A command that is neither, or none.
    Other,
    /// No whole command.
    Incomplete,
}

/// Serves reads from memory up to the first command that is not. Says how many bytes of input were
/// used up, and why it stopped.
pub(crate) fn serve_hits(
    app: &App,
    (table, stats): (&Table, &RespStats),
    read_context: ReadContext,
    (decoder, input): (&mut Decoder, &[u8]),
    batch: &mut Batch,
    output: &mut BytesMut,
) -> (usize, Stop) {
    // The clock is read here, after the socket was: who was stopped in between does not answer
    // from an old world (R8).
    let Some(view) = app.engine().batch_view() else {
        return (0, Stop::CacheUnavailable);
    };
    let mut reader = app.engine().reader(view);
    let (mut consumed, mut last, mut hits) = (0, 0, 0);
    let mut stopped = Stop::NotCacheable;
    loop {
        let next = batch.fill(decoder, table, input.get(consumed..).unwrap_or_default());
        let served = batch.serve(&mut reader, read_context, output);
        for read in batch.reads.iter().take(served) {
            last = consumed;
            consumed += read.consumed;
        }
        hits += served as u64;
        if served < batch.reads.len() {
            decoder.restart();
            if output.len() > HIT_BYTES_MAX {
                stopped = Stop::BudgetSpent;
            }
            break;
        }
        match next {
            Next::More => {}
            Next::PerKey => {
                let input = input.get(consumed..).unwrap_or_default();
                let Some(bytes) =
                    serve_per_key(&mut reader, (decoder, input), read_context, output)
                else {
                    break;
                };
                last = consumed;
                consumed += bytes;
                hits += 1;
            }
            Next::Other => break,
            Next::Incomplete => {
                consumed += batch.ignored;
                break;
            }
        }
        if hits >= HITS_MAX || output.len() > HIT_BYTES_MAX {
            stopped = Stop::BudgetSpent;
            break;
        }
    }
    if let Some(verifier) = app.verifier().filter(|verifier| verifier.is_due(hits)) {
        // A decoder of its own: the client's may be in the middle of the next command.
        let mut decoder = Decoder::new(Limits::default());
        let last = input.get(last..).and_then(|rest| decoder.decode(rest).ok());
        if let Some(command) = last.and_then(|decoded| decoded.command) {
            compare(verifier, table.spec(&command), &command, read_context.db);
        }
    }
    stats.results().hits(hits);
    (consumed, stopped)
}

impl Batch {
    /// Takes the reads that `input` begins with. Says what comes next.
    fn fill(&mut self, decoder: &mut Decoder, table: &Table, input: &[u8]) -> Next {
        self.bytes.clear();
        self.reads.clear();
        self.ignored = 0;
        let mut rest = input;
        // Clients ask the same way again and again.
        let mut last: Option<&Spec> = None;
        while self.reads.len() < BATCH_MAX {
            // What is no command shows again when its turn comes.
            let Ok(taken) = decoder.decode(rest) else { return Next::Other };
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
                Some(near) if near.is_multi_get => return Next::PerKey,
                Some(near) if self.add(spec, &command, near.resp2_layout, taken.consumed) => {}
                _ => return Next::Other,
            }
            rest = rest.get(taken.consumed..).unwrap_or_default();
        }
        Next::More
    }

    fn add(
        &mut self,
        spec: &Spec,
        command: &Command<'_>,
        shape: Resp2Layout,
        consumed: usize,
    ) -> bool {
        let start = self.bytes.len();
        let name = spec.encode_read(command, &mut self.bytes);
        let Some(name) = name.filter(|name| name.len() <= NAME_BYTES_MAX) else { return false };
        let name_start = self.bytes.len();
        self.bytes.extend_from_slice(name);
        let end = self.bytes.len();
        self.reads.push(Read { start, name_start, end, shape, consumed });
        true
    }

    /// Copies the replies out, up to the first that is not there. Says how many there were.
    fn serve(
        &self,
        reader: &mut Reader<'_, Reply>,
        read_context: ReadContext,
        output: &mut BytesMut,
    ) -> usize {
        let wanted = |read: &Read| {
            let name = self.bytes.get(read.name_start..read.end).unwrap_or_default();
            let text = self.bytes.get(read.start..read.name_start).unwrap_or_default();
            (Key { name, keyspace: read_context.db, variant: text }, read.shape)
        };
        copy_hits(reader, self.reads.iter().map(wanted), read_context.resp3, HIT_BYTES_MAX, output)
    }
}

/// Has a read that was served from memory compared with the store; of an `MGET` its first key.
fn compare(verifier: &Verifier, spec: &Spec, command: &Command<'_>, db: u32) {
    let mut read = Vec::new();
    if spec.cacheable.is_some_and(|near| near.is_multi_get) {
        command.arg(1).into_iter().for_each(|name| verifier.compare(Key::plain(name, db)));
    } else if let Some(name) = spec.encode_read(command, &mut read) {
        verifier.compare(Key { name, keyspace: db, variant: &read });
    }
}

/// `MGET`: all keys, or the reply is put together elsewhere. Says how many bytes the command has.
fn serve_per_key(
    reader: &mut Reader<'_, Reply>,
    (decoder, input): (&mut Decoder, &[u8]),
    read_context: ReadContext,
    output: &mut BytesMut,
) -> Option<usize> {
    let taken = decoder.decode(input).ok()?;
    let names = taken.command?.args().skip(1);
    let (before, wanted) = (output.len(), names.len());
    reply::array(output, wanted);
    let keys = names.map(|name| (Key::plain(name, read_context.db), Resp2Layout::Plain));
    if wanted == 0 || copy_hits(reader, keys, read_context.resp3, usize::MAX, output) < wanted {
        output.truncate(before);
        return None;
    }
    Some(taken.consumed)
}

/// Copies replies out under the locks of their shards, up to the first that is not there: nothing is
/// allocated or counted up. None is begun past `bytes_max` of output. Says how many there were.
fn copy_hits<'k>(
    reader: &mut Reader<'_, Reply>,
    mut wanted: impl ExactSizeIterator<Item = (Key<'k>, Resp2Layout)> + Clone,
    resp3: bool,
    bytes_max: usize,
    output: &mut BytesMut,
) -> usize {
    let mut copied = 0;
    loop {
        // One alone is looked for sooner as it is.
        if wanted.len() > 1 {
            let keys = wanted.clone().map(|(key, _)| key);
            let mut shapes = wanted.clone().map(|(_, shape)| shape);
            let there = reader.get_batch(keys, |seen, _| {
                output.len() <= bytes_max
                    && shapes
                        .next()
                        .is_some_and(|shape| put(Reply::bytes_of(&seen), shape, resp3, output))
            });
            wanted.by_ref().take(there).for_each(drop);
            copied += there;
        }
        if output.len() > bytes_max {
            return copied;
        }
        let Some((key, shape)) = wanted.next() else { return copied };
        let copy = |seen: CachedRef<'_, Reply>, _: Moment| {
            put(Reply::bytes_of(&seen), shape, resp3, output)
        };
        if !reader.get(key, copy).unwrap_or(false) {
            return copied;
        }
        copied += 1;
    }
}

/// False when there is no such reply in the client's protocol version.
pub(crate) fn put(reply: &[u8], shape: Resp2Layout, resp3: bool, output: &mut BytesMut) -> bool {
    if resp3 {
        output.extend_from_slice(reply);
        return true;
    }
    write_as_resp2(output, shape, reply).is_ok()
}
