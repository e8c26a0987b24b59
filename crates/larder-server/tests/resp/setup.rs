//! What these tests add to the [`Harness`]: connections that show the bytes of replies.

use larder_testkit::Harness;

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
