//! The tiers over models of Redis and an origin, and a clock. The test takes every step, and after
//! each one every promise is checked.

mod promises;

use crate::{
    origin::Rows,
    redis::{Received, Redis},
    server::{Command, KeyId, Payload, Versions},
};
use larder_core::{
    Bypass, Clock, Engine, EngineConfig, EngineCounts, FetchError, Fetched, Found, Key, KeyFilter,
    Load, Moment, NotCached, Put, Tiers, Value,
    near::{NearConfig, Policy},
};
use std::{collections::BTreeMap, future::Future, pin::Pin, sync::Arc, time::Duration};

use promises::floor;

pub(crate) type FetchResult = Result<Fetched<Payload>, FetchError>;

pub(crate) const BOUND: Duration = Duration::from_millis(20);
pub(crate) const NEAR_TTL: Duration = Duration::from_millis(100);
pub(crate) const VALUE_BYTES_MAX: usize = 256;
/// The times to live of a loaded value, and of a cached answer that there is none.
pub(crate) const LOAD_TTL: Duration = Duration::from_millis(30);
pub(crate) const NEGATIVE_TTL: Duration = Duration::from_millis(10);

pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) tiers: Arc<Tiers<Payload, Redis>>,
    pub(crate) rows: Arc<Rows>,
    /// The oldest version that a reader that starts now may see, by key.
    floors: Versions,
    row_floors: BTreeMap<KeyId, usize>,
    /// The newest answered heartbeat of this epoch, with the versions when it was answered.
    beat: Option<(Moment, Versions)>,
    readers: Vec<Reader>,
    writers: Vec<Writer>,
    outcomes: Vec<Option<FetchResult>>,
}

struct Reader {
    number: usize,
    key_id: KeyId,
    loads: bool,
    /// The floors when the reader started.
    since: usize,
    row_since: usize,
    future: Pin<Box<dyn Future<Output = FetchResult>>>,
}

struct Writer {
    key_id: KeyId,
    /// The version of the origin's row when the write began.
    row: usize,
    future: Pin<Box<dyn Future<Output = ()>>>,
}

impl World {
    /// Starts connected, with a fresh feed.
    pub(crate) fn fresh() -> Self {
        let mut world = Self::new();
        world.connect();
        world
    }

    /// Starts without a connection.
    pub(crate) fn new() -> Self {
        let clock = Clock::manual();
        let near = NearConfig {
            bytes_max: 1 << 20,
            entries_max: 0,
            value_bytes_max: VALUE_BYTES_MAX,
            policy: Policy::default(),
        };
        let config = EngineConfig {
            near,
            near_ttl: NEAR_TTL,
            staleness_bound: BOUND,
            keys: KeyFilter::default(),
        };
        let engine = Engine::new(&config, clock.clone());
        let redis = Redis::new(Arc::clone(&engine), true);
        Self {
            clock,
            tiers: Arc::new(Tiers::new(engine, redis)),
            rows: Arc::new(Rows::slow()),
            floors: Versions::new(),
            row_floors: BTreeMap::new(),
            beat: None,
            readers: Vec::new(),
            writers: Vec::new(),
            outcomes: Vec::new(),
        }
    }

    pub(crate) fn redis(&self) -> &Redis {
        self.tiers.store()
    }

    pub(crate) fn engine(&self) -> &Engine<Payload> {
        self.tiers.engine()
    }

    pub(crate) fn counts(&self) -> EngineCounts {
        self.engine().counts()
    }

    // Readers and writers of this process.

    /// Returns a hit, if there is one.
    pub(crate) fn get(&mut self, key_id: &KeyId) -> Option<Payload> {
        let hit = self.tiers.get(key(key_id))?;
        assert!(matches!(hit.found, Found::Near(until) if self.clock.now() < until));
        self.check_hit(key_id, &hit.value);
        Some(hit.value)
    }

    /// Begins a fetch. Returns the reader's number.
    pub(crate) fn fetch(&mut self, key_id: &KeyId) -> usize {
        let (tiers, place_there) = (Arc::clone(&self.tiers), key_id.clone());
        self.read(key_id, false, async move { tiers.fetch(key(&place_there)).await })
    }

    /// Begins a fetch that asks the origin if the store has no value.
    pub(crate) fn load(&mut self, key_id: &KeyId) -> usize {
        let (tiers, rows) = (Arc::clone(&self.tiers), Arc::clone(&self.rows));
        let place_there = key_id.clone();
        self.read(key_id, true, async move {
            let id = id(&place_there);
            let load = Load { origin: &*rows, id: &id, ttl: LOAD_TTL, negative_ttl: NEGATIVE_TTL };
            tiers.fetch_or_load(key(&place_there), load).await
        })
    }

    fn read(
        &mut self,
        key_id: &KeyId,
        loads: bool,
        future: impl Future<Output = FetchResult> + 'static,
    ) -> usize {
        let number = self.outcomes.len();
        self.outcomes.push(None);
        let since = floor(&self.floors, key_id);
        let row_since = floor(&self.row_floors, key_id);
        let (key_id, future) = (key_id.clone(), Box::pin(future));
        self.readers.push(Reader { number, key_id, loads, since, row_since, future });
        self.poll();
        number
    }

    /// Begins a read that bypasses the near cache.
    pub(crate) fn bypass(&mut self, key_id: &KeyId) -> usize {
        let (tiers, place_there) = (Arc::clone(&self.tiers), key_id.clone());
        self.read(
            key_id,
            false,
            async move { tiers.bypass(key(&place_there), Bypass::Request).await },
        )
    }

    /// Returns what a reader got.
    pub(crate) fn outcome(&self, reader: usize) -> &FetchResult {
        self.outcomes[reader].as_ref().expect("the reader is done")
    }

    pub(crate) fn is_waiting(&self, reader: usize) -> bool {
        self.outcomes[reader].is_none()
    }

    /// Drops a reader before it is done.
    pub(crate) fn leave(&mut self, at: usize) {
        if at < self.readers.len() {
            drop(self.readers.remove(at));
        }
        self.poll();
    }

    /// Begins a put.
    pub(crate) fn put(&mut self, key_id: &KeyId, payload: &str, ttl: Option<Duration>) {
        let (tiers, place_there) = (Arc::clone(&self.tiers), key_id.clone());
        let payload = payload.to_owned();
        self.write(key_id, async move {
            let put = Put { key: key(&place_there), payload: payload.as_bytes(), ttl };
            tiers.put(put).await.expect("the model accepts every write");
        });
    }

    /// Begins a delete.
    pub(crate) fn delete(&mut self, key_id: &KeyId) {
        let (tiers, place_there) = (Arc::clone(&self.tiers), key_id.clone());
        self.write(key_id, async move {
            tiers.delete(key(&place_there)).await.expect("the model accepts every write");
        });
    }

    fn write(&mut self, key_id: &KeyId, future: impl Future<Output = ()> + 'static) {
        let row = self.rows.newest(&id(key_id));
        self.writers.push(Writer { key_id: key_id.clone(), row, future: Box::pin(future) });
        self.poll();
    }

    /// Whether a put or a delete is not done yet.
    pub(crate) fn is_writing(&self) -> bool {
        !self.writers.is_empty()
    }

    // Other clients, the connection and the clock.

    pub(crate) fn other(&mut self, command: &Command) {
        self.redis().other(command);
        self.poll();
    }

    pub(crate) fn other_sets(&mut self, key_id: &KeyId, payload: &str, ttl: Option<Duration>) {
        let (key_id, payload) = (key_id.clone(), Some(payload.as_bytes().into()));
        self.other(&Command::Set { key_id, payload, ttl, only_if_absent: false });
    }

    pub(crate) fn connect(&mut self) {
        self.cut(0);
        self.redis().connect();
        self.beat_and_receive();
    }

    pub(crate) fn cut(&mut self, executed: usize) {
        self.redis().cut(executed);
        self.beat = None;
        self.poll();
    }

    pub(crate) fn beat(&mut self) {
        self.redis().beat();
    }

    pub(crate) fn beat_and_receive(&mut self) {
        self.beat();
        self.execute_and_receive_all();
    }

    pub(crate) fn execute(&mut self) -> bool {
        self.redis().execute()
    }

    /// Receives one reply or push of the tracked connection. Returns false when there is none.
    pub(crate) fn receive(&mut self) -> bool {
        let Some(received) = self.redis().receive() else { return false };
        match received {
            Received::Reply => {}
            Received::Heartbeat { sent, versions } => self.beat = Some((sent, versions)),
            Received::Push { name, versions } => {
                self.raise(versions.into_iter().filter(|((_, of), _)| *of == name));
            }
            Received::PushAll { versions } => self.raise(versions),
        }
        self.poll();
        true
    }

    pub(crate) fn execute_and_receive_all(&mut self) {
        while self.execute() || self.receive() {}
    }

    pub(crate) fn run_call(&mut self, at: usize) {
        self.redis().run_call(at);
    }

    /// Delivers a reply of the plain connection. Returns false when there is none.
    pub(crate) fn answer_call(&mut self, at: usize) -> bool {
        let answered = self.redis().answer_call(at);
        self.poll();
        answered
    }

    pub(crate) fn run_and_answer_calls(&mut self) {
        self.run_call(0);
        while self.answer_call(0) {
            self.run_call(0);
        }
    }

    pub(crate) fn origin_answers(&mut self, at: usize) -> bool {
        let answered = self.rows.answer(at);
        self.poll();
        answered
    }

    pub(crate) fn tick(&mut self, span: Duration) {
        self.clock.advance(span);
    }
}

pub(crate) fn key(key_id: &KeyId) -> Key<'_> {
    Key::plain(&key_id.1, key_id.0)
}

/// The origin's id for a key.
pub(crate) fn id(key_id: &KeyId) -> String {
    format!("{}/{}", key_id.0, String::from_utf8_lossy(&key_id.1))
}

/// The key that most scripts use.
pub(crate) fn a() -> KeyId {
    (0, b"a".to_vec())
}

pub(crate) fn text(value: &str) -> Payload {
    Payload::from_payload(value.as_bytes())
}

pub(crate) fn value(world: &World, reader: usize) -> Payload {
    world.outcome(reader).as_ref().unwrap().value.clone()
}

pub(crate) fn cached_by(world: &World, reader: usize) -> Result<(), NotCached> {
    match world.outcome(reader).as_ref().unwrap().found {
        Found::Store { cached } => cached.map(drop),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn in_redis(world: &World) -> Payload {
    world.redis().keys(|keys| keys.newest(&a()).value.clone())
}
