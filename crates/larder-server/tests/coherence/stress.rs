//! Concurrent writers and readers over a bad network: writers read their own writes, and no key
//! goes back in time.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use larder_testkit::ConnectionFilter::{self, Sent};
use larder_testkit::Direction::{ToClient, ToServer};

use larder_testkit::Harness;

use crate::setup::{HttpHarness, path, start};

const SPAN: Duration = Duration::from_secs(10);
const TRACKED: ConnectionFilter = Sent("TRACKING");
const WRITERS: usize = 4;
/// Two for each writer.
const KEYS: usize = 2 * WRITERS;
const READERS: usize = 4;

/// The newest number of each key whose write was acknowledged.
type Acknowledged = [AtomicU64; KEYS];

#[test]
fn writers_read_their_writes_and_no_key_goes_back_over_a_bad_network() {
    let Some(harness) = start(&[]) else { return };
    let acknowledged = Acknowledged::default();
    let done = AtomicBool::new(false);
    let epochs = harness.larder.count("/feed/epochs");
    let (writes, hits) = thread::scope(|threads| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                threads.spawn({
                    let (harness, acknowledged, done) = (&harness, &acknowledged, &done);
                    move || write(harness, writer, acknowledged, done)
                })
            })
            .collect();
        let readers: Vec<_> =
            (0..READERS).map(|_| threads.spawn(|| read(&harness, &acknowledged, &done))).collect();
        disturb(&harness);
        done.store(true, SeqCst);
        let sum = |threads: Vec<thread::ScopedJoinHandle<'_, u64>>| -> u64 {
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        };
        (sum(writers), sum(readers))
    });
    println!("{writes} writes, {hits} hits, {} epochs", harness.larder.count("/feed/epochs"));
    assert!(writes > 500, "{writes} writes");
    assert!(hits > 100, "{hits} hits");
    // Connections that are cut at once are replaced ever more slowly.
    assert!(harness.larder.count("/feed/epochs") >= epochs + 4);
    harness.assert_coherent();
}

/// Writes increasing numbers to two keys of its own, and reads each back. Returns how many.
fn write(harness: &Harness, writer: usize, acknowledged: &Acknowledged, done: &AtomicBool) -> u64 {
    let mut reader = harness.reader();
    let keys = [writer, writer + WRITERS].into_iter().cycle();
    for (number, key) in (1..).zip(keys) {
        if done.load(SeqCst) {
            return number;
        }
        assert_eq!(harness.put(&name(key), &number.to_string()), 204);
        acknowledged[key].store(number, SeqCst);
        let found = reader.get(&path(&name(key)));
        assert_eq!(found.value(), Some(&*number.to_string()), "own write: {found:?}");
        // Leaves the readers time for hits.
        sleep(Duration::from_millis(random() % 30));
    }
    0
}

/// Reads all keys in turn: no value may be older than the newest acknowledged write, or than the
/// value read before. Returns the number of hits.
fn read(harness: &Harness, acknowledged: &Acknowledged, done: &AtomicBool) -> u64 {
    let mut reader = harness.reader();
    let (mut newest, mut hits) = ([0; KEYS], 0);
    for key in (0..KEYS).cycle() {
        if done.load(SeqCst) {
            break;
        }
        let oldest = acknowledged[key].load(SeqCst).max(newest[key]);
        let found = reader.get(&path(&name(key)));
        let number = found.value().map_or(0, |value| value.parse().unwrap());
        assert!(number >= oldest, "{} went back from {oldest}: {found:?}", name(key));
        newest[key] = number;
        hits += u64::from(found.is_hit());
    }
    hits
}

/// Delays the tracked connection by changing amounts, and cuts it now and then.
fn disturb(harness: &Harness) {
    let start = Instant::now();
    while start.elapsed() < SPAN {
        for direction in [ToClient, ToServer] {
            harness.relay().delay(TRACKED, direction, Duration::from_micros(random() % 20_000));
        }
        sleep(Duration::from_millis(random() % 40));
        if random().is_multiple_of(32) {
            harness.relay().cut(TRACKED);
        }
    }
}

fn name(key: usize) -> String {
    format!("key:{key}")
}

/// Uses the standard library, which seeds its hashers from the system.
fn random() -> u64 {
    RandomState::new().hash_one(0)
}
