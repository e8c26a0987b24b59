//! What these tests add to the [`Harness`]: connections that show the bytes of replies.

use larder_testkit::Harness;

use crate::wire::Wire;

/// Starts a Larder with these flags. `None` if this machine has no Redis.
pub(crate) fn start(flags: &[&str]) -> Option<Harness> {
    Harness::builder(env!("CARGO_BIN_EXE_larder")).flags(flags).start()
}

/// Like [`start`], with a relay between Larder and Redis.
pub(crate) fn start_with_relay(flags: &[&str]) -> Option<Harness> {
    Harness::builder(env!("CARGO_BIN_EXE_larder")).relay().flags(flags).start()
}

pub(crate) trait WireHarness {
    /// Opens a connection through Larder, in RESP2.
    fn wire(&self) -> Wire;
    /// Opens a connection to Redis itself, in RESP2.
    fn direct(&self) -> Wire;
    /// Repeats a read until it is answered from memory. Every reply must be the expected one.
    fn warm_up(&self, wire: &mut Wire, line: &str, expected: &str);
}

impl WireHarness for Harness {
    fn wire(&self) -> Wire {
        Wire::open(self.resp_port())
    }

    fn direct(&self) -> Wire {
        Wire::open(self.redis.port())
    }

    fn warm_up(&self, wire: &mut Wire, line: &str, expected: &str) {
        self.larder.wait_for_resp_hit(line, || {
            wire.expect(line, expected);
            true
        });
    }
}
