//! A model of Redis as a store. The test takes every step of the tracked connection: it says when a
//! request is executed and when a reply is received.
//!
//! Commands of the plain connection and of other clients are executed at once, unless the test makes
//! those of the plain connection wait.

use crate::server::{Command, KeyId, Payload, Reply, Server, Version, Versions};
use larder_core::{
    Engine, FetchError, Fill, FillOutcome, FlushCause, Key, LeaseView, LoadedValue, Moment, Put,
    PutOutcome, ReadStore, StoreError, WriteGuard, WriteStore, coherence::feed::Epoch, expiry::Ttl,
};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::sync::oneshot;

#[cfg(feature = "explorer")]
use shuttle::sync::{Mutex, MutexGuard};
#[cfg(not(feature = "explorer"))]
use std::sync::{Mutex, MutexGuard};

pub(crate) struct Redis {
    engine: Arc<Engine<Payload>>,
    plain_waits: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    server: Server,
    session: Option<Session>,
    calls: Vec<Call>,
    written: Versions,
}

/// The client's side of one tracked connection.
struct Session {
    epoch: Epoch,
    expected: VecDeque<Expected>,
    half: Option<Half>,
}

/// A request that waits for its reply. A read and a put take two replies each.
enum Expected {
    Read(Fill<'static, Payload>),
    Put(LeaseView<Payload>, oneshot::Sender<PutOutcome>),
    Heartbeat(Moment),
}

enum Half {
    Read(Fill<'static, Payload>, Payload),
    Put(oneshot::Sender<PutOutcome>, PutOutcome),
}

/// A command on the plain connection.
struct Call {
    command: Command,
    reply: Option<Reply>,
    answer: oneshot::Sender<Reply>,
}

/// What was received on the tracked connection, with the versions that the server had by then.
pub(crate) enum Received {
    Reply,
    Heartbeat { sent: Moment, versions: Versions },
    Push { name: Vec<u8>, versions: Versions },
    PushAll { versions: Versions },
}

impl Redis {
    pub(crate) fn new(engine: Arc<Engine<Payload>>, plain_waits: bool) -> Self {
        Self { engine, plain_waits, state: Mutex::default() }
    }

    /// Runs a command of another client.
    pub(crate) fn other(&self, command: &Command) {
        let now = self.now();
        self.state().server.run(command, now);
    }

    /// Runs commands of another client as one: no other command is executed in between.
    pub(crate) fn other_at_once(&self, commands: &[Command]) {
        let now = self.now();
        let mut state = self.state();
        for command in commands {
            state.server.run(command, now);
        }
    }

    /// Shows the keys to a function.
    pub(crate) fn keys<R>(&self, read: impl FnOnce(&Server) -> R) -> R {
        let now = self.now();
        let mut state = self.state();
        state.server.expire(now);
        read(&state.server)
    }

    /// Returns the first version from `since` on with this value.
    pub(crate) fn version_of(
        &self,
        key_id: &KeyId,
        since: usize,
        value: &Payload,
    ) -> Option<usize> {
        let fits = |version: &Version| version.value == *value;
        self.keys(|server| server.version(key_id, since, fits))
    }

    /// Returns the version that the last write of this process left behind.
    pub(crate) fn written(&self, key_id: &KeyId) -> usize {
        self.state().written.get(key_id).copied().unwrap_or(0)
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.state().session.is_some()
    }

    /// Begins an epoch on a new connection.
    pub(crate) fn connect(&self) {
        self.cut(0);
        let epoch = self.engine.begin_epoch();
        let session = Session { epoch, expected: VecDeque::new(), half: None };
        self.state().session = Some(session);
    }

    /// Ends the connection, after the server has executed some more of its requests.
    pub(crate) fn cut(&self, executed: usize) {
        let now = self.now();
        let mut state = self.state();
        state.server.hang_up(executed, now);
        let session = state.session.take();
        drop(state);
        let Some(Session { epoch, expected, half }) = session else { return };
        self.engine.end_epoch(epoch);
        let half = half.and_then(|half| match half {
            Half::Read(fill, _) => Some(Expected::Read(fill)),
            Half::Put(..) => None,
        });
        for lost in half.into_iter().chain(expected) {
            if let Expected::Read(fill) = lost {
                fill.fail(FetchError::Store(StoreError::Lost));
            }
        }
    }

    /// Sends a heartbeat.
    pub(crate) fn beat(&self) {
        let now = self.now();
        let mut state = self.state();
        if let Some(session) = &mut state.session {
            session.expected.push_back(Expected::Heartbeat(now));
            state.server.request(Command::Ping);
        }
    }

    /// Executes the next request of the tracked connection. Returns false when there is none.
    pub(crate) fn execute(&self) -> bool {
        let now = self.now();
        self.state().server.execute(now)
    }

    /// Receives the next reply or push of the tracked connection, if there is one.
    pub(crate) fn receive(&self) -> Option<Received> {
        let mut state = self.state();
        let (reply, versions) = state.server.receive()?;
        let session = state.session.as_mut()?;
        match reply {
            Reply::Push(name) => {
                drop(state);
                self.engine.on_invalidation(&name);
                Some(Received::Push { name, versions })
            }
            Reply::PushAll => {
                drop(state);
                self.engine.flush(FlushCause::Flushed);
                Some(Received::PushAll { versions })
            }
            reply => match session.half.take() {
                Some(half) => {
                    drop(state);
                    finish(half, &reply);
                    Some(Received::Reply)
                }
                None => Some(self.answer(state, &reply, versions)),
            },
        }
    }

    fn answer(
        &self,
        mut state: MutexGuard<'_, State>,
        reply: &Reply,
        versions: Versions,
    ) -> Received {
        let session = state.session.as_mut().expect("a reply comes on a connection");
        let half = match session.expected.pop_front().expect("a reply answers something") {
            Expected::Read(fill) => Half::Read(fill, value(reply)),
            // Checked here, because the push that the put itself causes comes after this reply.
            Expected::Put(lease, answer) => Half::Put(answer, judge_put(reply, lease.holds())),
            Expected::Heartbeat(sent) => {
                let epoch = session.epoch;
                drop(state);
                self.engine.feed().heartbeat(epoch, sent);
                return Received::Heartbeat { sent, versions };
            }
        };
        session.half = Some(half);
        Received::Reply
    }

    /// Executes one of the plain connection's waiting commands.
    pub(crate) fn run_call(&self, at: usize) {
        let now = self.now();
        let mut state = self.state();
        let State { server, calls, .. } = &mut *state;
        let mut waiting = calls.iter_mut().filter(|call| call.reply.is_none());
        if let Some(call) = waiting.nth(at) {
            call.reply = Some(server.run(&call.command, now));
        }
    }

    /// Delivers one of the plain connection's replies. Returns false when there is none.
    pub(crate) fn answer_call(&self, at: usize) -> bool {
        let mut state = self.state();
        let done = |(at, call): (usize, &Call)| call.reply.is_some().then_some(at);
        let Some(at) = state.calls.iter().enumerate().filter_map(done).nth(at) else {
            return false;
        };
        let Call { reply, answer, .. } = state.calls.remove(at);
        drop(state);
        // The caller may have left.
        reply.map(|reply| answer.send(reply).ok());
        true
    }

    async fn call(&self, command: Command) -> Result<Reply, StoreError> {
        let reply = self.begin_call(command);
        reply.await.map_err(|_| StoreError::Lost)
    }

    fn begin_call(&self, command: Command) -> oneshot::Receiver<Reply> {
        let now = self.now();
        let (answer, reply) = oneshot::channel();
        let mut state = self.state();
        if self.plain_waits {
            state.calls.push(Call { command, reply: None, answer });
        } else {
            let State { server, written, .. } = &mut *state;
            let done = server.run(&command, now);
            if let Command::Set { key_id, .. } | Command::Delete(key_id) = &command {
                written.insert(key_id.clone(), server.newest_number(key_id));
            }
            // The caller holds the receiver.
            answer.send(done).ok();
        }
        reply
    }

    fn begin_load(&self, set: Command, lease: LeaseView<Payload>) -> oneshot::Receiver<PutOutcome> {
        let (answer, put) = oneshot::channel();
        let mut state = self.state();
        let State { server, session, .. } = &mut *state;
        if let Some(session) = session {
            server.request(set);
            server.request(Command::Ping);
            session.expected.push_back(Expected::Put(lease, answer));
        }
        put
    }

    fn now(&self) -> Moment {
        self.engine.clock().now()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test goes on after a panic")
    }
}

fn finish(half: Half, reply: &Reply) {
    match half {
        Half::Read(fill, value) => drop(fill.complete(value, ttl(number(reply)))),
        // The caller may have left.
        Half::Put(answer, put) => drop(answer.send(put)),
    }
}

/// The reply to a `SET` with `NX` is what was there before.
fn judge_put(reply: &Reply, lease_holds: bool) -> PutOutcome {
    let is_put = value(reply).is_none();
    if lease_holds { PutOutcome::Done } else { PutOutcome::LeaseInvalidated { is_put } }
}

fn value(reply: &Reply) -> Payload {
    match reply {
        Reply::Value(value) => value.clone(),
        other => panic!("{other:?} instead of a value"),
    }
}

/// Reads a reply to `PTTL`.
fn ttl(reply: i64) -> Ttl {
    match u64::try_from(reply) {
        Ok(left) => Ttl::Left(Duration::from_millis(left)),
        Err(_) if reply == -1 => Ttl::Forever,
        Err(_) => Ttl::NoKey,
    }
}

fn number(reply: &Reply) -> i64 {
    match reply {
        Reply::Number(number) => *number,
        other => panic!("{other:?} instead of a number"),
    }
}

fn key_id(key: Key<'_>) -> KeyId {
    (key.keyspace, key.name.to_vec())
}

impl ReadStore<Payload> for Redis {
    fn fill(&self, fill: Fill<'_, Payload>) -> FillOutcome<Payload> {
        let key_id = key_id(fill.key());
        let mut state = self.state();
        let State { server, session, .. } = &mut *state;
        let Some(session) = session else {
            drop(state);
            return fill.fail(FetchError::Store(StoreError::Unreachable("no connection".into())));
        };
        server.request(Command::Get(key_id.clone()));
        server.request(Command::Pttl(key_id));
        let (fill, outcome) = fill.defer();
        session.expected.push_back(Expected::Read(fill));
        outcome
    }

    async fn read(&self, key: Key<'_>) -> Result<Payload, StoreError> {
        Ok(value(&self.call(Command::Get(key_id(key))).await?))
    }
}

impl WriteStore<Payload> for Redis {
    async fn put(&self, _: &WriteGuard<Payload>, put: Put<'_>) -> Result<(), StoreError> {
        let (key_id, payload) = (key_id(put.key), Some(put.payload.into()));
        let set = Command::Set { key_id, payload, ttl: put.ttl, only_if_absent: false };
        self.call(set).await.map(drop)
    }

    async fn delete(&self, _: &WriteGuard<Payload>, key: Key<'_>) -> Result<bool, StoreError> {
        Ok(number(&self.call(Command::Delete(key_id(key))).await?) == 1)
    }

    async fn put_loaded(
        &self,
        load: &Fill<'_, Payload>,
        loaded: LoadedValue<'_>,
    ) -> Result<PutOutcome, StoreError> {
        let (key_id, payload) = (key_id(loaded.key), Some(loaded.payload.into()));
        let set = Command::Set { key_id, payload, ttl: Some(loaded.ttl), only_if_absent: true };
        if self.is_connected() {
            let put = self.begin_load(set, load.lease_view());
            return put.await.map_err(|_| StoreError::Lost);
        }
        let reply = self.call(set).await?;
        Ok(judge_put(&reply, load.holds()))
    }

    async fn delete_if_ours(
        &self,
        _: &WriteGuard<Payload>,
        loaded: LoadedValue<'_>,
    ) -> Result<(), StoreError> {
        let (key_id, payload) = (key_id(loaded.key), Some(loaded.payload.into()));
        self.call(Command::DeleteIfOurs { key_id, payload, ttl: loaded.ttl }).await.map(drop)
    }
}
