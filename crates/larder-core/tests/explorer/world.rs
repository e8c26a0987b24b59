//! The tiers over a model of Redis, in threads of the explorer.

use crate::{
    origin::Rows,
    redis::{Received, Redis},
    server::{Command, KeyId, Payload, Versions},
};
use larder_core::{
    Bypass, Clock, Engine, EngineConfig, Key, KeyFilter, Load, Put, Store, Tiers, Value,
    near::{NearConfig, Policy},
};
use shuttle::{
    future::block_on,
    thread::{self, JoinHandle},
};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

const MINUTE: Duration = Duration::from_mins(1);

/// The tiers over a model of Redis, with a thread that executes its requests and one that receives
/// its replies and pushes.
pub(crate) struct World {
    pub(crate) tiers: Arc<Tiers<Payload, Redis>>,
    pub(crate) rows: Arc<Rows>,
    /// The oldest version that a reader that starts now may see, by key.
    floors: Arc<Mutex<Versions>>,
    over: Arc<AtomicBool>,
    cut: Arc<Mutex<Option<usize>>>,
    pumps: Vec<JoinHandle<()>>,
}

impl World {
    pub(crate) fn new() -> Self {
        let engine = engine();
        let redis = Redis::new(Arc::clone(&engine), false);
        let mut world = Self {
            tiers: Arc::new(Tiers::new(engine, redis)),
            rows: Arc::default(),
            floors: Arc::default(),
            over: Arc::default(),
            cut: Arc::default(),
            pumps: Vec::new(),
        };
        world.redis().connect();
        world.redis().beat();
        while world.redis().execute() || world.receive() {}
        world.pumps = vec![
            world.spawn(|world| world.pump(|world| world.redis().execute())),
            world.spawn(|world| world.pump(World::receive)),
        ];
        world
    }

    pub(crate) fn redis(&self) -> &Redis {
        self.tiers.store()
    }

    pub(crate) fn spawn(&self, run: impl FnOnce(&World) + Send + 'static) -> JoinHandle<()> {
        let world = Self {
            tiers: Arc::clone(&self.tiers),
            rows: Arc::clone(&self.rows),
            floors: Arc::clone(&self.floors),
            over: Arc::clone(&self.over),
            cut: Arc::clone(&self.cut),
            pumps: Vec::new(),
        };
        thread::spawn(move || run(&world))
    }

    /// Waits for the clients and then for the feed. Then every entry equals what Redis holds.
    pub(crate) fn finish(mut self, clients: impl IntoIterator<Item = JoinHandle<()>>) -> Self {
        join(clients);
        self.over.store(true, SeqCst);
        join(self.pumps.drain(..));
        while self.redis().execute() || self.receive() {}
        if let Some(hit) = self.tiers.get(key()) {
            assert_eq!(hit.value, self.redis().keys(|keys| keys.newest(&a()).value.clone()));
        }
        assert_eq!(self.tiers.engine().counts().fills_in_flight, 0, "a lease was left behind");
        self
    }

    fn pump(&self, step: impl Fn(&Self) -> bool) {
        while !self.over.load(SeqCst) {
            if !step(self) {
                thread::yield_now();
            }
        }
    }

    /// Replaces the tracked connection by a new one after this many replies and pushes.
    pub(crate) fn cut_after(&self, received: usize) {
        *self.cut.lock().unwrap() = Some(received);
    }

    fn receive(&self) -> bool {
        if self.is_cut_now() {
            self.redis().connect();
            self.redis().beat();
        }
        match self.redis().receive() {
            None => return false,
            Some(Received::Push { versions, .. } | Received::PushAll { versions }) => {
                self.raise(versions.get(&a()).copied().unwrap_or(0));
            }
            Some(Received::Reply | Received::Heartbeat { .. }) => {}
        }
        true
    }

    fn is_cut_now(&self) -> bool {
        let mut cut = self.cut.lock().unwrap();
        let now = *cut == Some(0);
        *cut = cut.and_then(|received| received.checked_sub(1));
        now
    }

    pub(crate) fn read(&self) {
        self.check(|| block_on(self.tiers.fetch(key())).unwrap().value);
    }

    pub(crate) fn read_twice(&self) {
        self.read();
        self.read();
    }

    /// Sets two keys to the same value at once, as `MSET` does.
    pub(crate) fn set_both(&self, value: &str) {
        let set = |name: &[u8]| Command::Set {
            key_id: (0, name.to_vec()),
            payload: text(value),
            ttl: None,
            only_if_absent: false,
        };
        self.redis().other_at_once(&[set(b"a"), set(b"b")]);
    }

    pub(crate) fn bypass(&self) {
        self.check(|| block_on(self.tiers.bypass(key(), Bypass::Request)).unwrap().value);
    }

    /// Checks that a read returns what was there when it began, or later.
    fn check(&self, read: impl FnOnce() -> Payload) {
        let since = self.floor();
        let value = read();
        let Some(shown) = self.redis().version_of(&a(), since, &value) else {
            panic!("{value:?} is older than version {since}")
        };
        self.raise(shown);
    }

    pub(crate) fn put(&self, payload: &str) {
        let put = Put { key: key(), payload: payload.as_bytes(), ttl: None };
        block_on(self.tiers.put(put)).unwrap();
        self.raise(self.redis().written(&a()));
    }

    pub(crate) fn load(&self) -> Payload {
        load(&self.tiers, &self.rows)
    }

    fn floor(&self) -> usize {
        self.floors.lock().unwrap().get(&a()).copied().unwrap_or(0)
    }

    fn raise(&self, version: usize) {
        let mut floors = self.floors.lock().unwrap();
        let floor = floors.entry(a()).or_default();
        *floor = version.max(*floor);
    }
}

pub(crate) fn join(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    for thread in threads {
        thread.join().unwrap();
    }
}

pub(crate) fn load<S: Store<Payload>>(tiers: &Tiers<Payload, S>, rows: &Rows) -> Payload {
    let load = Load { origin: rows, id: "a", ttl: MINUTE, negative_ttl: MINUTE };
    block_on(tiers.fetch_or_load(key(), load)).unwrap().value
}

pub(crate) fn engine() -> Arc<Engine<Payload>> {
    let near = NearConfig {
        bytes_max: 1 << 20,
        entries_max: 100,
        value_bytes_max: 1 << 10,
        policy: Policy::default(),
    };
    let config = EngineConfig {
        near,
        near_ttl: MINUTE,
        staleness_bound: MINUTE,
        keys: KeyFilter::default(),
    };
    Engine::new(&config, Clock::manual())
}

pub(crate) fn a() -> KeyId {
    (0, b"a".to_vec())
}

pub(crate) fn key() -> Key<'static> {
    Key::plain(b"a", 0)
}

pub(crate) fn text(value: &str) -> Payload {
    Payload::from_payload(value.as_bytes())
}

pub(crate) fn set(payload: &str) -> Command {
    Command::Set { key_id: a(), payload: text(payload), ttl: None, only_if_absent: false }
}
