//! Fields of hashes that expire by themselves: replies about hashes are served from memory, and never
//! past the deadline of a field.
//!
//! Runs with Redis 8 and Valkey 9 where they are installed, or with the server that
//! `LARDER_TEST_SERVER` names. `LARDER_FIELD_TTL_SECONDS` sets how long the random test runs with
//! each.

use std::collections::HashMap;
use std::env;
use std::hash::{BuildHasher, RandomState};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use larder_testkit::{Harness, RedisServer, TestServer, require_server};

use crate::client::{Client, Reply};
use crate::setup::{ClientHarness, RedisHarness, harness, start_harness};

/// How long the random test runs with each server, if the environment does not say.
const SECONDS: u64 = 4;
/// How much longer it may run until it has tested enough, and how long it keeps deadlines.
const LIMIT: Duration = Duration::from_mins(1);
/// The keys of the test that counts commands.
const KEYS_READ: u64 = 320;
/// Those of the random test.
const KEYS: usize = 6;
const FIELDS: usize = 4;
const READERS: u64 = 3;
/// Larder counts a database with such fields again after a second.
const QUIET: Duration = Duration::from_millis(1200);
/// A server that counts in whole milliseconds may let a field live this much longer.
const ROUNDING: Duration = Duration::from_millis(1);

/// Returns the servers to test with. One without field TTLs has nothing to test.
fn servers() -> Vec<TestServer> {
    let chosen = env::var_os("LARDER_TEST_SERVER").is_some();
    let servers = match chosen {
        true => vec![TestServer::from_environment()],
        false => vec![TestServer::Redis8, TestServer::Valkey9],
    };
    servers.into_iter().filter(|server| require_server(server) && has_field_ttls(server)).collect()
}

fn has_field_ttls(server: &TestServer) -> bool {
    let redis = RedisServer::builder().server(server.clone()).start();
    redis.try_cmd(&["HPTTL", "k", "FIELDS", "1", "f"]).is_ok()
}

fn start(server: &TestServer) -> Option<Harness> {
    start_harness(harness().redis(RedisServer::builder().server(server.clone())), &[])
}

#[test]
fn every_read_of_a_hash_ends_with_the_field_it_shows() {
    for server in servers() {
        let Some(harness) = start(&server) else { return };
        let mut direct = harness.foreign_client();
        // No invalidation tells of the end of a field.
        direct.expect("DEBUG SET-ACTIVE-EXPIRE 0", "OK");
        for other_fields_expire in [false, true] {
            if other_fields_expire {
                direct.call("HSETEX other PX 100000 FIELDS 1 f v");
            }
            for mut client in [harness.client(), harness.client().resp3()] {
                // On a slow machine the deadline may pass before every read was a hit.
                let mut ttls = [1000, 4000, 16000].into_iter();
                assert!(ttls.any(|ttl| reads_end_with_their_field(&harness, &mut client, ttl)));
            }
        }
    }
}

/// Returns whether every read was served from memory before the deadline.
fn reads_end_with_their_field(harness: &Harness, client: &mut Client, ttl: u64) -> bool {
    const READS: [&str; 7] =
        ["HGET f", "HMGET g f none", "HEXISTS f", "HSTRLEN f", "HGETALL", "HKEYS", "HVALS"];
    // Names that were never read: no invalidation of them is under way.
    static NAMES: AtomicU64 = AtomicU64::new(0);
    let mut direct = harness.foreign_client();
    let names: Vec<_> = READS.iter().map(|_| NAMES.fetch_add(1, SeqCst)).collect();
    let lines: Vec<_> = names
        .iter()
        .zip(READS)
        .map(|(key, read)| match read.split_once(' ') {
            Some((command, fields)) => format!("{command} k{key} {fields}"),
            None => format!("{read} k{key}"),
        })
        .collect();
    for key in names {
        direct.call(&format!("HSET k{key} f value g value"));
        direct.call(&format!("HPEXPIRE k{key} {ttl} FIELDS 1 f"));
    }
    let deadline = Instant::now() + Duration::from_millis(ttl) + ROUNDING;
    let shown: Vec<_> = lines.iter().map(|line| direct.call(line)).collect();
    for (line, shown) in lines.iter().zip(&shown) {
        let (hits, mut hit) = (harness.larder.resp_hits(), false);
        while !hit && Instant::now() + Duration::from_millis(ttl / 10) < deadline {
            assert_eq!(client.call(line), *shown, "{line}");
            hit = harness.larder.resp_hits() > hits;
        }
        if !hit {
            return false;
        }
    }
    sleep(deadline.saturating_duration_since(Instant::now()));
    for (line, shown) in lines.iter().zip(&shown) {
        let reply = client.call(line);
        assert_ne!(reply, *shown, "{line} after the deadline");
        assert_eq!(reply, direct.call(line), "{line}");
    }
    true
}

#[test]
fn a_hash_without_field_ttls_costs_fewer_than_three_commands() {
    for server in [TestServer::Redis7, TestServer::Redis8, TestServer::Valkey9] {
        if !require_server(&server) {
            continue;
        }
        let Some(harness) = start(&server) else { return };
        for (keys_expire, in_one_write) in [(false, 1), (false, 16), (true, 16)] {
            let commands = commands_for_reads(&harness, keys_expire, in_one_write);
            println!("{server:?}: {commands} for {KEYS_READ} keys, {in_one_write} in one write");
            assert!(
                commands < 3 * KEYS_READ,
                "{commands} with {server:?}, {in_one_write} in one write"
            );
        }
    }
}

/// Reads hashes several times. Returns how many commands that cost the server.
fn commands_for_reads(harness: &Harness, keys_expire: bool, in_one_write: usize) -> u64 {
    let (mut direct, mut client) = (harness.foreign_client(), harness.client());
    direct.call("FLUSHALL");
    for key in 0..KEYS_READ {
        direct.call(&format!("HSET h:{key} f v g v"));
        if keys_expire {
            direct.call(&format!("PEXPIRE h:{key} 1000000"));
        }
    }
    // The flush has been applied once this is served from memory.
    harness.warm_up_eventually(&mut client, "HGET h:0 f", "v");
    direct.call("CONFIG RESETSTAT");
    for _ in 0..5 {
        for keys in (0..KEYS_READ).collect::<Vec<_>>().chunks(in_one_write) {
            let read = |key: &u64| match key % 2 {
                0 => format!("HGETALL h:{key}"),
                _ => format!("HGET h:{key} f"),
            };
            let lines: Vec<_> = keys.iter().map(read).collect();
            client.pipeline(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }
    // INFO first, because the testkit sends one for each count.
    let commands = ["info", "hgetall", "hget", "hkeys", "pttl", "hpttl", "select"];
    commands.iter().map(|command| harness.redis.command_calls(command)).sum()
}

#[test]
fn a_server_counts_every_hash_with_fields_that_expire() {
    for server in servers() {
        let redis = RedisServer::builder().server(server.clone()).start();
        let mut direct = Client::connect(redis.port());
        for steps in [
            &["HSET k f v", "HPEXPIRE k 100000 FIELDS 1 f"][..],
            &["HSET k f v", "HEXPIREAT k 9999999999 FIELDS 1 f"],
            &["HSETEX k PX 100000 FIELDS 1 f v"],
            &["HSET k f v", "HGETEX k PX 100000 FIELDS 1 f"],
            &["HSETEX j PX 100000 FIELDS 1 f v", "RENAME j k"],
            &["HSETEX j PX 100000 FIELDS 1 f v", "COPY j k", "DEL j"],
            &["HSETEX k PX 100000 FIELDS 1 f v", "HSET k g v", "HDEL k g"],
            &["HSETEX k PX 100000 FIELDS 2 f v g v", "HPERSIST k FIELDS 1 g"],
            &["HSETEX k PX 100000 FIELDS 1 f v", "DEBUG RELOAD"],
            &[
                "EVAL 'return redis.call(\"HSETEX\", KEYS[1], \"PX\", 99999, \"FIELDS\", 1, \"f\", 1)' 1 k",
            ],
            &["SELECT 1", "HSETEX k PX 100000 FIELDS 1 f v", "MOVE k 0", "SELECT 0"],
            // Expired, but still there: nothing has announced its end.
            &["DEBUG SET-ACTIVE-EXPIRE 0", "HSETEX k PX 1 FIELDS 1 f v", "HGETALL none"],
        ] {
            direct.expect("FLUSHALL", "OK");
            for step in steps {
                assert!(!direct.call(step).is_error(), "{step}");
            }
            let Reply::Text(info) = direct.call("INFO keyspace") else { panic!("{steps:?}") };
            let counts = ["subexpiry=1", "keys_with_volatile_items=1"];
            let line = info.lines().find(|line| line.starts_with("db0:")).unwrap_or_default();
            assert!(
                counts.iter().any(|count| line.ends_with(count)),
                "{server:?} {steps:?}: {line}"
            );
        }
    }
}

#[test]
fn no_field_is_served_past_its_deadline() {
    let seconds = env::var("LARDER_FIELD_TTL_SECONDS").ok();
    let seconds = seconds.map_or(SECONDS, |seconds| seconds.parse().expect("seconds"));
    for server in servers() {
        let Some(harness) = start(&server) else { return };
        let world = World::new(&harness, seconds);
        thread::scope(|threads| {
            let readers: Vec<_> = (0..READERS)
                .map(|reader| {
                    let world = &world;
                    threads.spawn(move || world.read(reader))
                })
                .collect();
            world.write();
            world.done.store(true, SeqCst);
            for reader in readers {
                reader.join().unwrap();
            }
        });
        assert_eq!(*world.late.lock().unwrap(), [""; 0], "{server:?}");
        let [reads, deadlines, shown, hits] = world.counts();
        println!("{server:?}: {reads} reads, {deadlines} deadlines, {shown} in time, {hits} hits");
    }
}

/// The state of the random test. What must not be shown is known by a clock of its own: a read that
/// begins after a deadline must not return the field, nor that value of it.
struct World<'a> {
    harness: &'a Harness,
    span: Duration,
    fields: Mutex<HashMap<(usize, usize), Instant>>,
    values: Mutex<HashMap<u64, Instant>>,
    done: AtomicBool,
    /// What was shown past its deadline.
    late: Mutex<Vec<String>>,
    reads: AtomicU64,
    deadlines: AtomicU64,
    /// Replies that showed a field with a deadline, before it.
    shown: AtomicU64,
    /// Hits while fields had TTLs.
    hits: AtomicU64,
}

/// Sends commands to the server, or through Larder.
struct Writer {
    direct: Client,
    through: Client,
    random: Random,
}

impl Writer {
    /// Sends a command. Returns its reply and when it had arrived. When this returns, Larder knows of
    /// the change.
    fn call(&mut self, line: &str) -> (Reply, Instant) {
        if self.random.flip() {
            return (self.through.call(line), Instant::now());
        }
        let (reply, arrived) = (self.direct.call(line), Instant::now());
        // The reply to a script waits until every invalidation sent before has been applied.
        self.through.expect("EVAL 'return 1' 0", 1);
        (reply, arrived)
    }
}

/// What the writer knows of a field: its value, and the deadlines that were recorded of it.
#[derive(Clone, Copy)]
struct Recorded {
    field: (usize, usize),
    value: u64,
    deadline: Option<Instant>,
}

impl<'a> World<'a> {
    fn new(harness: &'a Harness, seconds: u64) -> Self {
        Self {
            harness,
            span: Duration::from_secs(seconds),
            fields: Mutex::default(),
            values: Mutex::default(),
            done: AtomicBool::new(false),
            late: Mutex::default(),
            reads: AtomicU64::new(0),
            deadlines: AtomicU64::new(0),
            shown: AtomicU64::new(0),
            hits: AtomicU64::new(0),
        }
    }

    fn counts(&self) -> [u64; 4] {
        [&self.reads, &self.deadlines, &self.shown, &self.hits].map(|count| count.load(SeqCst))
    }

    /// Returns whether the test goes on: for its time, and on a slow machine until it has tested
    /// something.
    fn goes_on(&self, began: Instant) -> bool {
        let [_, deadlines, shown, hits] = self.counts();
        let is_enough = deadlines >= 50 && shown >= 100 && hits >= 100;
        let is_late = !self.late.lock().unwrap().is_empty();
        assert!(began.elapsed() < self.span + LIMIT, "{:?} after {LIMIT:?} more", self.counts());
        !is_late && (!is_enough || began.elapsed() < self.span)
    }

    /// Alternates between times in which no field can expire and times in which many do.
    fn write(&self) {
        let (direct, through) = (self.harness.foreign_client(), self.harness.client());
        let mut writer = Writer { direct, through, random: Random::new() };
        let (began, mut values) = (Instant::now(), HashMap::new());
        while self.goes_on(began) {
            writer.call("FLUSHDB");
            values.clear();
            let (keys_expire, active) = (writer.random.flip(), writer.random.below(2));
            writer.call(if keys_expire { "SET key v EX 1000" } else { "SET key v" });
            writer.direct.call(&format!("DEBUG SET-ACTIVE-EXPIRE {active}"));
            for key in 0..KEYS {
                for field in 0..FIELDS {
                    values.insert((key, field), self.set(&mut writer, (key, field)));
                }
            }
            sleep(QUIET);
            let (hits, restless) = (self.harness.larder.resp_hits(), Instant::now());
            while restless.elapsed() < QUIET {
                let field = (writer.random.below(KEYS), writer.random.below(FIELDS));
                self.change(&mut writer, field, &mut values);
                sleep(Duration::from_micros(writer.random.below(6000) as u64));
            }
            self.hits.fetch_add(self.harness.larder.resp_hits() - hits, SeqCst);
        }
    }

    fn change(
        &self,
        writer: &mut Writer,
        field: (usize, usize),
        values: &mut HashMap<(usize, usize), u64>,
    ) {
        let (key, at, ttl) = (field.0, field.1, 1 + writer.random.below(100) as u64);
        match writer.random.below(10) {
            0 => drop(values.insert(field, self.set(writer, field))),
            1 => {
                self.forget(field, 0);
                writer.call(&format!("HDEL k{key} f{at}"));
                values.remove(&field);
            }
            2 => {
                let value = writer.random.next();
                self.forget(field, value);
                let line = format!("HSETEX k{key} PX {ttl} FIELDS 1 f{at} {value}");
                let (_, arrived) = writer.call(&line);
                self.record(field, value, arrived, ttl);
                values.insert(field, value);
            }
            3 => {
                let Some(&value) = values.get(&field) else { return };
                let recorded = self.forget(field, value);
                let (reply, _) = writer.call(&format!("HPERSIST k{key} FIELDS 1 f{at}"));
                self.check_alive(&reply, recorded);
            }
            _ => {
                let Some(&value) = values.get(&field) else { return };
                let recorded = self.forget(field, value);
                let (reply, arrived) =
                    writer.call(&format!("HPEXPIRE k{key} {ttl} FIELDS 1 f{at}"));
                if self.check_alive(&reply, recorded) {
                    self.record(field, value, arrived, ttl);
                }
            }
        }
    }

    /// Sets a field without a TTL. Returns its value.
    fn set(&self, writer: &mut Writer, field: (usize, usize)) -> u64 {
        let value = writer.random.next();
        self.forget(field, value);
        writer.call(&format!("HSET k{} f{} {value}", field.0, field.1));
        value
    }

    /// Forgets the deadlines of a field, before a command that may move them.
    fn forget(&self, field: (usize, usize), value: u64) -> Recorded {
        self.fields.lock().unwrap().remove(&field);
        Recorded { field, value, deadline: self.values.lock().unwrap().remove(&value) }
    }

    /// Returns whether a field was alive when a command changed its TTL. If not, its deadline is what
    /// it was.
    fn check_alive(&self, reply: &Reply, recorded: Recorded) -> bool {
        let is_gone = *reply == Reply::List(vec![Reply::Number(-2)]);
        if is_gone && let Some(deadline) = recorded.deadline {
            self.fields.lock().unwrap().insert(recorded.field, deadline);
            self.values.lock().unwrap().insert(recorded.value, deadline);
        }
        !is_gone
    }

    /// Records the deadline of a field whose TTL was set by a command whose reply arrived then.
    fn record(&self, field: (usize, usize), value: u64, arrived: Instant, ttl: u64) {
        let now = Instant::now();
        let deadline = now.max(arrived + Duration::from_millis(ttl) + ROUNDING);
        self.fields.lock().unwrap().insert(field, deadline);
        let mut values = self.values.lock().unwrap();
        values.retain(|_, deadline| now.saturating_duration_since(*deadline) < LIMIT);
        values.insert(value, deadline);
        self.deadlines.fetch_add(1, SeqCst);
    }

    fn read(&self, reader: u64) {
        let client = self.harness.client();
        let mut client = if reader.is_multiple_of(2) { client } else { client.resp3() };
        let mut random = Random::new();
        while !self.done.load(SeqCst) {
            let reads: Vec<_> = (0..=random.below(8)).map(|_| HashRead::any(&mut random)).collect();
            let lines: Vec<_> = reads.iter().map(HashRead::line).collect();
            let began = Instant::now();
            let replies = client.pipeline(&lines.iter().map(String::as_str).collect::<Vec<_>>());
            for ((read, reply), line) in reads.iter().zip(&replies).zip(&lines) {
                self.check(read, reply, began, line);
            }
            self.reads.fetch_add(reads.len() as u64, SeqCst);
            sleep(Duration::from_micros(random.below(1000) as u64));
        }
    }

    /// Checks what a reply shows to a read that began at this time.
    fn check(&self, read: &HashRead, reply: &Reply, began: Instant, line: &str) {
        assert!(!reply.is_error(), "{line}: {reply:?}");
        for field in read.shown_fields(reply) {
            let deadline = self.fields.lock().unwrap().get(&(read.key, field)).copied();
            self.check_deadline(deadline, began, line, reply);
        }
        for value in read.shown_values(reply) {
            let deadline = self.values.lock().unwrap().get(&value).copied();
            self.check_deadline(deadline, began, line, reply);
        }
    }

    fn check_deadline(&self, deadline: Option<Instant>, began: Instant, line: &str, reply: &Reply) {
        let Some(deadline) = deadline else { return };
        let late = began.saturating_duration_since(deadline);
        if late.is_zero() {
            self.shown.fetch_add(1, SeqCst);
        } else {
            let shown = format!("{line} began {late:?} after a deadline and returned {reply:?}");
            self.late.lock().unwrap().push(shown);
        }
    }
}

/// A random read of a hash.
struct HashRead {
    command: &'static str,
    key: usize,
    field: usize,
}

impl HashRead {
    fn any(random: &mut Random) -> Self {
        let commands = ["HGET", "HMGET", "HEXISTS", "HSTRLEN", "HGETALL", "HKEYS", "HVALS", "HLEN"];
        let command = commands[random.below(commands.len())];
        Self { command, key: random.below(KEYS), field: random.below(FIELDS) }
    }

    fn line(&self) -> String {
        let Self { command, key, field } = self;
        match *command {
            "HMGET" => format!("HMGET k{key} f{field} none f0"),
            "HGET" | "HEXISTS" | "HSTRLEN" => format!("{command} k{key} f{field}"),
            _ => format!("{command} k{key}"),
        }
    }

    /// Returns the fields that a reply shows.
    fn shown_fields(&self, reply: &Reply) -> Vec<usize> {
        let name = |reply: &Reply| match reply {
            Reply::Text(name) => name[1..].parse().unwrap(),
            other => panic!("a name of a field: {other:?}"),
        };
        match (self.command, reply) {
            ("HGETALL", Reply::List(items)) => items.iter().step_by(2).map(name).collect(),
            ("HKEYS", Reply::List(items)) => items.iter().map(name).collect(),
            ("HMGET", Reply::List(items)) if items[2] != Reply::Nil => vec![0],
            ("HGET", Reply::Text(_)) | ("HEXISTS" | "HSTRLEN", Reply::Number(1..)) => {
                vec![self.field]
            }
            _ => Vec::new(),
        }
    }

    /// Returns the values that a reply shows.
    fn shown_values(&self, reply: &Reply) -> Vec<u64> {
        match (self.command, reply) {
            ("HGETALL", Reply::List(items)) => {
                items.iter().skip(1).step_by(2).map(Reply::number).collect()
            }
            ("HMGET" | "HVALS", Reply::List(items)) => items.iter().map(Reply::number).collect(),
            ("HGET", reply) => vec![reply.number()],
            _ => Vec::new(),
        }
    }
}

/// Random numbers from the standard library, which seeds its hashers from the system.
struct Random(RandomState, u64);

impl Random {
    fn new() -> Self {
        Self(RandomState::new(), 0)
    }

    /// Returns a number that has not come before, in all likelihood.
    fn next(&mut self) -> u64 {
        self.1 += 1;
        self.0.hash_one(self.1) >> 1
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn flip(&mut self) -> bool {
        self.below(2) == 0
    }
}
