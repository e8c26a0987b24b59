//! The promises of the engine under schedules that are picked at random: the shipped code, with the
//! explorer's locks and atomics in place of the real ones (see `sync.rs`).
//!
//! The threads are those of a running Larder: readers, a writer, the reader of the tracked
//! connection; and beside them a Redis and its other clients.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop where it fails")]
#![allow(clippy::panic, reason = "a test may stop where it fails")]

#[path = "support/origin.rs"]
#[allow(dead_code, reason = "each test takes the steps that it needs")]
mod origin;
#[path = "support/redis.rs"]
#[allow(dead_code, reason = "each test takes the steps that it needs")]
mod redis;
#[path = "support/server.rs"]
#[allow(dead_code, reason = "each test takes the steps that it needs")]
mod server;

use larder_core::{
    Bypass, Clock, Engine, EnginePlan, Key, Load, MapStore, Store, Tiers, Value,
    near::{NearPlan, Policy},
};
use origin::Rows;
use redis::{Heard, Redis};
use server::{Command, Payload, Place, Versions};
use shuttle::{
    future::block_on,
    rand::{Rng, thread_rng},
    thread::{self, JoinHandle},
};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

const SCHEDULES: usize = 5000;
/// How often a schedule departs from running the most urgent thread.
const DEPTH: usize = 3;
const MINUTE: Duration = Duration::from_mins(1);

fn explore(scenario: fn()) {
    shuttle::check_random(scenario, SCHEDULES);
    shuttle::check_pct(scenario, SCHEDULES, DEPTH);
}

#[test]
fn no_reader_goes_back_in_time() {
    explore(|| {
        let world = World::new();
        world.redis().other(&set("1"));
        let clients = [
            world.spawn(World::read_twice),
            world.spawn(World::read_twice),
            world.spawn(|world| {
                world.put("2");
                world.read_twice();
            }),
            world.spawn(|world| {
                world.redis().other(&set("3"));
                world.redis().other(&Command::Delete(a()));
                world.redis().other(&set("4"));
            }),
        ];
        world.finish(clients);
    });
}

#[test]
fn no_reader_goes_back_in_time_when_the_feed_is_cut() {
    explore(|| {
        let world = World::new();
        world.redis().other(&set("1"));
        world.cut_after(thread_rng().gen_range(0..6));
        let clients = [
            world.spawn(World::read_twice),
            world.spawn(|world| {
                world.put("2");
                world.read_twice();
            }),
            world.spawn(|world| {
                world.read();
                world.redis().other(&set("3"));
            }),
        ];
        world.finish(clients);
    });
}

#[test]
fn no_reader_goes_back_in_time_when_redis_is_flushed() {
    explore(|| {
        let world = World::new();
        world.redis().other(&set("1"));
        let clients = [
            world.spawn(World::read_twice),
            world.spawn(World::read_twice),
            world.spawn(|world| {
                world.redis().other(&Command::FlushAll);
                world.redis().other(&set("2"));
            }),
        ];
        world.finish(clients);
    });
}

#[test]
fn no_reader_goes_back_in_time_when_some_read_past_the_near_tier() {
    explore(|| {
        let world = World::new();
        world.redis().other(&set("1"));
        let clients = [
            world.spawn(World::read_twice),
            world.spawn(|world| {
                world.read_past();
                world.read();
            }),
            world.spawn(|world| world.redis().other(&set("2"))),
        ];
        world.finish(clients);
    });
}

#[test]
fn r16_the_origin_is_asked_once_for_all_who_come_at_the_same_time() {
    explore(|| {
        let world = World::new();
        world.rows.change("a", true);
        let loads = |world: &World| assert_eq!(world.load(), text("row 1"));
        let clients = [world.spawn(loads), world.spawn(loads), world.spawn(loads)];
        let world = world.finish(clients);
        assert_eq!(world.rows.asked(), 1);
    });
}

#[test]
fn r16_a_load_that_a_delete_overtook_leaves_nothing_behind() {
    explore(|| {
        let world = World::new();
        world.rows.change("a", true);
        let clients = [
            world.spawn(|world| drop(world.load())),
            world.spawn(|world| drop(world.load())),
            world.spawn(|world| {
                world.rows.change("a", true);
                block_on(world.tiers.delete(b"a", 0)).unwrap();
                let after = block_on(world.tiers.fetch(key())).unwrap();
                assert_ne!(after.value, text("row 1"));
                assert_eq!(world.load(), text("row 2"));
            }),
        ];
        let world = world.finish(clients);
        assert_ne!(world.redis().keys(|keys| keys.newest(&a()).value.clone()), text("row 1"));
        assert_ne!(world.tiers.look(key()).map(|hit| hit.value), Some(text("row 1")));
    });
}

#[test]
fn r16_over_a_map_no_one_sees_the_old_row_once_a_delete_is_done() {
    explore(|| {
        let (engine, rows) = (engine(), Arc::new(Rows::default()));
        let epoch = engine.begin_epoch();
        engine.feed().beat_for_ever(epoch);
        let map = MapStore::new(Clock::manual(), 1 << 20);
        let tiers = Arc::new(Tiers::new(engine, map));
        rows.change("a", true);
        let loader = || {
            let (tiers, rows) = (Arc::clone(&tiers), Arc::clone(&rows));
            thread::spawn(move || drop(load(&tiers, &rows)))
        };
        let loaders = [loader(), loader()];
        rows.change("a", true);
        block_on(tiers.delete(b"a", 0)).unwrap();
        assert_ne!(block_on(tiers.fetch(key())).unwrap().value, text("row 1"));
        assert_eq!(load(&tiers, &rows), text("row 2"));
        join(loaders);
        assert_eq!(load(&tiers, &rows), text("row 2"));
    });
}

#[test]
fn over_a_map_no_reader_goes_back_in_time() {
    explore(|| {
        let engine = engine();
        let epoch = engine.begin_epoch();
        engine.feed().beat_for_ever(epoch);
        let map = MapStore::new(Clock::manual(), 1 << 20);
        let tiers = Arc::new(Tiers::new(engine, map));
        let written = Arc::new(Mutex::new(0_u8));
        let read = |tiers: &Tiers<Payload, MapStore>, written: &Mutex<u8>| {
            let since = *written.lock().unwrap();
            let value = block_on(tiers.fetch(key())).unwrap().value;
            let shown = value.map_or(0, |value| value[0]);
            assert!(shown >= since, "{shown} after {since}");
            let mut seen = written.lock().unwrap();
            *seen = shown.max(*seen);
        };
        let reader = || {
            let (tiers, written) = (Arc::clone(&tiers), Arc::clone(&written));
            thread::spawn(move || (0..2).for_each(|_| read(&tiers, &written)))
        };
        let readers = [reader(), reader()];
        for version in 1..=2 {
            block_on(tiers.put(b"a", 0, &[version], None)).unwrap();
            *written.lock().unwrap() = version;
            read(&tiers, &written);
        }
        join(readers);
    });
}

/// A Larder over a Redis, with a thread that is the Redis and one that reads what it says.
struct World {
    tiers: Arc<Tiers<Payload, Redis>>,
    rows: Arc<Rows>,
    /// What a reader who comes now may be shown at the earliest.
    floors: Arc<Mutex<Versions>>,
    over: Arc<AtomicBool>,
    cut: Arc<Mutex<Option<usize>>>,
    pumps: Vec<JoinHandle<()>>,
}

impl World {
    fn new() -> Self {
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

    fn redis(&self) -> &Redis {
        self.tiers.store()
    }

    fn spawn(&self, run: impl FnOnce(&World) + Send + 'static) -> JoinHandle<()> {
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
    fn finish(mut self, clients: impl IntoIterator<Item = JoinHandle<()>>) -> Self {
        join(clients);
        self.over.store(true, SeqCst);
        join(self.pumps.drain(..));
        while self.redis().execute() || self.hear() {}
        if let Some(remembered) = self.tiers.look(key()) {
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
    fn cut_after(&self, heard: usize) {
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
            Some(Heard::Answer | Heard::Beat { .. }) => {}
        }
        true
    }

    fn is_cut_now(&self) -> bool {
        let mut cut = self.cut.lock().unwrap();
        let now = *cut == Some(0);
        *cut = cut.and_then(|heard| heard.checked_sub(1));
        now
    }

    fn read(&self) {
        self.check(|| block_on(self.tiers.fetch(key())).unwrap().value);
    }

    fn read_twice(&self) {
        self.read();
        self.read();
    }

    fn read_past(&self) {
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

    fn put(&self, payload: &str) {
        block_on(self.tiers.put(b"a", 0, payload.as_bytes(), None)).unwrap();
        self.raise(self.redis().written(&a()));
    }

    fn load(&self) -> Payload {
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

fn join(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    for thread in threads {
        thread.join().unwrap();
    }
}

fn load<S: Store<Payload>>(tiers: &Tiers<Payload, S>, rows: &Rows) -> Payload {
    let load = Load { origin: rows, id: "a", ttl: MINUTE, negative_ttl: MINUTE };
    block_on(tiers.fetch_or_load(key(), load)).unwrap().value
}

fn engine() -> Arc<Engine<Payload>> {
    let near = NearPlan {
        bytes_max: 1 << 20,
        entries_max: 100,
        value_bytes_max: 1 << 10,
        policy: Policy::default(),
    };
    let plan = EnginePlan { near, near_ttl: MINUTE, staleness_bound: MINUTE };
    Engine::new(&plan, Clock::manual())
}

fn a() -> Place {
    (0, b"a".to_vec())
}

fn key() -> Key<'static> {
    Key::get(b"a", 0)
}

fn text(value: &str) -> Payload {
    Payload::string(value.as_bytes())
}

fn set(payload: &str) -> Command {
    Command::Set { place: a(), payload: text(payload), ttl: None, only_if_absent: false }
}
