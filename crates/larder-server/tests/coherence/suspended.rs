//! Larder is suspended (SIGSTOP) and resumes after the data has changed.

use std::thread::sleep;
use std::time::Duration;

use crate::http_client::HttpClient;
use crate::setup::{HttpHarness, path, start};

#[test]
fn requests_queued_while_larder_is_suspended_get_no_old_value() {
    let Some(harness) = start(&[]) else { return };
    harness.foreign(&["SET", "k", "old"]);
    harness.warm_up("k", "old");
    let mut readers: Vec<HttpClient> = (0..16).map(|_| harness.reader()).collect();
    for reader in &mut readers {
        assert!(reader.get(&path("k")).is_hit());
    }

    harness.larder.pause();
    let (before, after) = readers.split_at_mut(8);
    send_requests(before);
    harness.foreign(&["SET", "k", "new"]);
    send_requests(after);
    // The kernel accepts connections for a suspended process.
    let mut new_clients: Vec<HttpClient> = (0..8).map(|_| harness.reader()).collect();
    send_requests(&mut new_clients);
    sleep(Duration::from_secs(5));
    harness.larder.resume();

    for reader in readers.iter_mut().chain(&mut new_clients) {
        let found = reader.read_response();
        assert_eq!(found.value(), Some("new"), "{found:?}");
    }
    harness.warm_up("k", "new");
    harness.assert_coherent();
}

fn send_requests(readers: &mut [HttpClient]) {
    for reader in readers {
        reader.send_request(&path("k"));
    }
}

#[test]
fn entries_that_expire_while_larder_is_suspended_are_not_served() {
    // The staleness bound is longer than the suspension: only the entry's deadline, on a clock that
    // kept running, prevents a hit.
    let Some(harness) = start(&["--staleness-bound", "60s"]) else { return };
    harness.foreign(&["SET", "k", "old", "PX", "2000"]);
    harness.warm_up("k", "old");
    let mut reader = harness.reader();
    assert!(reader.get(&path("k")).is_hit());
    harness.larder.pause();
    reader.send_request(&path("k"));
    sleep(Duration::from_millis(2500));
    harness.larder.resume();
    assert_eq!(reader.read_response().value(), None);
}
