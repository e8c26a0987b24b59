//! A session without a socket: each test reads the commands and writes the replies by hand.

mod hashes;
mod multi_get;

use super::*;
use larder_core::{
    BoxFuture, Clock, EngineConfig, Fetched, FillOutcome, Found, Key, KeyFilter, Load, LoadedValue,
    NotCached, Origin, OriginError, Put, ReadStore, Tiers, Value, WriteGuard, WriteStore,
    near::{NearConfig, Policy},
};
use std::{
    future::Future,
    pin::Pin,
    sync::Mutex,
    task::{Context, Poll, Waker},
};

const BOUND: Duration = Duration::from_secs(1);

type Outcome = Result<Fetched<Reply>, FetchError>;
type Pending<'a> = Pin<Box<dyn Future<Output = Outcome> + 'a>>;

/// A store that only queues its fills and loaded values.
#[derive(Default)]
struct QueueStore {
    fills: Mutex<Vec<Fill<'static, Reply>>>,
    puts: Mutex<Vec<LoadedPut>>,
    deleted: Mutex<Vec<Vec<u8>>>,
}

impl ReadStore<Reply> for QueueStore {
    fn fill(&self, fill: Fill<'_, Reply>) -> FillOutcome<Reply> {
        let (fill, answer) = fill.defer();
        self.fills.lock().unwrap().push(fill);
        answer
    }

    async fn read(&self, _key: Key<'_>) -> Result<Reply, StoreError> {
        Ok(Reply::from_payload(b"read elsewhere"))
    }
}

impl WriteStore<Reply> for QueueStore {
    async fn put(&self, _: &WriteGuard<Reply>, _: Put<'_>) -> Result<(), StoreError> {
        Ok(())
    }

    async fn delete(&self, _: &WriteGuard<Reply>, _: Key<'_>) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn put_loaded(
        &self,
        load: &Fill<'_, Reply>,
        loaded: LoadedValue<'_>,
    ) -> Result<PutOutcome, StoreError> {
        let (answer, outcome) = oneshot::channel();
        let LoadedValue { key: Key { name, keyspace: db, .. }, payload, ttl } = loaded;
        let (name, payload, lease) = (name.into(), payload.into(), load.lease_view());
        self.puts.lock().unwrap().push(LoadedPut { name, db, payload, ttl, lease, answer });
        outcome.await.unwrap_or(Err(StoreError::Lost))
    }

    async fn delete_if_ours(
        &self,
        _: &WriteGuard<Reply>,
        loaded: LoadedValue<'_>,
    ) -> Result<(), StoreError> {
        self.deleted.lock().unwrap().push(loaded.key.name.to_vec());
        Ok(())
    }
}

/// An origin that returns a row for every id.
struct FixedOrigin;

impl Origin for FixedOrigin {
    fn name(&self) -> &'static str {
        "fixed"
    }

    fn load<'a>(
        &'a self,
        _id: &'a str,
    ) -> BoxFuture<'a, Result<Option<bytes::Bytes>, OriginError>> {
        Box::pin(async { Ok(Some("row".into())) })
    }
}

struct Fixture {
    clock: Clock,
    engine: Arc<Engine<Reply>>,
    tiers: Tiers<Reply, QueueStore>,
}

impl Fixture {
    fn new() -> Self {
        let near = NearConfig {
            bytes_max: 1 << 20,
            entries_max: 0,
            value_bytes_max: 1 << 10,
            policy: Policy::ClockPro,
        };
        let plan = EngineConfig {
            near,
            near_ttl: Duration::from_mins(5),
            staleness_bound: BOUND,
            keys: KeyFilter::default(),
        };
        let clock = Clock::manual();
        let engine = Engine::new(&plan, clock.clone());
        Self { clock, tiers: Tiers::new(Arc::clone(&engine), QueueStore::default()), engine }
    }

    /// Begins a session and answers its first heartbeat.
    fn session(&self) -> Session {
        let mut session = Session::begin(Arc::clone(&self.engine), 0, false);
        assert_eq!(written(|out| session.send_heartbeat(out).unwrap()), ["PING", "ROLE"]);
        answer_heartbeat(&mut session);
        session
    }

    /// Begins a fetch. The session sends its fill, if it needs one.
    fn fetch<'a>(&'a self, name: &'a str, session: &mut Session) -> Pending<'a> {
        let mut fetch: Pending<'a> = Box::pin(self.tiers.fetch(Key::plain(name.as_bytes(), 0)));
        assert!(poll(&mut fetch).is_none());
        self.send_fills(session);
        fetch
    }

    fn send_fills(&self, session: &mut Session) -> Vec<String> {
        let fills: Vec<_> = self.tiers.store().fills.lock().unwrap().drain(..).collect();
        written(|out| fills.into_iter().for_each(|fill| session.send(Request::Fill(fill), out)))
    }

    /// Caches a value.
    fn cache(&self, name: &str, value: &str, session: &mut Session) {
        let mut fetch = self.fetch(name, session);
        answer(session, &format!("${}\r\n{value}\r\n", value.len()));
        answer(session, ":-1\r\n");
        assert!(poll(&mut fetch).unwrap().is_ok());
        assert_eq!(self.hit(name).as_deref(), Some(value));
    }

    fn hit(&self, name: &str) -> Option<String> {
        self.tiers.get(Key::plain(name.as_bytes(), 0)).map(|hit| text(&hit.value))
    }
}

fn text(reply: &Reply) -> String {
    match reply.payload() {
        crate::Payload::String(text) => String::from_utf8_lossy(text).into_owned(),
        other => format!("{other:?}"),
    }
}

fn poll(future: &mut Pending<'_>) -> Option<Outcome> {
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => Some(outcome),
        Poll::Pending => None,
    }
}

/// Returns the commands that were written, their arguments joined by spaces.
fn written(write: impl FnOnce(&mut BytesMut)) -> Vec<String> {
    let mut out = BytesMut::new();
    write(&mut out);
    let mut commands = Vec::new();
    let mut scanner = larder_resp::reply::Scanner::new(larder_resp::Limits::default());
    while let Some(length) = scanner.scan(&out).unwrap() {
        let command = out.split_to(length);
        let words = Frame::parse(&command).unwrap().items().unwrap();
        let words =
            words.map(|it| String::from_utf8_lossy(it.as_str_bytes().unwrap()).into_owned());
        commands.push(words.collect::<Vec<_>>().join(" "));
    }
    commands
}

fn answer(session: &mut Session, frame: &str) {
    session.on_frame(frame.as_bytes()).unwrap();
}

fn answer_heartbeat(session: &mut Session) {
    answer(session, "+PONG\r\n");
    answer(session, "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n");
}

fn push(names: &[&str]) -> String {
    let bulk = |name: &&str| format!("${}\r\n{name}\r\n", name.len());
    let (count, names) = (names.len(), names.iter().map(bulk).collect::<Vec<_>>().concat());
    format!(">2\r\n$10\r\ninvalidate\r\n*{count}\r\n{names}")
}

#[test]
fn a_reply_is_cached_with_its_pttl() {
    let fixture = Fixture::new();
    let mut session = fixture.session();
    let mut fetch = Box::pin(fixture.tiers.fetch(Key::plain(b"k", 0))) as Pending<'_>;
    assert!(poll(&mut fetch).is_none());
    assert_eq!(fixture.send_fills(&mut session), ["GET k", "PTTL k"]);
    answer(&mut session, "$1\r\nv\r\n");
    assert!(poll(&mut fetch).is_none(), "the PTTL is still to come");
    answer(&mut session, ":500\r\n");
    let fetched = poll(&mut fetch).unwrap().unwrap();
    assert!(matches!(fetched.found, Found::Store { cached: Ok(_) }));
    assert_eq!(fixture.hit("k").as_deref(), Some("v"));
    fixture.clock.advance(Duration::from_millis(499));
    assert_eq!(fixture.hit("k"), None, "the entry expires before the key");
}

#[test]
fn r6_a_push_between_reply_and_pttl_keeps_the_reply_out_of_the_cache() {
    let fixture = Fixture::new();
    let mut session = fixture.session();
    let mut fetch = fixture.fetch("k", &mut session);
    answer(&mut session, "$3\r\nold\r\n");
    answer(&mut session, &push(&["k"]));
    answer(&mut session, ":-1\r\n");
    let fetched = poll(&mut fetch).unwrap().unwrap();
    assert_eq!(fetched.found, Found::Store { cached: Err(NotCached::LeaseInvalidated) });
    assert_eq!(fixture.hit("k"), None);
}

#[test]
fn a_push_before_the_reply_keeps_it_out_of_the_cache() {
    let fixture = Fixture::new();
    let mut session = fixture.session();
    let mut fetch = fixture.fetch("k", &mut session);
    answer(&mut session, &push(&["k"]));
    answer(&mut session, "$1\r\nv\r\n");
    answer(&mut session, ":-1\r\n");
    assert!(poll(&mut fetch).unwrap().is_ok());
    assert_eq!(fixture.hit("k"), None);
}

#[test]
fn a_push_invalidates_every_name_in_it() {
    let fixture = Fixture::new();
    let mut session = fixture.session();
    for name in ["a", "b", "c", "d"] {
        fixture.cache(name, "v", &mut session);
    }
    answer(&mut session, &push(&["a", "b", "c"]));
    assert_eq!([fixture.hit("a"), fixture.hit("b"), fixture.hit("c")], [None, None, None]);
    assert!(fixture.hit("d").is_some());
}

#[test]
fn r9_a_null_push_invalidates_everything() {
    let fixture = Fixture::new();
    let mut session = fixture.session();
    fixture.cache("a", "v", &mut session);
    let mut fetch = fixture.fetch("b", &mut session);
    answer(&mut session, ">2\r\n$10\r\ninvalidate\r\n_\r\n");
    assert_eq!(fixture.hit("a"), None);
    answer(&mut session, "$1\r\nv\r\n");
    answer(&mut session, ":-1\r\n");
    assert!(poll(&mut fetch).unwrap().is_ok());
    assert_eq!(fixture.hit("b"), None, "a fill in flight is not cached either");
}

#[test]
fn unexpected_frames_end_the_epoch() {
    for frame in [
        ">2\r\n$10\r\ninvalidate\r\n:1\r\n",
        ">2\r\n$10\r\ninvalidate\r\n*1\r\n:1\r\n",
        ">1\r\n$10\r\ninvalidate\r\n",
        "+OK\r\n",
    ] {
        let fixture = Fixture::new();
        let mut session = fixture.session();
        let end = session.on_frame(frame.as_bytes()).unwrap_err();
        assert!(matches!(end, EpochEnd::Protocol(_)), "{frame:?}: {end:?}");
    }
}

#[test]
fn pushes_of_other_kinds_are_ignored() {
    let fixture = Fixture::new();
    let mut session = fixture.session();
    fixture.cache("a", "v", &mut session);
    answer(&mut session, ">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\na\r\n");
    assert!(fixture.hit("a").is_some());
}

#[test]
fn r7_the_end_of_the_session_invalidates_its_entries() {
    let fixture = Fixture::new();
    let mut session = fixture.session();
    fixture.cache("a", "v", &mut session);
    let mut fetch = fixture.fetch("b", &mut session);
    drop(session);
    assert_eq!(fixture.hit("a"), None);
    let fetched = poll(&mut fetch).unwrap().unwrap();
    assert_eq!(text(&fetched.value), "read elsewhere");
    let _session = fixture.session();
    assert_eq!(fixture.hit("a"), None, "the next epoch does not serve them either");
}

#[test]
fn r8_a_role_other_than_master_ends_the_epoch() {
    let fixture = Fixture::new();
    let mut session = fixture.session();
    fixture.clock.advance(BOUND / 2);
    assert_eq!(written(|out| session.send_heartbeat(out).unwrap()), ["PING", "ROLE"]);
    answer(&mut session, "+PONG\r\n");
    let slave = "*5\r\n$5\r\nslave\r\n$1\r\nh\r\n:1\r\n$7\r\nconnect\r\n:-1\r\n";
    assert_eq!(session.on_frame(slave.as_bytes()), Err(EpochEnd::Role("slave".into())));
}

#[test]
fn r8_errors_of_a_node_that_does_not_serve_end_the_epoch() {
    for error in ["LOADING x", "MASTERDOWN x", "READONLY x", "CLUSTERDOWN x"] {
        let fixture = Fixture::new();
        let mut session = fixture.session();
        let mut fetch = fixture.fetch("k", &mut session);
        let end = session.on_frame(format!("-{error}\r\n").as_bytes()).unwrap_err();
        assert_eq!(end, EpochEnd::NotReady(error.into()));
        assert!(poll(&mut fetch).is_some(), "the waiter reads elsewhere");
    }
}

#[test]
fn other_errors_reach_the_reader_and_nothing_is_kept() {
    let fixture = Fixture::new();
    let mut session = fixture.session();
    let mut fetch = fixture.fetch("k", &mut session);
    answer(&mut session, "-WRONGTYPE no string\r\n");
    answer(&mut session, ":-1\r\n");
    let error = poll(&mut fetch).unwrap().unwrap_err();
    assert_eq!(error, FetchError::Store(StoreError::Refused("WRONGTYPE no string".into())));
    fixture.cache("k", "later", &mut session);
}

#[test]
fn r8_a_late_heartbeat_suspends_hits_and_an_answer_resumes_them() {
    let fixture = Fixture::new();
    let mut session = fixture.session();
    fixture.cache("a", "v", &mut session);
    fixture.clock.advance(BOUND.saturating_sub(Duration::from_millis(1)));
    assert!(fixture.hit("a").is_some());
    assert_eq!(written(|out| session.send_heartbeat(out).unwrap()), ["PING", "ROLE"]);
    fixture.clock.advance(Duration::from_millis(1));
    assert_eq!(fixture.hit("a"), None);
    answer_heartbeat(&mut session);
    assert_eq!(fixture.hit("a").as_deref(), Some("v"));
}

#[test]
fn a_fill_fails_after_the_staleness_bound() {
    let fixture = Fixture::new();
    let mut session = fixture.session();
    let mut early = fixture.fetch("early", &mut session);
    fixture.clock.advance(BOUND / 2);
    written(|out| session.send_heartbeat(out).unwrap());
    answer_before_heartbeat(&mut session, &["$1\r\nx\r\n"]);
    assert!(poll(&mut early).is_none(), "its PTTL is still to come, and it is not overdue");
    fixture.clock.advance(BOUND);
    written(|out| session.send_heartbeat(out).unwrap());
    assert_eq!(text(&poll(&mut early).unwrap().unwrap().value), "read elsewhere");
    answer(&mut session, ":-1\r\n");
    assert_eq!(fixture.hit("early"), None);
}

/// Answers the commands before the heartbeat, but not the heartbeat.
fn answer_before_heartbeat(session: &mut Session, frames: &[&str]) {
    for frame in frames {
        answer(session, frame);
    }
}

#[test]
fn silence_ends_the_epoch_but_a_pause_of_this_process_does_not() {
    let fixture = Fixture::new();
    let mut session = fixture.session();
    fixture.clock.advance(BOUND * 5);
    written(|out| session.send_heartbeat(out).unwrap());
    session.on_receive();
    fixture.clock.advance(BOUND / 2);
    written(|out| session.send_heartbeat(out).unwrap());
    fixture.clock.advance(BOUND * 5);
    written(|out| session.send_heartbeat(out).unwrap());
    fixture.clock.advance(BOUND / 2);
    let end = session.send_heartbeat(&mut BytesMut::new()).unwrap_err();
    assert!(matches!(end, EpochEnd::Silent(_)), "{end:?}");
}

#[test]
fn a_failed_select_ends_the_epoch_before_a_value_of_another_db_is_cached() {
    let fixture = Fixture::new();
    let mut session = fixture.session();
    let mut fetch: Pending<'_> = Box::pin(fixture.tiers.fetch(Key::plain(b"k", 7)));
    assert!(poll(&mut fetch).is_none());
    fixture.send_fills(&mut session);
    let end = session.on_frame(b"-ERR DB index is out of range\r\n").unwrap_err();
    assert_eq!(end, EpochEnd::NotReady("ERR DB index is out of range".into()));
}

#[test]
fn a_fill_in_another_db_selects_it() {
    let fixture = Fixture::new();
    let mut session = fixture.session();
    let mut fetch = Box::pin(fixture.tiers.fetch(Key::plain(b"k", 7))) as Pending<'_>;
    assert!(poll(&mut fetch).is_none());
    assert_eq!(fixture.send_fills(&mut session), ["SELECT 7", "GET k", "PTTL k"]);
    for frame in ["+OK\r\n", "$1\r\nv\r\n", ":-1\r\n"] {
        answer(&mut session, frame);
    }
    assert!(poll(&mut fetch).unwrap().is_ok());
    assert_eq!(fixture.hit("k"), None, "another db");
    assert!(fixture.tiers.get(Key::plain(b"k", 7)).is_some());
    let mut fetch = fixture.fetch("k", &mut session);
    for frame in ["+OK\r\n", "$1\r\nw\r\n", ":-1\r\n"] {
        answer(&mut session, frame);
    }
    assert!(poll(&mut fetch).unwrap().is_ok());
    answer(&mut session, &push(&["k"]));
    assert_eq!(fixture.hit("k"), None, "a push names no db (R10)");
    assert!(fixture.tiers.get(Key::plain(b"k", 7)).is_none());
}

/// Runs a load until the session has sent its put.
fn load_until_put<'a>(fixture: &'a Fixture, session: &mut Session) -> Pending<'a> {
    let load = Load {
        origin: &FixedOrigin,
        id: "1",
        ttl: Duration::from_mins(1),
        negative_ttl: Duration::from_secs(1),
    };
    let mut loading: Pending<'a> = Box::pin(fixture.tiers.fetch_or_load(Key::plain(b"k", 0), load));
    assert!(poll(&mut loading).is_none());
    assert_eq!(fixture.send_fills(session), ["GET k", "PTTL k"]);
    answer(session, "_\r\n");
    answer(session, ":-2\r\n");
    assert!(poll(&mut loading).is_none());
    let put = fixture.tiers.store().puts.lock().unwrap().pop().unwrap();
    let commands = written(|out| session.send(Request::Put(put), out));
    assert_eq!(commands, ["SET k row NX GET PX 60000", "PING"]);
    loading
}

#[test]
fn r16_a_load_is_put_fenced_read_again_and_cached() {
    let fixture = Fixture::new();
    let mut session = fixture.session();
    let mut loading = load_until_put(&fixture, &mut session);
    answer(&mut session, "_\r\n");
    answer(&mut session, &push(&["k"]));
    assert!(poll(&mut loading).is_none(), "the fence is still to come");
    answer(&mut session, "+PONG\r\n");
    assert!(poll(&mut loading).is_none());
    assert_eq!(fixture.send_fills(&mut session), ["GET k", "PTTL k"]);
    answer(&mut session, "$3\r\nrow\r\n");
    answer(&mut session, ":59999\r\n");
    let fetched = poll(&mut loading).unwrap().unwrap();
    assert!(matches!(fetched.found, Found::Store { cached: Ok(_) }), "{fetched:?}");
    assert_eq!(fixture.hit("k").as_deref(), Some("row"));
    assert!(fixture.tiers.store().deleted.lock().unwrap().is_empty());
}

#[test]
fn r16_a_change_before_the_put_deletes_it() {
    let fixture = Fixture::new();
    let mut session = fixture.session();
    let mut loading = load_until_put(&fixture, &mut session);
    answer(&mut session, &push(&["k"]));
    answer(&mut session, "_\r\n");
    answer(&mut session, "+PONG\r\n");
    let fetched = poll(&mut loading).unwrap().unwrap();
    assert_eq!(text(&fetched.value), "row", "a request from before the change may get it");
    assert_eq!(fixture.hit("k"), None);
    assert_eq!(*fixture.tiers.store().deleted.lock().unwrap(), [b"k"]);
}

#[test]
fn r16_a_put_that_found_a_value_deletes_nothing() {
    for there in ["$3\r\nrow\r\n", "$0\r\n\r\n"] {
        let fixture = Fixture::new();
        let mut session = fixture.session();
        let mut loading = load_until_put(&fixture, &mut session);
        answer(&mut session, &push(&["k"]));
        answer(&mut session, there);
        answer(&mut session, "+PONG\r\n");
        assert_eq!(text(&poll(&mut loading).unwrap().unwrap().value), "row");
        assert!(fixture.tiers.store().deleted.lock().unwrap().is_empty());
    }
}

#[test]
fn r16_a_put_whose_connection_ends_is_deleted() {
    let fixture = Fixture::new();
    let mut session = fixture.session();
    let mut loading = load_until_put(&fixture, &mut session);
    drop(session);
    assert!(poll(&mut loading).unwrap().is_ok());
    assert_eq!(*fixture.tiers.store().deleted.lock().unwrap(), [b"k"]);
}

#[test]
fn a_fence_is_answered_after_every_push() {
    let fixture = Fixture::new();
    let mut session = fixture.session();
    fixture.cache("a", "v", &mut session);
    let (answer_to, mut applied) = oneshot::channel();
    assert_eq!(written(|out| session.send(Request::Fence(answer_to), out)), ["PING"]);
    answer(&mut session, &push(&["a"]));
    assert!(applied.try_recv().is_err());
    answer(&mut session, "+PONG\r\n");
    assert!(applied.try_recv().is_ok());
    assert_eq!(fixture.hit("a"), None);
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("key:{number}")).collect()
}

#[test]
fn fills_wait_for_replies_while_heartbeats_and_fences_are_sent() {
    let fixture = Fixture::new();
    let mut session = fixture.session();
    let names = names(100);
    let fetches = names.iter().map(|name| {
        let mut fetch: Pending<'_> = Box::pin(fixture.tiers.fetch(Key::plain(name.as_bytes(), 0)));
        assert!(poll(&mut fetch).is_none());
        fetch
    });
    let mut fetches: Vec<_> = fetches.collect();
    assert_eq!(fixture.send_fills(&mut session).len(), 2 * 32, "each with its PTTL");
    let (fence, _applied) = oneshot::channel();
    assert_eq!(written(|out| session.send(Request::Fence(fence), out)), ["PING"]);
    fixture.clock.advance(BOUND / 2);
    assert_eq!(written(|out| session.send_heartbeat(out).unwrap()), ["PING", "ROLE"]);
    assert!(written(|out| session.send_waiting(out)).is_empty());
    answer(&mut session, "$1\r\nx\r\n");
    answer(&mut session, ":-1\r\n");
    assert!(poll(&mut fetches[0]).is_some());
    assert_eq!(written(|out| session.send_waiting(out))[0], "GET key:32");
}

#[test]
fn a_fill_that_waits_fails_only_when_heartbeats_are_late() {
    let fixture = Fixture::new();
    let mut session = fixture.session();
    let names = names(33);
    let mut fetches: Vec<_> = names.iter().map(|name| fixture.fetch(name, &mut session)).collect();
    let waiting = fetches.last_mut().unwrap();
    // Heartbeats are answered in time, as if replies kept coming.
    for _ in 0..8 {
        fixture.clock.advance(BOUND / 4);
        fixture.engine.feed().heartbeat(session.epoch, fixture.clock.now());
        written(|out| session.send_heartbeat(out).unwrap());
    }
    assert!(poll(waiting).is_none());
    fixture.clock.advance(BOUND);
    written(|out| session.send_heartbeat(out).unwrap());
    assert_eq!(text(&poll(waiting).unwrap().unwrap().value), "read elsewhere");
}
