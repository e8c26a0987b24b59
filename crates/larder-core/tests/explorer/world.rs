//! A Larder over a Redis, in threads of the explorer.

use crate::{
    origin::Rows,
    redis::{Heard, Redis},
    server::{Command, Payload, Place, Versions},
};
use larder_core::{
    Bypass, Clock, Engine, EngineConfig, Key, KeyFilter, Load, Store, Tiers, Value,
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

/// A Larder over a Redis, with a thread that is the Redis and one that reads what it says.
pub(crate) struct World {
    pub(crate) tiers: Arc<Tiers<Payload, Redis>>,
    pub(crate) rows: Arc<Rows>,
    /// What a reader who comes now may be shown at the earliest.
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
        while world.redis().execute() || world.hear() {}
        world.pumps = vec![
            world.spawn(|world| world.pump(|world| world.redis().execute())),
            world.spawn(|world| world.pump(World::hear)),
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

    /// When all clients are done, so is the feed. Then what is remembered is what Redis has.
    pub(crate) fn finish(mut self, clients: impl IntoIterator<Item = JoinHandle<()>>) -> Self {
        join(clients);
        self.over.store(true, SeqCst);
        join(self.pumps.drain(..));
        while self.redis().execute() || self.hear() {}
        if let Some(remembered) = self.tiers.get(key()) {
            assert_eq!(remembered.value, self.redis().keys(|keys| keys.newest(&a()).value.clone()));
        }
        assert_eq!(self.tiers.engine().counts().fills_under_way, 0, "a lease was left behind");
        self
    }

    fn pump(&self, step: impl Fn(&Self) -> bool) {
        while !self.over.load(SeqCst) {
            if !step(self) {
                thread::yield_now();
            }
        }
    }

    /// The tracked connection ends, and another begins, when this much has been heard on it.
    pub(crate) fn cut_after(&self, heard: usize) {
        *self.cut.lock().unwrap() = Some(heard);
    }

    fn hear(&self) -> bool {
        if self.is_cut_now() {
            self.redis().connect();
            self.redis().beat();
        }
        match self.redis().hear() {
            None => return false,
            Some(Heard::Push { versions, .. } | Heard::PushAll { versions }) => {
                self.raise(versions.get(&a()).copied().unwrap_or(0));
            }
            Some(Heard::FillOutcome | Heard::Beat { .. }) => {}
        }
        true
    }

    fn is_cut_now(&self) -> bool {
        let mut cut = self.cut.lock().unwrap();
        let now = *cut == Some(0);
        *cut = cut.and_then(|heard| heard.checked_sub(1));
        now
    }

    pub(crate) fn read(&self) {
        self.check(|| block_on(self.tiers.fetch(key())).unwrap().value);
    }

    pub(crate) fn read_twice(&self) {
        self.read();
        self.read();
    }

    pub(crate) fn read_past(&self) {
        self.check(|| block_on(self.tiers.bypass(key(), Bypass::Request)).unwrap().value);
    }

    /// What was read was there when the reader came, or later.
    fn check(&self, read: impl FnOnce() -> Payload) {
        let since = self.floor();
        let value = read();
        let Some(shown) = self.redis().version_of(&a(), since, &value) else {
            panic!("{value:?} is older than version {since}")
        };
        self.raise(shown);
    }

    pub(crate) fn put(&self, payload: &str) {
        block_on(self.tiers.put(b"a", 0, payload.as_bytes(), None)).unwrap();
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
    let plan = EngineConfig {
        near,
        near_ttl: MINUTE,
        staleness_bound: MINUTE,
        keys: KeyFilter::default(),
    };
    Engine::new(&plan, Clock::manual())
}

pub(crate) fn a() -> Place {
    (0, b"a".to_vec())
}

pub(crate) fn key() -> Key<'static> {
    Key::plain(b"a", 0)
}

pub(crate) fn text(value: &str) -> Payload {
    Payload::from_payload(value.as_bytes())
}

pub(crate) fn set(payload: &str) -> Command {
    Command::Set { place: a(), payload: text(payload), ttl: None, only_if_absent: false }
}
