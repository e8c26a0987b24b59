//! Reads served from memory, and those that miss.
//!
//! [`serve_hits`] is the hot path: decode, look, copy. What it meets that is not in memory, or no
//! read at all, it leaves for others: [`Reads::of`] takes over when all that waits is reads.

use super::traffic::Traffic;
use crate::{larder::Larder, verify::Verifier};
use bytes::{Buf, BytesMut};
use larder_core::{
    FetchError, Fetched, Key, Moment, Seen, Started, StoreError, Value, near::Looks,
};
use larder_redis::Reply;
use larder_resp::{
    Limits,
    command::{Near, Spec, Table},
    reply::{self, Shape, write_as_resp2},
    request::{Command, Decoder},
};

/// Commands that are served from memory at one go, and bytes of their replies: then others have
/// their turn.
const HITS_MAX: u64 = 1024;
const HIT_BYTES_MAX: usize = 1 << 20;
/// Keys that are fetched at once, at most; those behind them follow.
const KEYS_MAX: usize = 1024;

/// A client's requests, and how far they have been read.
pub(super) struct Requests<'a> {
    pub(super) decoder: &'a mut Decoder,
    pub(super) input: &'a mut BytesMut,
}

/// How a client wants its replies.
#[derive(Clone, Copy)]
pub(super) struct Wish {
    pub(super) db: u32,
    pub(super) resp3: bool,
}

/// Why [`serve_hits`] stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    /// Nothing may be served from memory at all.
    Blind,
    /// What comes next is not in memory, or no read, or not there yet.
    AtOther,
    /// That was enough for one go.
    Enough,
}

/// Serves reads from memory up to the first command that is not. Says how many bytes of input were
/// used up, and why it stopped.
pub(super) fn serve_hits(
    larder: &Larder,
    (table, traffic): (&Table, &Traffic),
    wish: Wish,
    (decoder, input): (&mut Decoder, &[u8]),
    scratch: &mut Vec<u8>,
    output: &mut BytesMut,
) -> (usize, Stopped) {
    // The clock is read here, after the socket was: who was stopped in between does not answer
    // from an old world (R8).
    let Some(sight) = larder.engine().feed().sight(larder.engine().clock().now()) else {
        return (0, Stopped::Blind);
    };
    let mut looks = larder.engine().looks(sight);
    let (mut consumed, mut last, mut hits) = (0, 0, 0);
    let mut stopped = Stopped::AtOther;
    while let Some(rest) = input.get(consumed..)
        && let Ok(decoded) = decoder.decode(rest)
    {
        let bytes = decoded.consumed;
        let Some(command) = decoded.command else {
            consumed += bytes;
            break;
        };
        let spec = table.spec(&command);
        let Some(near) = spec.near else { break };
        let served = match near.per_key {
            true => serve_each(&mut looks, &command, wish, output),
            false => serve_one(&mut looks, (spec, near), &command, wish, scratch, output),
        };
        if !served {
            break;
        }
        last = consumed;
        consumed += bytes;
        hits += 1;
        if hits == HITS_MAX || output.len() > HIT_BYTES_MAX {
            stopped = Stopped::Enough;
            break;
        }
    }
    if let Some(verifier) = larder.verifier().filter(|verifier| verifier.is_due(hits)) {
        // A decoder of its own: the client's may be in the middle of the next command.
        let mut decoder = Decoder::new(Limits::default());
        let last = input.get(last..).and_then(|rest| decoder.decode(rest).ok());
        if let Some(command) = last.and_then(|decoded| decoded.command) {
            compare(verifier, table.spec(&command), &command, wish.db, scratch);
        }
    }
    traffic.results().hits(hits);
    (consumed, stopped)
}

/// Has a read that was served from memory compared with the store; of an `MGET` its first key.
fn compare(
    verifier: &Verifier,
    spec: &Spec,
    command: &Command<'_>,
    db: u32,
    scratch: &mut Vec<u8>,
) {
    if spec.near.is_some_and(|near| near.per_key) {
        command.arg(1).into_iter().for_each(|name| verifier.compare(Key::get(name, db)));
    } else if let Some(name) = spec.encode_read(command, scratch) {
        verifier.compare(Key { name, db, read: scratch });
    }
}

fn serve_one(
    looks: &mut Looks<'_, Reply>,
    (spec, near): (&Spec, Near),
    command: &Command<'_>,
    wish: Wish,
    scratch: &mut Vec<u8>,
    output: &mut BytesMut,
) -> bool {
    let Some(name) = spec.encode_read(command, scratch) else { return false };
    let key = Key { name, db: wish.db, read: scratch };
    copy_hit(looks, key, (near.shape, wish.resp3), output)
}

/// `MGET`: all keys, or the reply is put together elsewhere.
fn serve_each(
    looks: &mut Looks<'_, Reply>,
    command: &Command<'_>,
    wish: Wish,
    output: &mut BytesMut,
) -> bool {
    let keys = command.args().skip(1);
    if keys.len() == 0 {
        return false;
    }
    let before = output.len();
    reply::array(output, keys.len());
    for name in keys {
        let key = Key::get(name, wish.db);
        if !copy_hit(looks, key, (Shape::Plain, wish.resp3), output) {
            output.truncate(before);
            return false;
        }
    }
    true
}

/// Copies a kept reply out under the lock of its shard: nothing is allocated or counted up.
fn copy_hit(
    looks: &mut Looks<'_, Reply>,
    key: Key<'_>,
    (shape, resp3): (Shape, bool),
    output: &mut BytesMut,
) -> bool {
    let copy = |seen: Seen<'_, Reply>, _: Moment| put(Reply::bytes_of(&seen), shape, resp3, output);
    looks.look(key, copy).unwrap_or(false)
}

/// False when there is no such reply in the client's protocol version.
fn put(reply: &[u8], shape: Shape, resp3: bool, output: &mut BytesMut) -> bool {
    if resp3 {
        output.extend_from_slice(reply);
        return true;
    }
    write_as_resp2(output, shape, reply).is_ok()
}

/// Reads that are on their way, in the order asked.
pub(super) struct Reads {
    asked: Vec<Asked>,
    resp3: bool,
}

/// One command.
struct Asked {
    /// One, or those of an `MGET`.
    keys: Vec<(Box<[u8]>, Started<Reply>)>,
    db: u32,
    read: Box<[u8]>,
    shape: Shape,
    per_key: bool,
}

impl Reads {
    /// Takes what waits, if all of it is reads that may be kept, and asks for what is not in
    /// memory. `None`, and nothing taken, when there is anything else among it: then all of it
    /// goes one way, in order (R5).
    pub(super) fn of(
        larder: &Larder,
        table: &Table,
        wish: Wish,
        requests: Requests<'_>,
        scratch: &mut Vec<u8>,
    ) -> Option<Self> {
        let Requests { decoder, input } = requests;
        let mut wanted = Vec::new();
        let (mut consumed, mut keys) = (0, 0);
        while keys < KEYS_MAX {
            // What is no command shows again when its turn comes.
            let Ok(decoded) = decoder.decode(input.get(consumed..)?) else { break };
            let bytes = decoded.consumed;
            let Some(command) = decoded.command else {
                consumed += bytes;
                break;
            };
            let next = Wanted::of(larder, table.spec(&command), &command, scratch)?;
            keys += next.keys.len();
            wanted.push(next);
            consumed += bytes;
        }
        if wanted.is_empty() {
            return None;
        }
        input.advance(consumed);
        let ask = |wanted: Wanted| wanted.ask(larder, wish.db);
        Some(Self { asked: wanted.into_iter().map(ask).collect(), resp3: wish.resp3 })
    }

    /// Waits for the replies, and writes them in the order asked.
    pub(super) async fn finish(self, larder: &Larder, traffic: &Traffic, output: &mut BytesMut) {
        let mut waited = false;
        for asked in self.asked {
            let before = output.len();
            let finished = asked.finish(larder, traffic, self.resp3, &mut waited, output).await;
            if let Err(error) = finished {
                output.truncate(before);
                put_error(&error, output);
            }
        }
    }
}

impl Asked {
    /// Writes the reply. An error is all of the reply, also to `MGET`. Notes whether any reply has
    /// been `waited` for.
    async fn finish(
        self,
        larder: &Larder,
        traffic: &Traffic,
        resp3: bool,
        waited: &mut bool,
        output: &mut BytesMut,
    ) -> Result<(), FetchError> {
        if self.per_key {
            reply::array(output, self.keys.len());
        }
        for (name, started) in self.keys {
            let key = Key { name: &name, db: self.db, read: &self.read };
            // What was there when the batch was asked may be older than what came meanwhile (R5).
            let started = match *waited && !started.is_sent() {
                true => larder.start_fetch(key),
                false => started,
            };
            *waited |= !started.is_found();
            let outcome = larder.finish_fetch(key, started).await;
            count(traffic, outcome.as_ref());
            match outcome {
                Ok(fetched) => put_fetched(&fetched.value, self.shape, resp3, output),
                // To MGET what is no string is as good as absent.
                Err(error) if self.per_key && is_wrong_type(&error) => {
                    put_fetched(&Reply::absent(), self.shape, resp3, output);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// A command that would be fetched if all others beside it are reads.
struct Wanted {
    keys: Vec<Box<[u8]>>,
    read: Box<[u8]>,
    shape: Shape,
    per_key: bool,
}

impl Wanted {
    fn of(
        larder: &Larder,
        spec: &Spec,
        command: &Command<'_>,
        scratch: &mut Vec<u8>,
    ) -> Option<Self> {
        let near = spec.near.filter(|near| larder.keeps(near))?;
        let (keys, shape): (Vec<Box<[u8]>>, _) = if near.per_key {
            scratch.clear();
            (command.args().skip(1).map(Box::from).collect(), Shape::Plain)
        } else {
            (vec![spec.encode_read(command, scratch)?.into()], near.shape)
        };
        // What cannot be kept takes the client's own road.
        let fits = (1..=KEYS_MAX).contains(&keys.len())
            && !keys.iter().any(|key| larder.engine().bars(key).is_some());
        fits.then(|| Self { keys, read: scratch.as_slice().into(), shape, per_key: near.per_key })
    }

    fn ask(self, larder: &Larder, db: u32) -> Asked {
        let Self { keys, read, shape, per_key } = self;
        let start = |name: Box<[u8]>| {
            let started = larder.start_fetch(Key { name: &name, db, read: &read });
            (name, started)
        };
        let keys = keys.into_iter().map(start).collect();
        Asked { keys, db, read, shape, per_key }
    }
}

fn put_fetched(reply: &Reply, shape: Shape, resp3: bool, output: &mut BytesMut) {
    if !put(reply.bytes(), shape, resp3, output) {
        reply::error(output, b"ERR Larder: the store's reply has no form in RESP2");
    }
}

fn count(traffic: &Traffic, outcome: Result<&Fetched<Reply>, &FetchError>) {
    match outcome {
        Ok(fetched) => traffic.results().answered(fetched),
        Err(_) => traffic.results().failed(),
    }
}

fn is_wrong_type(error: &FetchError) -> bool {
    matches!(error, FetchError::Store(StoreError::Refused(text)) if text.starts_with("WRONGTYPE"))
}

/// An error of the store is handed on in its own words.
fn put_error(error: &FetchError, output: &mut BytesMut) {
    match error {
        FetchError::Store(StoreError::Refused(text)) => reply::error(output, text.as_bytes()),
        error => reply::error(output, format!("ERR Larder: {error}").as_bytes()),
    }
}
