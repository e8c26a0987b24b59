//! Concurrent writers on three paths and readers over a bad network: writers read their own writes,
//! no key goes back in time through one Larder, and nothing older than the staleness bound is
//! served.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use larder_testkit::Direction::{ToClient, ToServer};
use larder_testkit::{ConnectionFilter, Harness};

use crate::client::Client;
use crate::setup::{ClientHarness, RedisHarness, Standalone, TRACKED, start};

const SPAN: Duration = Duration::from_secs(10);
const BOUND: Duration = Duration::from_secs(1);
/// The upstream connections of clients, which send this first.
const CLIENTS: ConnectionFilter = ConnectionFilter::Sent("a-client");
const KEYS: usize = 8;
/// All writes to two keys use one path.
const PATHS: usize = 3;
const READERS: usize = 2;

/// The known state of one key.
#[derive(Default)]
struct Key {
    /// The acknowledged numbers, and when each was acknowledged.
    acknowledged: Mutex<Vec<(u64, Instant)>>,
    /// The newest number seen through each Larder.
    seen: [AtomicU64; 2],
}

struct World<'a> {
    harness: &'a Harness,
    another: &'a Standalone,
    keys: [Key; KEYS],
    done: AtomicBool,
}

#[test]
fn writers_read_their_writes_and_no_key_goes_back_over_a_bad_network() {
    let Some(harness) = start(&[]) else { return };
    let another = harness.another();
    let world = World {
        harness: &harness,
        another: &another,
        keys: Default::default(),
        done: AtomicBool::new(false),
    };
    let (epochs, hits) = (harness.larder.count("/feed/epochs"), harness.larder.resp_hits());
    let (writes, reads) = thread::scope(|threads| {
        let writers: Vec<_> = (0..KEYS / 2)
            .map(|writer| {
                let world = &world;
                threads.spawn(move || world.write(writer))
            })
            .collect();
        let readers: Vec<_> = (0..READERS * 2)
            .map(|reader| {
                let world = &world;
                threads.spawn(move || world.read(reader))
            })
            .collect();
        world.disturb();
        world.done.store(true, SeqCst);
        let sum = |threads: Vec<thread::ScopedJoinHandle<'_, u64>>| -> u64 {
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        };
        (sum(writers), sum(readers))
    });
    let (epochs, hits) =
        (harness.larder.count("/feed/epochs") - epochs, harness.larder.resp_hits() - hits);
    println!("{writes} writes, {reads} reads, {hits} hits, {epochs} epochs");
    assert!(writes > 300, "{writes} writes");
    assert!(hits > 1000, "{hits} hits");
    // Connections that are cut at once are replaced ever more slowly.
    assert!(epochs >= 4, "{epochs} epochs");
    harness.assert_coherent();
}

impl World<'_> {
    /// Writes increasing numbers to two keys of its own. Returns how many.
    fn write(&self, writer: usize) -> u64 {
        let mut client = self.client(writer % PATHS);
        let mut number = 0;
        while !self.done.load(SeqCst) {
            number += 1;
            let key = 2 * writer + number as usize % 2;
            let lines = write(&name(key), number);
            let lines: Vec<_> = lines.iter().map(String::as_str).collect();
            if !try_pipeline(&mut client, &lines) {
                // The outcome is unknown, but it will not be executed after this point.
                let mut foreign = self.harness.foreign_client();
                (0..3).for_each(|_| foreign.expect("PING", "PONG"));
                client = self.client(writer % PATHS);
                continue;
            }
            self.keys[key].acknowledged.lock().unwrap().push((number, Instant::now()));
            if let Ok(found) = try_get(&mut client, key) {
                assert_eq!(found, number, "own write of {} by {lines:?}", name(key));
            }
            // Leaves the readers time for hits.
            sleep(Duration::from_millis(15 + number * 7 % 30));
        }
        number
    }

    /// Reads all keys in turn through one of the Larders. Returns how often.
    fn read(&self, reader: usize) -> u64 {
        let larder = reader % 2;
        let mut client = self.client(larder);
        let mut reads = 0;
        for key in (0..KEYS).cycle() {
            if self.done.load(SeqCst) {
                break;
            }
            let known = &self.keys[key];
            let seen = known.seen[larder].load(SeqCst);
            let asked = Instant::now();
            let must_see = self.oldest_allowed(key, larder, asked);
            let Ok(number) = try_get(&mut client, key) else {
                client = self.client(larder);
                continue;
            };
            assert!(number >= seen, "{} went back from {seen} to {number}", name(key));
            assert!(number >= must_see, "{} is {number}, older than {must_see}", name(key));
            known.seen[larder].fetch_max(number, SeqCst);
            reads += 1;
            thread::yield_now();
        }
        reads
    }

    /// Returns the newest number that a read sent now must see: writes through the same Larder at
    /// once, all others after the bound.
    fn oldest_allowed(&self, key: usize, larder: usize, asked: Instant) -> u64 {
        let own_road = (key / 2) % PATHS == larder;
        let acknowledged = self.keys[key].acknowledged.lock().unwrap();
        let counts = |at: Instant| own_road || at + BOUND <= asked;
        let newest = acknowledged.iter().rev().find(|(_, at)| counts(*at));
        newest.map_or(0, |(number, _)| *number)
    }

    /// Connects through the first Larder, through the second, or directly to Redis.
    fn client(&self, path: usize) -> Client {
        let mut client = match path {
            0 => self.harness.client(),
            1 => self.another.client(),
            _ => self.harness.foreign_client(),
        };
        try_pipeline(&mut client, &["ECHO a-client"]);
        client
    }

    /// Delays traffic by changing amounts, and cuts the tracked or a client's connection now and
    /// then.
    fn disturb(&self) {
        let start = Instant::now();
        let mut turn = 0;
        while start.elapsed() < SPAN {
            turn += 1;
            let slowest = if turn % 4 == 0 { 25_000 } else { 3_000 };
            for (which, most) in [(CLIENTS, 3_000), (TRACKED, slowest)] {
                for direction in [ToClient, ToServer] {
                    let delay = Duration::from_micros(random() % most);
                    self.harness.relay().delay(which, direction, delay);
                }
            }
            sleep(Duration::from_millis(random() % 40));
            match turn % 40 {
                0 => self.harness.relay().cut(TRACKED),
                5 | 15 | 25 | 35 => self.harness.relay().cut(CLIENTS),
                _ => {}
            }
        }
    }
}

/// Returns one of many commands that set a key to a number.
fn write(key: &str, number: u64) -> Vec<String> {
    let set = format!("SET {key} {number}");
    match number / 2 % 8 {
        0 | 1 => vec![set],
        2 => vec![format!("EVAL 'redis.call(\"SET\", \"{key}\", {number})' 0")],
        3 => vec!["MULTI".into(), set, "EXEC".into()],
        4 => vec![format!("SET tmp:{key} {number}"), format!("RENAME tmp:{key} {key}")],
        5 => vec![format!("MSET {key} {number} other:{key} x")],
        6 => vec![format!("SET tmp:{key} {number}"), format!("COPY tmp:{key} {key} REPLACE")],
        _ => vec![format!("SETEX {key} 100 {number}"), format!("PERSIST {key}")],
    }
}

/// Returns false if the connection ended before the last reply.
fn try_pipeline(client: &mut Client, lines: &[&str]) -> bool {
    client.send(&crate::client::encode(lines)).is_ok()
        && lines.iter().all(|line| match client.next() {
            Ok(reply) if reply.is_error() => {
                assert!(reply.error().contains("Larder"), "{line}: {reply:?}");
                false
            }
            reply => reply.is_ok(),
        })
}

fn try_get(client: &mut Client, key: usize) -> Result<u64, ()> {
    client.send(&crate::client::encode(&[&format!("GET {}", name(key))])).map_err(drop)?;
    match client.next().map_err(drop)? {
        error if error.is_error() => Err(()),
        reply => Ok(reply.number()),
    }
}

fn name(key: usize) -> String {
    format!("key:{key}")
}

/// Uses the standard library, which seeds its hashers from the system.
fn random() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0)
}
