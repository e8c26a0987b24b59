//! A Larder that was stopped wakes in another world.

use std::thread::sleep;
use std::time::Duration;

use crate::http_client::Reader;
use crate::setup::{HttpHarness, path, start};

#[test]
fn requests_queued_while_larder_was_stopped_get_no_old_value() {
    let Some(harness) = start(&[]) else { return };
    harness.foreign(&["SET", "k", "old"]);
    harness.warm_up("k", "old");
    let mut readers: Vec<Reader> = (0..16).map(|_| harness.reader()).collect();
    for reader in &mut readers {
        assert!(reader.get(&path("k")).is_hit());
    }

    harness.larder.pause();
    let (before, after) = readers.split_at_mut(8);
    ask(before);
    harness.foreign(&["SET", "k", "new"]);
    ask(after);
    // The kernel accepts for a program that does not.
    let mut newcomers: Vec<Reader> = (0..8).map(|_| harness.reader()).collect();
    ask(&mut newcomers);
    sleep(Duration::from_secs(5));
    harness.larder.resume();

    for reader in readers.iter_mut().chain(&mut newcomers) {
        let found = reader.answer();
        assert_eq!(found.value(), Some("new"), "{found:?}");
    }
    harness.warm_up("k", "new");
    harness.assert_coherent();
}

fn ask(readers: &mut [Reader]) {
    for reader in readers {
        reader.ask(&path("k"));
    }
}

#[test]
fn entries_whose_time_ended_while_larder_was_stopped_are_not_served() {
    // The bound is longer than the stop: only the deadline, on a clock that went on, says no.
    let Some(harness) = start(&["--staleness-bound", "60s"]) else { return };
    harness.foreign(&["SET", "k", "old", "PX", "2000"]);
    harness.warm_up("k", "old");
    let mut reader = harness.reader();
    assert!(reader.get(&path("k")).is_hit());
    harness.larder.pause();
    reader.ask(&path("k"));
    sleep(Duration::from_millis(2500));
    harness.larder.resume();
    assert_eq!(reader.answer().value(), None);
}
