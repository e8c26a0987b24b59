//! A network partition: traffic is dropped or stalls while the sockets stay open.

use std::thread::sleep;
use std::time::{Duration, Instant};

use larder_testkit::ConnectionFilter::{All, Sent};
use larder_testkit::Direction::{Both, ToClient};
use larder_testkit::{Harness, LIMIT, eventually};

use crate::http_client::{Found, HttpClient};
use crate::setup::{HttpHarness, path, start};

const BOUND: Duration = Duration::from_millis(500);
/// Limit for Larder to close a connection, which it does after silence for four staleness bounds,
/// detected with a delay.
const CLOSE_LIMIT: Duration = Duration::from_secs(20);

fn harness() -> Option<Harness> {
    let harness = start(&["--staleness-bound", "500ms", "--store-timeout", "500ms"])?;
    harness.foreign(&["SET", "k", "old"]);
    harness.warm_up("k", "old");
    Some(harness)
}

/// Reads until `end` and asserts that no read sent later than the bound after `cut` is a hit.
/// Returns those reads.
fn reads_past_the_bound(reader: &mut HttpClient, cut: Instant, end: Instant) -> Vec<Found> {
    let mut late = Vec::new();
    while Instant::now() < end {
        let found = reader.get(&path("k"));
        if found.asked >= cut + BOUND {
            assert!(!found.is_hit(), "{:?} after the cut: {found:?}", found.asked - cut);
            late.push(found);
        }
    }
    late
}

#[test]
fn a_partitioned_tracked_connection_stops_hits_at_the_bound_and_is_replaced() {
    let Some(harness) = harness() else { return };
    harness.relay().blackhole(Sent("TRACKING"), Both);
    let cut = Instant::now();
    harness.foreign(&["SET", "k", "new"]);
    let late = reads_past_the_bound(&mut harness.reader(), cut, cut + BOUND * 3);
    assert!(late.len() > 10, "{} reads", late.len());
    // The other connection still reaches Redis.
    assert!(late.iter().all(|found| found.value() == Some("new")), "{late:?}");

    let down = || harness.larder.stats()["feed"]["state"] == "down";
    eventually(CLOSE_LIMIT, "the silent connection to be closed", down);
    harness.relay().heal();
    harness.warm_up("k", "new");
    harness.assert_coherent();
}

#[test]
fn a_full_partition_stops_hits_at_the_bound_until_it_heals() {
    let Some(harness) = harness() else { return };
    harness.relay().blackhole(All, Both);
    let cut = Instant::now();
    harness.foreign(&["SET", "k", "new"]);
    let late = reads_past_the_bound(&mut harness.reader(), cut, cut + BOUND * 5);
    assert!(!late.is_empty());
    for found in &late {
        // The request was lost, or there is no connection to send it on.
        assert!([502, 503, 504].contains(&found.status), "{found:?}");
    }

    let down = || harness.larder.stats()["feed"]["state"] == "down";
    eventually(CLOSE_LIMIT, "the silent connection to be closed", down);
    harness.relay().heal();
    harness.warm_up("k", "new");
    harness.assert_coherent();
}

#[test]
fn no_hit_is_served_while_invalidations_lag_by_more_than_the_bound() {
    let Some(harness) = harness() else { return };
    let epoch = harness.larder.count("/feed/epochs");
    harness.relay().delay(Sent("TRACKING"), ToClient, BOUND * 3 / 2);
    let cut = Instant::now();
    // From now on heartbeats arrive continuously, but each of them late. The key is not read in
    // between: a bypassing read would invalidate it.
    sleep(BOUND * 3);
    harness.foreign(&["SET", "k", "new"]);
    let late = reads_past_the_bound(&mut harness.reader(), cut, cut + BOUND * 5);
    assert!(late.len() > 10, "{} reads", late.len());
    assert!(late.iter().all(|found| found.value() == Some("new")), "{late:?}");
    assert_eq!(harness.larder.count("/feed/epochs"), epoch, "the connection was replaced");
    harness.relay().delay(Sent("TRACKING"), ToClient, Duration::ZERO);
    harness.assert_coherent();
}

#[test]
fn a_stalled_connection_suspends_hits_and_resumes_in_the_same_epoch() {
    let Some(harness) = start(&[]) else { return };
    let bound = Duration::from_secs(1);
    harness.foreign(&["SET", "k", "old"]);
    harness.warm_up("k", "old");
    let epochs = harness.larder.count("/feed/epochs");

    harness.relay().hold(Sent("TRACKING"), ToClient);
    let cut = Instant::now();
    harness.foreign(&["SET", "k", "new"]);
    let mut reader = harness.reader();
    let mut reads = || reader.get(&path("k"));
    eventually(LIMIT, "hits to stop", || !reads().is_hit());
    while cut.elapsed() < bound * 2 {
        let found = reads();
        let is_late = found.asked >= cut + bound;
        assert!(!is_late || found.value() == Some("new") && !found.is_hit(), "{found:?}");
    }
    harness.relay().release(Sent("TRACKING"), ToClient);
    harness.warm_up("k", "new");
    assert_eq!(harness.larder.count("/feed/epochs"), epochs, "the connection was replaced");
    harness.assert_coherent();
}
