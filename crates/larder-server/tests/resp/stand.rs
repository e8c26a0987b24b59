//! A Redis and a Larder with an open RESP listener before it, started together.

use std::path::PathBuf;
use std::time::Duration;

use larder_testkit::{
    Larder, LarderBuilder, RedisBuilder, RedisServer, Relay, eventually, free_port, http,
    require_redis,
};
use serde_json::Value;
use tempfile::TempDir;

use crate::wire::Wire;

/// Nothing that is waited for takes this long unless it fails.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

pub(crate) struct Stand {
    pub(crate) larder: Larder,
    pub(crate) redis: RedisServer,
    pub(crate) port: u16,
    folder: TempDir,
}

impl Stand {
    /// Starts both with Larder's flags. `None` where there is no Redis to test with.
    pub(crate) fn start(flags: &[&str]) -> Option<Self> {
        Self::start_with(RedisServer::builder(), |larder| larder.args(flags))
    }

    /// As [`Stand::start`], with other settings of both.
    pub(crate) fn start_with(
        redis: RedisBuilder,
        set: impl FnOnce(LarderBuilder) -> LarderBuilder,
    ) -> Option<Self> {
        if !require_redis() {
            return None;
        }
        let redis = redis.start();
        let url = redis.url();
        Some(Self::before(redis, &url, set))
    }

    /// A Larder whose way to its Redis can be disturbed.
    pub(crate) fn start_with_relay(flags: &[&str]) -> Option<(Self, Relay)> {
        if !require_redis() {
            return None;
        }
        let redis = RedisServer::start();
        let relay = Relay::to(redis.addr());
        let stand = Self::before(redis, &relay.url(), |larder| larder.args(flags));
        Some((stand, relay))
    }

    pub(crate) fn before(
        redis: RedisServer,
        url: &str,
        set: impl FnOnce(LarderBuilder) -> LarderBuilder,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let socket = folder.path().join("larder.sock");
        let larder = Larder::builder(env!("CARGO_BIN_EXE_larder")).env("REDIS_URL", url).args(&[
            "--port",
            &port.to_string(),
            "--unixsocket",
            socket.to_str().unwrap(),
        ]);
        let stand = Self { larder: set(larder).start(), redis, port, folder };
        eventually(LIMIT, "larder to be coherent", || stand.stats()["coherent"] == true);
        stand
    }

    /// A connection through Larder, in RESP2.
    pub(crate) fn wire(&self) -> Wire {
        Wire::open(self.port)
    }

    /// A connection past Larder, in RESP2.
    pub(crate) fn direct(&self) -> Wire {
        Wire::open(self.redis.port())
    }

    /// Larder's unix socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("larder.sock")
    }

    pub(crate) fn stats(&self) -> Value {
        http::get(&self.larder.url("/v1/stats"), &[]).json()
    }

    /// A number in the statistics: `count("/resp/clients")`.
    pub(crate) fn count(&self, pointer: &str) -> u64 {
        self.stats().pointer(pointer).and_then(Value::as_u64).unwrap()
    }

    /// How many reads were answered from memory.
    pub(crate) fn hits(&self) -> u64 {
        self.count("/resp/requests/hit")
    }

    /// Asks for the same until it is answered from memory; every reply must be this one.
    pub(crate) fn heat(&self, wire: &mut Wire, line: &str, expected: &str) {
        eventually(LIMIT, &format!("{line} to be served from memory"), || {
            let before = self.hits();
            wire.expect(line, expected);
            self.hits() > before
        });
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("larder's log:\n{}", self.larder.log());
        }
    }
}
