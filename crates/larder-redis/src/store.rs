//! Redis as a [`Store`](larder_core::Store).

use crate::{
    access::Access,
    commands::CommandConnection,
    error_reply::{is_not_ready, store_error},
    reply::Reply,
    tracking::{LoadedPut, MultiGet, Request, TrackingConnection, TrackingState, fail_request},
    tracking_table::{TrackingTable, limit, sizes},
    upstream::{Upstream, UpstreamError},
    url::RedisUrl,
};
use bytes::{Bytes, BytesMut};
use larder_core::{
    Engine, Fill, FillOutcome, Key, LoadedValue, Put, PutOutcome, ReadStore, StoreError,
    WriteGuard, WriteStore,
};
use larder_resp::{
    command::write_read_command,
    reply::{self, Frame},
    request::write_command,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::sync::oneshot;

/// A Redis or Valkey server behind the near cache: the tracking connection carries fills and the
/// feed, the command connection everything else.
pub struct RedisStore {
    tracking: TrackingConnection,
    commands: CommandConnection,
    access: Arc<Access>,
    url: RedisUrl,
    engine: Arc<Engine<Reply>>,
    timeout: Duration,
    /// The epoch in which the limit of the tracking table was refused; 0 if it was not.
    limit_refused_in: AtomicU64,
}

/// Deletes a key if it still holds the value that was put, and expires no later than that put made
/// it expire.
const DELETE_IF_OURS: &[u8] = b"\
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
    local left = redis.call('PTTL', KEYS[1])
    if left < 0 or left > tonumber(ARGV[2]) then return 0 end
    return redis.call('DEL', KEYS[1])";

impl RedisStore {
    /// Starts both connections in tasks of the current runtime and returns at once. While the
    /// server is unreachable, the tasks keep trying to connect. A request fails when it has no
    /// reply within `timeout`.
    pub fn start(url: &RedisUrl, engine: Arc<Engine<Reply>>, timeout: Duration) -> Self {
        let access = Arc::new(Access::new(url.clone()));
        Self {
            tracking: TrackingConnection::start(
                url.clone(),
                Arc::clone(&access),
                Arc::clone(&engine),
            ),
            commands: CommandConnection::start(url.clone(), Arc::clone(&access), timeout),
            access,
            url: url.clone(),
            engine,
            timeout,
            limit_refused_in: AtomicU64::new(0),
        }
    }

    /// Returns the state of the tracking connection.
    pub fn tracking_state(&self) -> TrackingState {
        self.tracking.state()
    }

    /// Returns why the server refuses Larder's connections, if it does.
    pub fn refusal(&self) -> Option<Arc<str>> {
        self.access.refusal()
    }

    /// Records that the server has refused a connection.
    pub fn refused(&self, why: &str) {
        self.access.refused(why);
    }

    /// Opens a connection for one client.
    pub async fn connect(&self) -> Result<Upstream, UpstreamError> {
        Upstream::connect(&self.url).await.inspect_err(|error| {
            if error.is_refusal() {
                self.refused(&error.to_string());
            }
        })
    }

    /// Tries whether the server accepts connections again, if it has refused one. The tracking
    /// connection does so by itself while it is down.
    pub async fn retry_access(&self) {
        if self.refusal().is_some() && self.tracking.is_live() {
            match Upstream::check(&self.url).await {
                Ok(()) => self.access.accepted(),
                Err(error) => tracing::debug!(%error, "Redis still refuses Larder's connections"),
            }
        }
    }

    /// Sends `PING` and waits for a reply that is not an error.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.ask(&[b"PING"]).await.map(drop)
    }

    /// Waits until every push that Redis sent before this call has been applied, or its epoch has
    /// ended (R4). After the staleness bound it ends the epoch itself. Returns false if there is no
    /// epoch, or it has ended.
    pub async fn fence(&self) -> bool {
        if !self.engine.feed().is_live() {
            return false;
        }
        let (answer, applied) = oneshot::channel();
        let passed = async {
            // The channel is dropped when the epoch ends; then none of its entries is served.
            self.tracking.send(Request::Fence(answer)).await && applied.await.is_ok()
        };
        let bound = self.engine.feed().bound();
        tokio::time::timeout(bound, passed).await.unwrap_or_else(|_| {
            self.end_current_epoch();
            false
        })
    }

    /// Ends the current epoch: a reply on another connection showed that the server is not a
    /// serving primary, or the tracking connection is too slow to be trusted.
    pub fn end_current_epoch(&self) {
        // If the epoch has ended already, the next one must not end for the same reason.
        if self.engine.feed().is_live() {
            self.engine.end_current_epoch();
            self.tracking.reconnect();
        }
    }

    /// Returns the server's reply to `COMMAND`.
    pub async fn commands(&self) -> Result<Bytes, StoreError> {
        self.ask(&[b"COMMAND"]).await
    }

    /// Returns the server's reply to `HELLO`: its name and its version, among others.
    pub async fn hello(&self) -> Result<Bytes, StoreError> {
        self.ask(&[b"HELLO"]).await
    }

    /// Returns the server's reply to `ACL GETUSER`.
    pub async fn user(&self, name: &[u8]) -> Result<Bytes, StoreError> {
        self.ask(&[b"ACL", b"GETUSER", name]).await
    }

    /// Returns the size of the server's tracking table, if it tells.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if Larder's user may not ask for it. If only the limit is refused, it
    /// is `None` and not asked for again in this epoch.
    pub async fn tracking_table(&self) -> Result<Option<TrackingTable>, StoreError> {
        let Some((keys, items)) = sizes(&self.ask(&[b"INFO", b"stats"]).await?) else {
            return Ok(None);
        };
        let epoch = self.engine.feed().epochs_begun();
        let keys_max = if self.limit_refused_in.load(Relaxed) == epoch {
            None
        } else {
            match self.ask(&[b"CONFIG", b"GET", b"tracking-table-max-keys"]).await {
                Ok(reply) => limit(&reply),
                Err(StoreError::Refused(_)) => {
                    self.limit_refused_in.store(epoch, Relaxed);
                    None
                }
                Err(error) => return Err(error),
            }
        };
        Ok(Some(TrackingTable { keys, items, keys_max }))
    }

    /// Returns how long the server lets a client be idle before it closes the connection; `None` if
    /// for ever.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if Larder's user may not ask for it.
    pub async fn idle_timeout(&self) -> Result<Option<Duration>, StoreError> {
        let reply = self.ask(&[b"CONFIG", b"GET", b"timeout"]).await?;
        Ok(limit(&reply).map(Duration::from_secs))
    }

    /// Sends an `MGET` on the tracking connection, where its reply is one moment of the store. The
    /// keys that are not in memory are cached from it.
    pub fn start_multi_get(&self, db: u32, names: &[Box<[u8]>]) -> PendingMultiGet {
        let (answer, reply) = oneshot::channel();
        if let Some(view) = self.engine.batch_view() {
            let names_at = names.iter().map(|name| &**name).enumerate();
            let lead = |(at, name)| {
                let fill = self.engine.lead_if_missing(Key::plain(name, db), view)?;
                Some((at, fill))
            };
            let fills: Vec<_> = names_at.filter_map(lead).collect();
            let command = encode_multi_get(names);
            let multi_get = MultiGet::new(db, view.now(), (command, names.len()), fills, answer);
            if let Err(request) = self.tracking.try_send(Request::MultiGet(multi_get)) {
                fail_request(request);
            }
        }
        PendingMultiGet::Sent(reply)
    }

    /// Waits for the reply to an `MGET`. Returns `None` if the tracking connection gave none:
    /// [`RedisStore::multi_get`] reads on another.
    pub async fn finish_multi_get(
        &self,
        pending: PendingMultiGet,
    ) -> Option<Result<Reply, StoreError>> {
        let outcome = match pending {
            PendingMultiGet::Sent(reply) => reply.await.ok(),
            PendingMultiGet::Answered(outcome) => outcome,
        };
        match outcome {
            Some(Err(error)) if error.is_outage() => None,
            outcome => outcome,
        }
    }

    /// Reads several keys for a caller that bypasses the near cache. The values may be newer than
    /// what the feed has reported.
    pub async fn multi_get(&self, db: u32, names: &[Box<[u8]>]) -> Result<Reply, StoreError> {
        self.read_encoded(db, encode_multi_get(names)).await
    }

    async fn read_encoded(&self, db: u32, command: BytesMut) -> Result<Reply, StoreError> {
        Ok(Reply::copy_of(&self.send_read(db, command).await?))
    }

    /// Asks the server about itself. An error reply becomes an error.
    async fn ask(&self, question: &[&[u8]]) -> Result<Bytes, StoreError> {
        let mut command = BytesMut::new();
        write_command(&mut command, question);
        self.send_read(0, command).await
    }

    /// Sends a command that changes nothing. Sending it twice is safe (R14): the connection may have
    /// ended just before, as a server with a `timeout` closes idle ones.
    async fn send_read(&self, db: u32, command: BytesMut) -> Result<Bytes, StoreError> {
        let reply = match self.commands.call_encoded(db, command.clone()).await {
            Err(StoreError::Lost) => self.commands.call_encoded(db, command).await?,
            outcome => outcome?,
        };
        self.check(reply)
    }

    /// Sends a write, once, and returns its reply; an error reply becomes an error.
    async fn call(&self, db: u32, command: &[&[u8]]) -> Result<Bytes, StoreError> {
        let reply = self.commands.call(db, command).await?;
        self.check(reply)
    }

    fn check(&self, reply: Bytes) -> Result<Bytes, StoreError> {
        match Frame::parse(&reply).map_err(|_| StoreError::Lost)?.as_error() {
            None => Ok(reply),
            Some(error) => {
                if is_not_ready(error) {
                    self.end_current_epoch();
                }
                Err(store_error(error))
            }
        }
    }
}

impl ReadStore<Reply> for RedisStore {
    fn fill(&self, fill: Fill<'_, Reply>) -> FillOutcome<Reply> {
        let (fill, answer) = fill.defer();
        if let Err(request) = self.tracking.try_send(Request::Fill(fill)) {
            fail_request(request);
        }
        answer
    }

    async fn read(&self, key: Key<'_>) -> Result<Reply, StoreError> {
        let mut command = BytesMut::new();
        write_read_command(&mut command, key.variant, key.name);
        self.read_encoded(key.keyspace, command).await
    }
}

impl WriteStore<Reply> for RedisStore {
    async fn put(&self, _: &WriteGuard<Reply>, put: Put<'_>) -> Result<(), StoreError> {
        let Put { key: Key { name, keyspace: db, .. }, payload, ttl } = put;
        match ttl {
            None => self.call(db, &[b"SET", name, payload]).await.map(drop),
            Some(ttl) => {
                let ttl = milliseconds(ttl);
                self.call(db, &[b"SET", name, payload, b"PX", ttl.as_bytes()]).await.map(drop)
            }
        }
    }

    async fn delete(&self, _: &WriteGuard<Reply>, key: Key<'_>) -> Result<bool, StoreError> {
        let reply = self.call(key.keyspace, &[b"DEL", key.name]).await?;
        Ok(Frame::parse(&reply).ok().and_then(|frame| frame.as_integer()) == Some(1))
    }

    async fn put_loaded(
        &self,
        load: &Fill<'_, Reply>,
        loaded: LoadedValue<'_>,
    ) -> Result<PutOutcome, StoreError> {
        let LoadedValue { key: Key { name, keyspace: db, .. }, payload, ttl } = loaded;
        if self.tracking.is_live() {
            let (answer, outcome) = oneshot::channel();
            let put = LoadedPut {
                name: name.into(),
                db,
                payload: payload.into(),
                ttl,
                lease: load.lease_view(),
                answer,
            };
            if self.tracking.try_send(Request::Put(put)).is_err() {
                return Err(StoreError::Unreachable(
                    "too many requests are waiting for the tracking connection".into(),
                ));
            }
            let late = |_| StoreError::TimedOut(self.timeout);
            return tokio::time::timeout(self.timeout, outcome)
                .await
                .map_err(late)?
                .unwrap_or(Err(StoreError::Lost));
        }
        let ttl = milliseconds(ttl);
        let set = [b"SET", name, payload, b"NX", b"PX", ttl.as_bytes()];
        let is_put = self.call(db, &set).await?.starts_with(b"+");
        Ok(if load.holds() { PutOutcome::Done } else { PutOutcome::LeaseInvalidated { is_put } })
    }

    async fn delete_if_ours(
        &self,
        _: &WriteGuard<Reply>,
        loaded: LoadedValue<'_>,
    ) -> Result<(), StoreError> {
        let LoadedValue { key: Key { name, keyspace: db, .. }, payload, ttl } = loaded;
        let ttl = milliseconds(ttl);
        let command = [b"EVAL", DELETE_IF_OURS, b"1", name, payload, ttl.as_bytes()];
        self.call(db, &command).await.map(drop)
    }
}

/// An `MGET` that was sent. See [`RedisStore::start_multi_get`].
pub enum PendingMultiGet {
    /// The reply is still to come, or to be taken.
    Sent(oneshot::Receiver<Result<Reply, StoreError>>),
    /// The reply, if the tracking connection gave one.
    Answered(Option<Result<Reply, StoreError>>),
}

impl PendingMultiGet {
    /// Returns whether the reply has arrived, or will not.
    pub fn is_answered(&self) -> bool {
        match self {
            Self::Sent(reply) => !reply.is_empty() || reply.is_terminated(),
            Self::Answered(_) => true,
        }
    }

    /// Waits until [`PendingMultiGet::is_answered`]. May be dropped and called again.
    pub async fn answered(&mut self) {
        if let Self::Sent(reply) = self {
            let outcome = reply.await.ok();
            *self = Self::Answered(outcome);
        }
    }
}

fn encode_multi_get(names: &[Box<[u8]>]) -> BytesMut {
    let mut command = BytesMut::new();
    reply::array(&mut command, 1 + names.len());
    reply::bulk(&mut command, b"MGET");
    for name in names {
        reply::bulk(&mut command, name);
    }
    command
}

/// Formats a duration for `PX`, which must be at least 1.
fn milliseconds(duration: Duration) -> String {
    duration.as_millis().max(1).to_string()
}
