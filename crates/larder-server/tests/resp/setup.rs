//! What these tests add to the [`Harness`]: connections that show the bytes of replies.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use larder_testkit::{ConnectionFilter, Direction, Harness};

use crate::resp_client::RespClient;

/// Starts a Larder with these flags. `None` if this machine has no Redis.
pub(crate) fn start(flags: &[&str]) -> Option<Harness> {
    Harness::builder(env!("CARGO_BIN_EXE_larder")).flags(flags).start()
}

/// Like [`start`], with a relay between Larder and Redis.
pub(crate) fn start_with_relay(flags: &[&str]) -> Option<Harness> {
    Harness::builder(env!("CARGO_BIN_EXE_larder")).relay().flags(flags).start()
}

pub(crate) trait RespHarness {
    /// Opens a connection through Larder, in RESP2.
    fn wire(&self) -> RespClient;
    /// Opens a connection to Redis itself, in RESP2.
    fn direct(&self) -> RespClient;
    /// Repeats a read until it is answered from memory. Every reply must be the expected one.
    fn warm_up(&self, wire: &mut RespClient, line: &str, expected: &str);
}

impl RespHarness for Harness {
    fn wire(&self) -> RespClient {
        RespClient::open(self.resp_port())
    }

    fn direct(&self) -> RespClient {
        RespClient::open(self.redis.port())
    }

    fn warm_up(&self, wire: &mut RespClient, line: &str, expected: &str) {
        self.larder.wait_for_resp_hit(line, || {
            wire.expect(line, expected);
            true
        });
    }
}

/// Runs something while connections are delayed and the tracking connection is cut now and then.
pub(crate) fn over_bad_network(harness: &Harness, run: impl FnOnce()) {
    let done = AtomicBool::new(false);
    thread::scope(|threads| {
        threads.spawn(|| disturb(harness, &done));
        let ran = catch_unwind(AssertUnwindSafe(run));
        done.store(true, SeqCst);
        ran.unwrap_or_else(|panic| resume_unwind(panic));
    });
}

fn disturb(harness: &Harness, done: &AtomicBool) {
    for turn in 0_u64.. {
        if done.load(SeqCst) {
            break;
        }
        for (at, direction) in [Direction::ToClient, Direction::ToServer].into_iter().enumerate() {
            let micros = (turn * 7_919 + at as u64 * 104_729) % 2_000;
            let delay = Duration::from_micros(micros);
            harness.relay().delay(ConnectionFilter::All, direction, delay);
        }
        // Seldom enough for the pause before a reconnection to stay short.
        if turn % 150 == 10 {
            harness.relay().cut(ConnectionFilter::Sent("TRACKING"));
        }
        thread::sleep(Duration::from_millis(20));
    }
}
