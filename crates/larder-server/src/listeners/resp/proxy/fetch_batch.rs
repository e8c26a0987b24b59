//! Reads that miss: fetched together when all that waits is reads.

use super::hits::{ReadContext, put};
use crate::{app::App, stats::resp::RespStats};
use bytes::{Buf, BytesMut};
use larder_core::{FetchError, Fetched, Found, Key, PendingFetch, StoreError, Value};
use larder_redis::Reply;
use larder_resp::{
    command::{Spec, Table},
    reply::{self, Resp2Layout},
    request::{Command, Decoder},
};
use smallvec::SmallVec;

/// Keys that are fetched at once, at most; those behind them follow.
const KEYS_MAX: usize = 1024;

/// A client's requests, and how far they have been read.
pub(crate) struct Requests<'a> {
    pub(crate) decoder: &'a mut Decoder,
    pub(crate) input: &'a mut BytesMut,
}

/// Reads that are on their way, in the order asked.
pub(crate) struct FetchBatch {
    commands: SmallVec<[PendingCommand; 1]>,
    /// Those of all commands, the last first. Most clients wait for one.
    keys: SmallVec<[PendingKey; 1]>,
    age: Staleness,
    read_context: ReadContext,
}

/// One command.
struct PendingCommand {
    /// One, or those of an `MGET`.
    keys: usize,
    shape: Resp2Layout,
    per_key: bool,
}

struct PendingKey {
    name: Box<[u8]>,
    read: Box<[u8]>,
    started: Option<PendingFetch<Reply>>,
}

/// What has been waited for since those that remain were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Staleness {
    /// Nothing.
    Fresh,
    /// What was sent with them: what was found then may be older than that.
    Waited,
    /// What was sent after them.
    Old,
}

impl FetchBatch {
    /// Takes what waits, if all of it is reads that may be kept, and asks for what is not in
    /// memory. `None`, and nothing taken, when there is anything else among it: then all of it
    /// goes one way, in order (R5).
    pub(crate) fn of(
        app: &App,
        table: &Table,
        read_context: ReadContext,
        requests: Requests<'_>,
    ) -> Option<Self> {
        let Requests { decoder, input } = requests;
        let (commands, keys) = (SmallVec::new(), SmallVec::new());
        let mut reads = Self { commands, keys, age: Staleness::Fresh, read_context };
        let mut consumed = 0;
        while reads.keys.len() < KEYS_MAX {
            // What is no command shows again when its turn comes.
            let Ok(decoded) = decoder.decode(input.get(consumed..)?) else { break };
            let bytes = decoded.consumed;
            let Some(command) = decoded.command else {
                consumed += bytes;
                break;
            };
            reads.add(app, table.spec(&command), &command)?;
            consumed += bytes;
        }
        if reads.commands.is_empty() {
            return None;
        }
        input.advance(consumed);
        reads.keys.reverse();
        reads.ask(app);
        Some(reads)
    }

    /// `None` if it cannot be kept: then it takes the client's own road.
    fn add(&mut self, app: &App, spec: &Spec, command: &Command<'_>) -> Option<()> {
        let near = spec.cacheable.filter(|near| app.keeps(near))?;
        let mut add = |name: &[u8], read: Vec<u8>| {
            let wanted = PendingKey { name: name.into(), read: read.into(), started: None };
            self.keys.push(wanted);
            app.engine().bypass_reason_for(name).is_none().then_some(())
        };
        let (keys, shape) = if near.is_multi_get {
            let names = command.args().skip(1);
            let count = names.len();
            if !(1..=KEYS_MAX).contains(&count) {
                return None;
            }
            for name in names {
                add(name, Vec::new())?;
            }
            (count, Resp2Layout::Plain)
        } else {
            let mut read = Vec::new();
            add(spec.encode_read(command, &mut read)?, read)?;
            (1, near.resp2_layout)
        };
        self.commands.push(PendingCommand { keys, shape, per_key: near.is_multi_get });
        Some(())
    }

    fn ask(&mut self, app: &App) {
        let db = self.read_context.db;
        for wanted in self.keys.iter_mut().rev() {
            wanted.started = Some(app.start_fetch(wanted.key(db)));
        }
        self.age = Staleness::Fresh;
    }

    /// Waits for the replies, and writes them in the order asked. An error is all of a reply, also
    /// to `MGET`.
    pub(crate) async fn finish(mut self, app: &App, stats: &RespStats, output: &mut BytesMut) {
        for command in std::mem::take(&mut self.commands) {
            let before = output.len();
            let behind = self.keys.len().saturating_sub(command.keys);
            if command.per_key {
                reply::array(output, command.keys);
            }
            while self.keys.len() > behind
                && let Some(outcome) = self.next(app).await
            {
                count(stats, outcome.as_ref());
                let absent = Reply::absent();
                let reply = match &outcome {
                    Ok(fetched) => &fetched.value,
                    // To MGET what is no string is as good as absent.
                    Err(error) if command.per_key && is_wrong_type(error) => &absent,
                    Err(error) => {
                        output.truncate(before);
                        put_error(error, output);
                        self.keys.truncate(behind);
                        break;
                    }
                };
                put_fetched(reply, command.shape, self.read_context.resp3, output);
            }
        }
    }

    /// The reply to the next of them, which is no older than those before it (R5). What was asked
    /// for too early is asked for again, and all behind it: they follow what is read then.
    async fn next(&mut self, app: &App) -> Option<Result<Fetched<Reply>, FetchError>> {
        let is_sent = self.keys.last()?.started.as_ref().is_some_and(PendingFetch::is_sent);
        match self.age {
            Staleness::Fresh => {}
            Staleness::Waited if is_sent => {}
            Staleness::Waited | Staleness::Old => self.ask(app),
        }
        let mut wanted = self.keys.pop()?;
        let started = wanted.started.take()?;
        let key = wanted.key(self.read_context.db);
        if !started.is_found() {
            self.age = Staleness::Waited;
        }
        let outcome = app.finish_fetch(key, started).await;
        let is_in_turn = match &outcome {
            Ok(fetched) => !matches!(fetched.found, Found::Bypass(_)),
            Err(error) => {
                matches!(error, FetchError::Store(StoreError::Refused(_) | StoreError::NotReady(_)))
            }
        };
        if !is_in_turn {
            self.age = Staleness::Old;
        }
        Some(outcome)
    }
}

impl PendingKey {
    fn key(&self, db: u32) -> Key<'_> {
        Key { name: &self.name, keyspace: db, variant: &self.read }
    }
}

fn put_fetched(reply: &Reply, shape: Resp2Layout, resp3: bool, output: &mut BytesMut) {
    if !put(reply.bytes(), shape, resp3, output) {
        reply::error(output, b"ERR Larder: the store's reply has no form in RESP2");
    }
}

fn count(stats: &RespStats, outcome: Result<&Fetched<Reply>, &FetchError>) {
    match outcome {
        Ok(fetched) => stats.results().answered(fetched),
        Err(_) => stats.results().failed(),
    }
}

fn is_wrong_type(error: &FetchError) -> bool {
    matches!(error, FetchError::Store(StoreError::Refused(text)) if text.starts_with("WRONGTYPE"))
}

/// An error of the store is handed on in its own words.
fn put_error(error: &FetchError, output: &mut BytesMut) {
    match error {
        FetchError::Store(StoreError::Refused(text) | StoreError::NotReady(text)) => {
            reply::error(output, text.as_bytes())
        }
        error => reply::error(output, format!("ERR Larder: {error}").as_bytes()),
    }
}
