//! Reads of hashes on a server whose fields can expire.

use super::*;
use larder_resp::{command::Table, request::Decoder};

/// `INFO keyspace` with one database: its number, keys with a TTL, keys with such fields.
fn counts(db: u32, keys: u32, fields: u32) -> String {
    let text =
        format!("# Keyspace\r\ndb{db}:keys=9,expires={keys},avg_ttl=0,subexpiry={fields}\r\n");
    format!("={}\r\ntxt:{text}\r\n", text.len() + 4)
}

/// Returns the variant and the key of a read.
fn encoded(line: &str) -> (Vec<u8>, Vec<u8>) {
    let words: Vec<_> = line.split(' ').map(str::as_bytes).collect();
    let mut sent = BytesMut::new();
    write_command(&mut sent, &words);
    let mut decoder = Decoder::new(larder_resp::Limits::default());
    let command = decoder.decode(&sent).unwrap().command.unwrap();
    let mut variant = Vec::new();
    let name = Table::builtin().spec(&command).encode_read(&command, &mut variant).unwrap();
    (variant, name.to_vec())
}

/// A session whose server has field TTLs, and the reads of a test.
struct Hashes<'a> {
    fixture: &'a Fixture,
    session: Session,
}

impl<'a> Hashes<'a> {
    fn new(fixture: &'a Fixture) -> Self {
        let mut session = Session::begin(Arc::clone(&fixture.engine), 0, true);
        written(|out| session.send_heartbeat(out).unwrap());
        answer_heartbeat(&mut session);
        Self { fixture, session }
    }

    /// A session that has learnt that keys of database 0 have, or have not, TTLs and fields with
    /// TTLs.
    fn counted(fixture: &'a Fixture, keys: u32, fields: u32) -> Self {
        let mut hashes = Self::new(fixture);
        hashes.session.counts.require();
        assert_eq!(hashes.questions(), ["INFO keyspace"]);
        hashes.answer(&[&counts(0, keys, fields)]);
        hashes
    }

    /// Begins reads. Returns them with the commands that were sent in one write.
    fn read<const N: usize>(&mut self, lines: [&str; N]) -> ([Pending<'a>; N], Vec<String>) {
        let reads = lines.map(|line| self.start(line, 0));
        let mut commands = self.fixture.send_fills(&mut self.session);
        commands.extend(self.questions());
        (reads, commands)
    }

    fn start(&self, line: &str, keyspace: u32) -> Pending<'a> {
        let fixture = self.fixture;
        let (variant, name) = encoded(line);
        let mut read: Pending<'a> = Box::pin(async move {
            fixture.tiers.fetch(Key { name: &name, keyspace, variant: &variant }).await
        });
        assert!(poll(&mut read).is_none(), "{line} is not cached");
        read
    }

    /// Returns the questions that the session sends now.
    fn questions(&mut self) -> Vec<String> {
        written(|out| self.session.send_questions(out))
    }

    fn answer(&mut self, frames: &[&str]) {
        for frame in frames {
            answer(&mut self.session, frame);
        }
    }

    /// Returns for how long an answered read is cached, or why it is not.
    fn cached(&self, read: &mut Pending<'_>) -> Result<Duration, NotCached> {
        let now = self.fixture.clock.now();
        match poll(read).expect("an outcome").unwrap().found {
            Found::Store { cached } => cached.map(|until| until.since(now)),
            other => panic!("{other:?}"),
        }
    }

    fn is_cached(&self, line: &str) -> bool {
        let (variant, name) = encoded(line);
        let key = Key { name: &name, keyspace: 0, variant: &variant };
        self.fixture.tiers.get(key).is_some()
    }
}

const MS: Duration = Duration::from_millis(1);

#[test]
fn r6_the_counts_are_asked_once_behind_all_reads_of_a_batch() {
    let fixture = Fixture::new();
    let mut hashes = Hashes::new(&fixture);
    let ([mut all, mut one], commands) = hashes.read(["HGETALL h", "HGET g f"]);
    assert_eq!(commands, ["HGETALL h", "PTTL h", "HGET g f", "PTTL g", "INFO keyspace"]);
    hashes.answer(&["%1\r\n+f\r\n+v\r\n", ":-1\r\n", "+v\r\n", ":500\r\n"]);
    assert!(poll(&mut all).is_none(), "a field may have a TTL");
    hashes.answer(&[&counts(0, 1, 0)]);
    assert!(hashes.cached(&mut all).is_ok());
    assert_eq!(hashes.cached(&mut one), Ok(499 * MS));
    assert_eq!(hashes.questions(), [""; 0]);
}

#[test]
fn r6_nothing_but_the_counts_is_asked_where_nothing_could_expire() {
    let fixture = Fixture::new();
    let mut hashes = Hashes::counted(&fixture, 0, 0);
    let ([mut read, mut string], commands) = hashes.read(["HGETALL h", "GET s"]);
    assert_eq!(commands, ["HGETALL h", "GET s", "PTTL s", "INFO keyspace"]);
    hashes.answer(&["%1\r\n+f\r\n+v\r\n", "+v\r\n", ":-1\r\n"]);
    assert!(hashes.cached(&mut string).is_ok(), "strings have no fields");
    assert!(poll(&mut read).is_none());
    hashes.answer(&[&counts(0, 0, 0)]);
    assert!(hashes.cached(&mut read).is_ok());
}

#[test]
fn r6_a_read_is_sent_again_if_keys_expire_by_now() {
    let fixture = Fixture::new();
    let mut hashes = Hashes::counted(&fixture, 0, 0);
    let ([mut read], _) = hashes.read(["HGET h f"]);
    hashes.answer(&["+old\r\n", &counts(0, 1, 0)]);
    assert_eq!(hashes.questions(), ["HGET h f", "PTTL h", "INFO keyspace"]);
    hashes.answer(&["+new\r\n", ":50\r\n", &counts(0, 1, 0)]);
    assert_eq!(hashes.cached(&mut read), Ok(49 * MS));
}

#[test]
fn r6_the_fields_are_asked_if_one_can_expire_by_now() {
    for keys in [0, 1] {
        let fixture = Fixture::new();
        let mut hashes = Hashes::counted(&fixture, 1, 0);
        let ([mut all, mut one], _) = hashes.read(["HGETALL h", "HMGET h f g"]);
        hashes.answer(&[
            "%2\r\n+f\r\n+v\r\n+g\r\n+v\r\n",
            ":-1\r\n",
            "*2\r\n+v\r\n+v\r\n",
            ":80\r\n",
        ]);
        hashes.answer(&[&counts(0, keys, 1)]);
        let question = "HPTTL h FIELDS 2 f g";
        assert_eq!(hashes.questions(), [question, question]);
        hashes.answer(&["*2\r\n:-1\r\n:60\r\n", "*2\r\n:-1\r\n:90\r\n"]);
        assert_eq!(hashes.cached(&mut all), Ok(59 * MS));
        assert_eq!(hashes.cached(&mut one), Ok(79 * MS), "the key's is shorter");
    }
}

#[test]
fn r6_named_fields_are_asked_with_the_read_where_fields_expire() {
    let fixture = Fixture::new();
    let mut hashes = Hashes::counted(&fixture, 1, 1);
    for (line, reply, ttls, until) in [
        ("HGET a f", "+v\r\n", "*1\r\n:70\r\n", Ok(69)),
        ("HEXISTS b f", ":1\r\n", "*1\r\n:70\r\n", Ok(69)),
        ("HSTRLEN c f", ":1\r\n", "*1\r\n:70\r\n", Ok(69)),
        ("HMGET d f g", "*2\r\n+v\r\n_\r\n", "*2\r\n:70\r\n:-2\r\n", Ok(69)),
        ("HGET e f", "+v\r\n", "*1\r\n:-2\r\n", Err(NotCached::TtlGone)),
        ("HGET g f", "+v\r\n", "*1\r\n:0\r\n", Err(NotCached::TtlGone)),
        ("HGET i f", "+v\r\n", "*0\r\n", Err(NotCached::TtlUnknown)),
    ] {
        let ([mut read], commands) = hashes.read([line]);
        let (command, name) = (line.split(' ').next().unwrap(), line.split(' ').nth(1).unwrap());
        let fields: Vec<_> = line.split(' ').skip(2).collect();
        let question = format!("HPTTL {name} FIELDS {} {}", fields.len(), fields.join(" "));
        assert_eq!(commands, [line, &format!("PTTL {name}"), &question], "{command}");
        hashes.answer(&[reply, ":-1\r\n"]);
        assert!(poll(&mut read).is_none());
        hashes.answer(&[ttls]);
        assert_eq!(hashes.cached(&mut read), until.map(|ms: u32| ms * MS), "{line}");
    }
    fixture.clock.advance(68 * MS);
    assert!(hashes.is_cached("HGET a f"));
    fixture.clock.advance(MS);
    assert!(!hashes.is_cached("HGET a f"), "the field's deadline has passed");
}

#[test]
fn r6_all_fields_are_asked_once_the_reply_has_named_them() {
    let fixture = Fixture::new();
    let mut hashes = Hashes::counted(&fixture, 0, 1);
    for (line, reply) in
        [("HGETALL a", "%2\r\n+f\r\n+v\r\n+g\r\n+w\r\n"), ("HKEYS b", "*2\r\n+f\r\n+g\r\n")]
    {
        let name = line.split(' ').nth(1).unwrap();
        let ([mut read], commands) = hashes.read([line]);
        assert_eq!(commands, [line, &format!("PTTL {name}")]);
        hashes.answer(&[reply, ":-1\r\n"]);
        assert_eq!(hashes.questions(), [format!("HPTTL {name} FIELDS 2 f g")]);
        hashes.answer(&["*2\r\n:-1\r\n:40\r\n"]);
        assert_eq!(hashes.cached(&mut read), Ok(39 * MS), "{line}");
    }
}

#[test]
fn r6_the_names_are_asked_where_the_reply_has_none() {
    let fixture = Fixture::new();
    let mut hashes = Hashes::counted(&fixture, 0, 1);
    for (line, reply, names, until) in [
        ("HVALS a", "*2\r\n+v\r\n+w\r\n", "*2\r\n+f\r\n+g\r\n", Ok(39)),
        ("HLEN b", ":2\r\n", "*2\r\n+f\r\n+g\r\n", Ok(39)),
        ("HLEN c", ":2\r\n", "*1\r\n+f\r\n", Err(NotCached::TtlGone)),
    ] {
        let name = line.split(' ').nth(1).unwrap();
        let ([mut read], _) = hashes.read([line]);
        hashes.answer(&[reply, ":-1\r\n"]);
        assert_eq!(hashes.questions(), [format!("HKEYS {name}")]);
        hashes.answer(&[names]);
        if until.is_ok() {
            assert_eq!(hashes.questions(), [format!("HPTTL {name} FIELDS 2 f g")]);
            hashes.answer(&["*2\r\n:40\r\n:-1\r\n"]);
        }
        assert_eq!(hashes.cached(&mut read), until.map(|ms: u32| ms * MS), "{line}");
    }
}

#[test]
fn a_hash_with_too_many_fields_is_not_cached_where_fields_expire() {
    let fixture = Fixture::new();
    let mut hashes = Hashes::counted(&fixture, 0, 1);
    let many = field_ttls::FIELDS_MAX + 1;
    for (line, reply) in [
        ("HGETALL a", format!("%{many}\r\n{}", "+f\r\n+v\r\n".repeat(many))),
        ("HVALS b", format!("*{many}\r\n{}", "+v\r\n".repeat(many))),
        ("HLEN c", format!(":{many}\r\n")),
    ] {
        let ([mut read], _) = hashes.read([line]);
        hashes.answer(&[&reply, ":-1\r\n"]);
        assert_eq!(hashes.questions(), [""; 0]);
        assert_eq!(hashes.cached(&mut read), Err(NotCached::TtlUnknown), "{line}");
    }
}

#[test]
fn a_missing_key_has_no_fields_to_ask() {
    let fixture = Fixture::new();
    for fields in [0, 1] {
        let mut hashes = Hashes::counted(&fixture, 1, fields);
        let ([mut read], _) = hashes.read(["HGETALL none"]);
        hashes.answer(&["%0\r\n", ":-2\r\n"]);
        assert!(hashes.cached(&mut read).is_ok());
    }
}

#[test]
fn r1_a_push_before_the_answer_ends_the_lease() {
    let fixture = Fixture::new();
    for fields in [0, 1] {
        let mut hashes = Hashes::counted(&fixture, 1, fields);
        let ([mut read], _) = hashes.read(["HGETALL h"]);
        hashes.answer(&["%1\r\n+f\r\n+v\r\n", ":-1\r\n", &push(&["h"])]);
        if fields == 0 {
            hashes.answer(&[&counts(0, 1, 0)]);
        } else {
            assert_eq!(hashes.questions(), [""; 0], "the answer could change nothing");
        }
        assert_eq!(hashes.cached(&mut read), Err(NotCached::TtlUnknown));
    }
}

#[test]
fn the_counts_of_another_database_say_nothing() {
    let fixture = Fixture::new();
    let mut hashes = Hashes::counted(&fixture, 0, 0);
    let mut read = hashes.start("HGET h f", 3);
    assert_eq!(fixture.send_fills(&mut hashes.session), ["SELECT 3", "HGET h f", "PTTL h"]);
    assert_eq!(hashes.questions(), ["INFO keyspace"]);
    hashes.answer(&["+OK\r\n", "+v\r\n", ":-1\r\n", &counts(0, 0, 0)]);
    assert_eq!(hashes.questions(), ["HPTTL h FIELDS 1 f"], "the database that the read selected");
    hashes.answer(&["*1\r\n:-1\r\n"]);
    assert!(hashes.cached(&mut read).is_ok());
}

#[test]
fn counts_are_asked_again_while_fields_expire() {
    let fixture = Fixture::new();
    let mut hashes = Hashes::counted(&fixture, 1, 1);
    fixture.clock.advance(BOUND / 2);
    let (_, commands) = hashes.read(["HGET a f"]);
    assert_eq!(commands, ["HGET a f", "PTTL a", "HPTTL a FIELDS 1 f"]);
    hashes.answer(&["_\r\n", ":-2\r\n", "*1\r\n:-2\r\n"]);
    hashes.session.send_heartbeat(&mut BytesMut::new()).unwrap();
    answer_heartbeat(&mut hashes.session);
    fixture.clock.advance(BOUND / 2);
    let (_, commands) = hashes.read(["HGET b f"]);
    assert_eq!(commands, ["HGET b f", "PTTL b", "HPTTL b FIELDS 1 f", "INFO keyspace"]);
    hashes.answer(&["_\r\n", ":-2\r\n", "*1\r\n:-2\r\n", &counts(0, 1, 0)]);
    let (_, commands) = hashes.read(["HGET c f"]);
    assert_eq!(commands, ["HGET c f", "PTTL c", "INFO keyspace"]);
}

#[test]
fn without_counts_the_fields_are_asked_and_without_both_nothing_is_cached() {
    let fixture = Fixture::new();
    let mut hashes = Hashes::new(&fixture);
    let ([mut read], _) = hashes.read(["HGET a f"]);
    hashes.answer(&["+v\r\n", ":-1\r\n", "-NOPERM no INFO\r\n"]);
    assert_eq!(hashes.questions(), ["HPTTL a FIELDS 1 f"]);
    hashes.answer(&["*1\r\n:-1\r\n"]);
    assert!(hashes.cached(&mut read).is_ok());
    let ([mut read], commands) = hashes.read(["HGET b f"]);
    assert_eq!(commands, ["HGET b f", "PTTL b", "HPTTL b FIELDS 1 f"]);
    hashes.answer(&["+v\r\n", ":-1\r\n", "-NOPERM no HPTTL\r\n"]);
    assert_eq!(hashes.cached(&mut read), Err(NotCached::TtlUnknown));
    let ([mut read], commands) = hashes.read(["HGET c f"]);
    assert_eq!(commands, ["HGET c f"], "what cannot be cached costs one command");
    hashes.answer(&["+v\r\n"]);
    assert_eq!(hashes.cached(&mut read), Err(NotCached::TtlUnknown));
}

#[test]
fn an_error_reply_leaves_the_replies_behind_it_in_step() {
    let fixture = Fixture::new();
    for (keys, fields, rest) in [
        (0, 0, vec![counts(0, 0, 0)]),
        (1, 0, vec![":-1\r\n".into(), counts(0, 1, 0)]),
        (1, 1, vec![":-1\r\n".into(), "-WRONGTYPE no hash\r\n".into()]),
    ] {
        let mut hashes = Hashes::counted(&fixture, keys, fields);
        let ([mut read], _) = hashes.read(["HGET list f"]);
        hashes.answer(&["-WRONGTYPE no hash\r\n"]);
        assert!(matches!(poll(&mut read), Some(Err(FetchError::Store(StoreError::Refused(_))))));
        for frame in rest {
            hashes.answer(&[&frame]);
        }
        fixture.cache("s", "v", &mut hashes.session);
        answer(&mut hashes.session, &push(&["s"]));
        assert!(!hashes.session.hpttl_is_refused, "another type of key refuses nothing");
    }
}

#[test]
fn a_hash_read_fails_after_the_staleness_bound_wherever_it_waits() {
    for (keys, fields, frames) in [
        (1, 0, &["%1\r\n+f\r\n+v\r\n", ":-1\r\n"][..]),
        (0, 0, &["%1\r\n+f\r\n+v\r\n"]),
        (1, 1, &["%1\r\n+f\r\n+v\r\n"]),
        (1, 1, &["%1\r\n+f\r\n+v\r\n", ":-1\r\n"]),
    ] {
        for asks in [false, true] {
            let fixture = Fixture::new();
            let mut hashes = Hashes::counted(&fixture, keys, fields);
            let ([mut read], _) = hashes.read(["HGETALL h"]);
            hashes.answer(frames);
            if asks {
                hashes.questions();
            }
            fixture.clock.advance(BOUND + MS);
            written(|out| hashes.session.send_heartbeat(out).unwrap());
            assert_eq!(text(&poll(&mut read).unwrap().unwrap().value), "read elsewhere");
        }
    }
}

#[test]
fn without_field_ttls_a_hash_is_read_like_a_string() {
    let fixture = Fixture::new();
    let mut hashes = Hashes { fixture: &fixture, session: fixture.session() };
    let ([mut read], commands) = hashes.read(["HGETALL h"]);
    assert_eq!(commands, ["HGETALL h", "PTTL h"]);
    hashes.answer(&["%1\r\n+f\r\n+v\r\n", ":-1\r\n"]);
    assert!(hashes.cached(&mut read).is_ok());
}
