//! Random pipelines of reads and writes on several connections over a bad network. Where each
//! connection has keys of its own, every reply is that of a Redis which runs the same commands.
//! Where they share keys, a connection reads its own writes and no key goes back in time.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use larder_testkit::Direction::{ToClient, ToServer};
use larder_testkit::{ConnectionFilter, Harness, RedisServer};

use crate::client::{Client, Reply, encode};
use crate::setup::{ClientHarness, RedisHarness, TRACKED, start};

const SPAN: Duration = Duration::from_secs(6);
const CONNECTIONS: usize = 4;
const PIPELINE_MAX: usize = 40;
/// The upstream connections of clients, which send this first.
const CLIENTS: ConnectionFilter = ConnectionFilter::Sent("a-client");

/// `K` and `L` stand for keys.
const READS: &[&str] = &[
    "GET sK",
    "GET sK",
    "GET sK",
    "GET nK",
    "MGET sK nK sL",
    "MGET sK sL",
    "STRLEN sK",
    "EXISTS sK",
    "GETRANGE sK 0 2",
    "HGET hK f",
    "HMGET hK f g",
    "HGETALL hK",
    "HLEN hK",
    "LRANGE lK 0 -1",
    "LLEN lK",
    "TYPE lK",
    "GET lK",
];
const WRITES: &[&str] = &[
    "SET sK a",
    "SET sK b",
    "APPEND sK x",
    "DEL sK",
    "INCR nK",
    "INCR nK",
    "MSET sK m sL m",
    "RENAME sK sL",
    "COPY sK sL REPLACE",
    "GETDEL sK",
    "GETSET sK z",
    "EXPIRE sK 100",
    "SETEX sK 100 e",
    "HSET hK f 1 g 2",
    "HINCRBY hK f 1",
    "HDEL hK f",
    "RPUSH lK 1",
    "LPOP lK",
    "DEL lK hK",
];
const OTHERS: &[&str] = &[
    "PING",
    "EVAL 'return redis.call(\"SET\", KEYS[1], \"by script\")' 1 sK",
    "MULTI",
    "EXEC",
    "EXEC",
    "DISCARD",
    "WATCH sK",
    "UNWATCH",
    "SELECT 0",
    "SELECT 1",
    "HELLO 3",
    "HELLO 2",
    "NOSUCH",
    "SET sK",
    "ECHO x",
    "OBJECT ENCODING sK",
    "TOUCH sK",
];

#[test]
fn connections_with_keys_of_their_own_get_the_replies_of_redis() {
    let Some(harness) = start(&[]) else { return };
    let reference = RedisServer::start();
    let done = AtomicBool::new(false);
    let hits = harness.larder.resp_hits();
    let replies: usize = thread::scope(|threads| {
        let running: Vec<_> = (0..CONNECTIONS)
            .map(|number| {
                let (harness, reference, done) = (&harness, &reference, &done);
                threads.spawn(move || run_twin(harness, reference, number, done))
            })
            .collect();
        disturb(&harness, &[TRACKED]);
        done.store(true, SeqCst);
        running.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let hits = harness.larder.resp_hits() - hits;
    println!("{replies} replies, {hits} hits");
    assert!(replies > 1_000 && hits > 200, "{replies} replies, {hits} hits");
}

/// Runs pipelines until `done`. Returns the number of replies.
fn run_twin(harness: &Harness, reference: &RedisServer, number: usize, done: &AtomicBool) -> usize {
    let mut rng = Rng::new();
    let (mut ours, mut theirs) = (harness.client(), Client::connect(reference.port()));
    ours.call("ECHO a-client");
    let mut replies = 0;
    while !done.load(SeqCst) {
        let mut lines: Vec<_> =
            (0..=rng.below(PIPELINE_MAX)).map(|_| rng.command(number)).collect();
        if rng.below(8) == 0 {
            // A client that has changed its state in a transaction is never served from memory again.
            lines.extend(["RESET".into(), "ECHO a-client".into()]);
        }
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        theirs.send_commands(&lines);
        // A pipeline may arrive in parts, between which replies may arrive.
        let (first, second) = lines.split_at(rng.below(lines.len() + 1));
        ours.send_commands(first);
        sleep(Duration::from_micros(100 * rng.below(5) as u64));
        ours.send_commands(second);
        for line in &lines {
            let (ours, theirs) = (plain(&ours.reply()), plain(&theirs.reply()));
            assert_eq!(ours, theirs, "{line}, in {lines:?}");
        }
        replies += lines.len();
    }
    replies
}

/// Removes the connection id from replies to HELLO.
fn plain(reply: &Reply) -> Reply {
    match reply {
        Reply::List(items) if items.first() == Some(&"server".into()) => "hello".into(),
        Reply::List(items) => Reply::List(items.iter().map(plain).collect()),
        other => other.clone(),
    }
}

const COUNTERS: usize = 6;

/// Counters that all connections increment.
#[derive(Default)]
struct Counters {
    /// The highest number that any client of Larder has seen.
    seen: [AtomicU64; COUNTERS],
    done: AtomicBool,
}

#[test]
fn no_key_goes_back_in_time_within_or_across_pipelines() {
    let Some(harness) = start(&[]) else { return };
    let counters = Counters::default();
    (0..COUNTERS).for_each(|key| harness.foreign(&["SET", &format!("key:{key}"), "0"]));
    let hits = harness.larder.resp_hits();
    let replies: usize = thread::scope(|threads| {
        let running: Vec<_> = (0..CONNECTIONS)
            .map(|number| {
                let (harness, counters) = (&harness, &counters);
                threads.spawn(move || counters.run(harness, number))
            })
            .collect();
        threads.spawn(|| counters.increment_elsewhere(&harness));
        disturb(&harness, &[TRACKED, CLIENTS]);
        counters.done.store(true, SeqCst);
        running.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let hits = harness.larder.resp_hits() - hits;
    println!("{replies} replies, {hits} hits");
    assert!(replies > 1_000 && hits > 200, "{replies} replies, {hits} hits");
}

impl Counters {
    /// Runs pipelines until all is done. Returns the number of replies.
    fn run(&self, harness: &Harness, number: usize) -> usize {
        let mut rng = Rng::new();
        let mut replies = 0;
        let connect = || {
            let mut client = harness.client();
            client.send_commands(&["ECHO a-client"]);
            client.next().map(|_| client)
        };
        let mut client = connect();
        while !self.done.load(SeqCst) {
            let Ok(open) = &mut client else {
                client = connect();
                continue;
            };
            match self.run_pipeline(open, &mut rng, number) {
                Some(answered) => replies += answered,
                None => client = connect(),
            }
        }
        replies
    }

    /// Returns `None` when the connection has ended.
    fn run_pipeline(&self, client: &mut Client, rng: &mut Rng, number: usize) -> Option<usize> {
        let at = |_| (rng.below(COUNTERS), rng.below(9));
        let commands: Vec<_> = (0..PIPELINE_MAX / 2).map(at).collect();
        let lines: Vec<_> = commands.iter().map(|(key, kind)| line(*key, *kind, number)).collect();
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        // What was seen before the pipeline is sent, and then in its earlier replies.
        let mut floor: Vec<_> = self.seen.iter().map(|seen| seen.load(SeqCst)).collect();
        client.send(&encode(&lines)).ok()?;
        for ((key, _), line) in commands.iter().zip(&lines) {
            let seen = match client.next().ok()? {
                Reply::Text(text) if text == "OK" => continue,
                Reply::Error(error) if error.contains("Larder") => continue,
                Reply::List(items) => items[0].number(),
                reply => reply.number(),
            };
            let floor = &mut floor[*key];
            assert!(seen >= *floor, "{line}: {seen} after {floor}, in {lines:#?}");
            *floor = seen;
            self.seen[*key].fetch_max(seen, SeqCst);
        }
        Some(lines.len())
    }

    fn increment_elsewhere(&self, harness: &Harness) {
        let (mut foreign, mut rng) = (harness.foreign_client(), Rng::new());
        while !self.done.load(SeqCst) {
            foreign.call(&format!("INCR key:{}", rng.below(COUNTERS)));
            sleep(Duration::from_millis(2));
        }
    }
}

/// Returns a command whose reply is the counter, or `OK`.
fn line(key: usize, kind: usize, number: usize) -> String {
    match kind {
        0 => format!("INCR key:{key}"),
        1 => format!("SET private:{number} 1"),
        2 => format!("MGET key:{key} private:{number}"),
        3 => format!("GETRANGE key:{key} 0 -1"),
        _ => format!("GET key:{key}"),
    }
}

/// Delays these connections by changing amounts, and cuts the first of them or another now and then.
fn disturb(harness: &Harness, connections: &[ConnectionFilter]) {
    let (start, mut rng) = (Instant::now(), Rng::new());
    for turn in 0.. {
        if start.elapsed() > SPAN {
            break;
        }
        for which in [CLIENTS, TRACKED] {
            for direction in [ToClient, ToServer] {
                let delay = Duration::from_micros(rng.below(3_000) as u64);
                harness.relay().delay(which, direction, delay);
            }
        }
        sleep(Duration::from_millis(rng.below(40) as u64));
        if turn % 10 == 0 {
            harness.relay().cut(connections[rng.below(connections.len())]);
        }
    }
    harness.relay().heal();
}

/// Random numbers from the standard library, which seeds its hashers from the system.
struct Rng(RandomState, u64);

impl Rng {
    fn new() -> Self {
        Self(RandomState::new(), 0)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.1 += 1;
        usize::try_from(self.0.hash_one(self.1) % bound as u64).unwrap()
    }

    /// Returns a command on keys of the connection with this number.
    fn command(&mut self, number: usize) -> String {
        let kinds = match self.below(100) {
            0..=83 => READS,
            84..=97 => WRITES,
            _ => OTHERS,
        };
        let template = kinds[self.below(kinds.len())];
        let [key, other] = [self.below(4), self.below(4)].map(|key| format!(":{number}:{key}"));
        let words = template.split(' ').map(|word| match word.strip_suffix(['K', 'L']) {
            Some(kind) if kind.len() == 1 && word.ends_with('K') => format!("{kind}{key}"),
            Some(kind) if kind.len() == 1 => format!("{kind}{other}"),
            _ => word.to_owned(),
        });
        words.collect::<Vec<_>>().join(" ")
    }
}
