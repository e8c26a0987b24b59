//! Larder, a Redis, an origin and a clock, every step of which is taken by the test. After each
//! step every promise is checked.

mod promises;

use crate::{
    origin::Rows,
    redis::{Heard, Redis},
    server::{Command, Payload, Place, Versions},
};
use larder_core::{
    Bypass, Clock, Engine, EngineConfig, EngineCounts, FetchError, Fetched, Found, Key, KeyFilter,
    Load, Moment, NotCached, Tiers, Value,
    near::{NearConfig, Policy},
};
use std::{collections::BTreeMap, future::Future, pin::Pin, sync::Arc, time::Duration};

use promises::floor;

pub(crate) type FetchResult = Result<Fetched<Payload>, FetchError>;

pub(crate) const BOUND: Duration = Duration::from_millis(20);
pub(crate) const NEAR_TTL: Duration = Duration::from_millis(100);
pub(crate) const VALUE_BYTES_MAX: usize = 256;
/// What the store keeps of the origin, and what the near tier keeps of its refusals.
pub(crate) const LOAD_TTL: Duration = Duration::from_millis(30);
pub(crate) const NEGATIVE_TTL: Duration = Duration::from_millis(10);

pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) tiers: Arc<Tiers<Payload, Redis>>,
    pub(crate) rows: Arc<Rows>,
    /// What a reader who comes now may be shown at the earliest.
    floors: Versions,
    row_floors: BTreeMap<Place, usize>,
    /// The newest heartbeat that was answered in this epoch.
    beat: Option<(Moment, Versions)>,
    readers: Vec<Reader>,
    writers: Vec<Writer>,
    outcomes: Vec<Option<FetchResult>>,
}

struct Reader {
    number: usize,
    place: Place,
    loads: bool,
    /// The floors when it came.
    since: usize,
    row_since: usize,
    future: Pin<Box<dyn Future<Output = FetchResult>>>,
}

struct Writer {
    place: Place,
    /// The origin's row when it began.
    row: usize,
    future: Pin<Box<dyn Future<Output = ()>>>,
}

impl World {
    /// Connected to a Redis, with a feed that is fresh.
    pub(crate) fn fresh() -> Self {
        let mut world = Self::new();
        world.connect();
        world
    }

    /// Not connected yet.
    pub(crate) fn new() -> Self {
        let clock = Clock::manual();
        let near = NearConfig {
            bytes_max: 1 << 20,
            entries_max: 0,
            value_bytes_max: VALUE_BYTES_MAX,
            policy: Policy::default(),
        };
        let plan = EngineConfig {
            near,
            near_ttl: NEAR_TTL,
            staleness_bound: BOUND,
            keys: KeyFilter::default(),
        };
        let engine = Engine::new(&plan, clock.clone());
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

    // What readers and writers of this Larder do.

    /// A hit, or nothing.
    pub(crate) fn get(&mut self, place: &Place) -> Option<Payload> {
        let hit = self.tiers.get(key(place))?;
        assert!(matches!(hit.found, Found::Near(until) if self.clock.now() < until));
        self.check_hit(place, &hit.value);
        Some(hit.value)
    }

    /// Begins a fetch. Gives the reader's number.
    pub(crate) fn fetch(&mut self, place: &Place) -> usize {
        let (tiers, place_there) = (Arc::clone(&self.tiers), place.clone());
        self.read(place, false, async move { tiers.fetch(key(&place_there)).await })
    }

    /// Begins a fetch that asks the origin when the store has none.
    pub(crate) fn load(&mut self, place: &Place) -> usize {
        let (tiers, rows) = (Arc::clone(&self.tiers), Arc::clone(&self.rows));
        let place_there = place.clone();
        self.read(place, true, async move {
            let id = id(&place_there);
            let load = Load { origin: &*rows, id: &id, ttl: LOAD_TTL, negative_ttl: NEGATIVE_TTL };
            tiers.fetch_or_load(key(&place_there), load).await
        })
    }

    fn read(
        &mut self,
        place: &Place,
        loads: bool,
        future: impl Future<Output = FetchResult> + 'static,
    ) -> usize {
        let number = self.outcomes.len();
        self.outcomes.push(None);
        let since = floor(&self.floors, place);
        let row_since = floor(&self.row_floors, place);
        let (place, future) = (place.clone(), Box::pin(future));
        self.readers.push(Reader { number, place, loads, since, row_since, future });
        self.poll();
        number
    }

    /// Begins a read past the near tier, as somebody asked for it.
    pub(crate) fn read_past(&mut self, place: &Place) -> usize {
        let (tiers, place_there) = (Arc::clone(&self.tiers), place.clone());
        self.read(
            place,
            false,
            async move { tiers.bypass(key(&place_there), Bypass::Request).await },
        )
    }

    /// What a reader got.
    pub(crate) fn outcome(&self, reader: usize) -> &FetchResult {
        self.outcomes[reader].as_ref().expect("the reader is done")
    }

    pub(crate) fn is_waiting(&self, reader: usize) -> bool {
        self.outcomes[reader].is_none()
    }

    /// A reader leaves before it is done.
    pub(crate) fn leave(&mut self, at: usize) {
        if at < self.readers.len() {
            drop(self.readers.remove(at));
        }
        self.poll();
    }

    /// Begins a put through this Larder.
    pub(crate) fn put(&mut self, place: &Place, payload: &str, ttl: Option<Duration>) {
        let (tiers, (db, name)) = (Arc::clone(&self.tiers), place.clone());
        let payload = payload.to_owned();
        self.write(place, async move {
            tiers.put(&name, db, payload.as_bytes(), ttl).await.expect("Redis does as told");
        });
    }

    /// Begins a delete through this Larder.
    pub(crate) fn delete(&mut self, place: &Place) {
        let (tiers, (db, name)) = (Arc::clone(&self.tiers), place.clone());
        self.write(place, async move {
            tiers.delete(&name, db).await.expect("Redis does as told");
        });
    }

    fn write(&mut self, place: &Place, future: impl Future<Output = ()> + 'static) {
        let row = self.rows.newest(&id(place));
        self.writers.push(Writer { place: place.clone(), row, future: Box::pin(future) });
        self.poll();
    }

    /// Whether a put or a delete is not done yet.
    pub(crate) fn is_writing(&self) -> bool {
        !self.writers.is_empty()
    }

    // What the others do.

    pub(crate) fn other(&mut self, command: &Command) {
        self.redis().other(command);
        self.poll();
    }

    pub(crate) fn other_sets(&mut self, place: &Place, payload: &str, ttl: Option<Duration>) {
        let (place, payload) = (place.clone(), Some(payload.as_bytes().into()));
        self.other(&Command::Set { place, payload, ttl, only_if_absent: false });
    }

    pub(crate) fn connect(&mut self) {
        self.cut(0);
        self.redis().connect();
        self.beat_and_hear();
    }

    pub(crate) fn cut(&mut self, executed: usize) {
        self.redis().cut(executed);
        self.beat = None;
        self.poll();
    }

    pub(crate) fn beat(&mut self) {
        self.redis().beat();
    }

    pub(crate) fn beat_and_hear(&mut self) {
        self.beat();
        self.execute_and_hear_all();
    }

    pub(crate) fn execute(&mut self) -> bool {
        self.redis().execute()
    }

    /// The reader of the tracked connection takes one thing. False when there is none.
    pub(crate) fn hear(&mut self) -> bool {
        let Some(heard) = self.redis().hear() else { return false };
        match heard {
            Heard::FillOutcome => {}
            Heard::Beat { sent, versions } => self.beat = Some((sent, versions)),
            Heard::Push { name, versions } => {
                self.raise(versions.into_iter().filter(|((_, of), _)| *of == name));
            }
            Heard::PushAll { versions } => self.raise(versions),
        }
        self.poll();
        true
    }

    pub(crate) fn execute_and_hear_all(&mut self) {
        while self.execute() || self.hear() {}
    }

    pub(crate) fn run_call(&mut self, at: usize) {
        self.redis().run_call(at);
    }

    /// A reply of the plain connection arrives. False when there is none.
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

pub(crate) fn key(place: &Place) -> Key<'_> {
    Key::plain(&place.1, place.0)
}

/// What the origin calls it.
pub(crate) fn id(place: &Place) -> String {
    format!("{}/{}", place.0, String::from_utf8_lossy(&place.1))
}

/// The place of most scripts.
pub(crate) fn a() -> Place {
    (0, b"a".to_vec())
}

pub(crate) fn text(value: &str) -> Payload {
    Payload::from_payload(value.as_bytes())
}

pub(crate) fn value(world: &World, reader: usize) -> Payload {
    world.outcome(reader).as_ref().unwrap().value.clone()
}

pub(crate) fn kept(world: &World, reader: usize) -> Result<(), NotCached> {
    match world.outcome(reader).as_ref().unwrap().found {
        Found::Store { cached } => cached.map(drop),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn in_redis(world: &World) -> Payload {
    world.redis().keys(|keys| keys.newest(&a()).value.clone())
}
