//! What becomes of clients when the server is asked to stop.

use std::time::Duration;

use larder_testkit::{Harness, LIMIT, Signal, eventually};

use crate::setup::{RespHarness, start};

/// `docker stop` kills a container after this time. The drain timeout of these tests is longer.
const WITHIN_DOCKERS_GRACE: Duration = Duration::from_secs(10);

fn assert_stops_early(harness: &Harness) {
    let (status, took) = harness.larder.terminate();
    assert!(status.success() && took < WITHIN_DOCKERS_GRACE, "{status} after {took:?}");
    assert!(harness.larder.log().contains("drained"), "{}", harness.larder.log());
}

#[test]
fn a_client_in_a_blocking_command_does_not_delay_the_stop() {
    let Some(harness) = start(&["--drain-timeout", "60s"]) else { return };
    let mut blocked = harness.wire();
    blocked.send(b"SET k v\r\nBLPOP queue 0\r\n");
    blocked.expect_next("+OK");
    eventually(LIMIT, "the client to block", || {
        harness.redis.info("clients", "blocked_clients").as_deref() == Some("1")
    });
    assert_stops_early(&harness);
    assert!(blocked.is_closed());
    // Redis has closed it too: what is pushed now is not lost.
    harness.foreign(&["RPUSH", "queue", "item"]);
    harness.direct().expect("LLEN queue", ":1");
}

#[test]
fn a_client_that_does_not_read_does_not_delay_the_stop() {
    let Some(harness) = start(&["--drain-timeout", "60s"]) else { return };
    harness.foreign(&["SET", "large", &"v".repeat(1 << 20)]);
    let mut wire = harness.wire();
    wire.send(&b"GET large\r\n".repeat(64));
    eventually(LIMIT, "the reads to begin", || harness.redis.command_calls("get") > 0);
    assert_stops_early(&harness);
}

#[test]
fn a_client_that_has_sent_half_a_command_does_not_delay_the_stop() {
    let Some(harness) = start(&["--drain-timeout", "60s"]) else { return };
    let mut wire = harness.wire();
    wire.send(b"PING\r\n*2\r\n$3\r\nGET\r\n");
    wire.expect_next("+PONG");
    assert_stops_early(&harness);
}

/// The command takes longer than a client that does not read, or blocks, is waited for.
#[test]
fn a_slow_command_is_answered_before_the_stop() {
    let Some(harness) = start(&["--drain-timeout", "60s"]) else { return };
    let mut wire = harness.wire();
    wire.expect("PING", "+PONG");
    wire.send(b"DEBUG SLEEP 4\r\n");
    eventually(LIMIT, "Redis to sleep", || harness.larder.stats()["coherent"] == false);
    harness.larder.signal(Signal::TERM);
    wire.expect_next("+OK");
    assert!(harness.larder.wait().success());
    assert!(harness.larder.log().contains("drained"), "{}", harness.larder.log());
}
