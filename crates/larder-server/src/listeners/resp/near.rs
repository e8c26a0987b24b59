//! Reads that miss: fetched together when all that waits is reads.

use super::{
    hits::{Wish, put},
    traffic::Traffic,
};
use crate::larder::Larder;
use bytes::{Buf, BytesMut};
use larder_core::{FetchError, Fetched, Key, Started, StoreError, Value};
use larder_redis::Reply;
use larder_resp::{
    command::{Spec, Table},
    reply::{self, Shape},
    request::{Command, Decoder},
};

/// Keys that are fetched at once, at most; those behind them follow.
const KEYS_MAX: usize = 1024;

/// A client's requests, and how far they have been read.
pub(super) struct Requests<'a> {
    pub(super) decoder: &'a mut Decoder,
    pub(super) input: &'a mut BytesMut,
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
            let next = Wanted::of(larder, table.spec(&command), &command)?;
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
    fn of(larder: &Larder, spec: &Spec, command: &Command<'_>) -> Option<Self> {
        let near = spec.near.filter(|near| larder.keeps(near))?;
        let mut read = Vec::new();
        let (keys, shape): (Vec<Box<[u8]>>, _) = if near.per_key {
            (command.args().skip(1).map(Box::from).collect(), Shape::Plain)
        } else {
            (vec![spec.encode_read(command, &mut read)?.into()], near.shape)
        };
        // What cannot be kept takes the client's own road.
        let fits = (1..=KEYS_MAX).contains(&keys.len())
            && !keys.iter().any(|key| larder.engine().bars(key).is_some());
        fits.then(|| Self { keys, read: read.into(), shape, per_key: near.per_key })
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
