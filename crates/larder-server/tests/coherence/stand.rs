//! A Redis, a relay and a Larder behind it, started together.

use std::time::Duration;

use larder_testkit::{Larder, LarderBuilder, RedisServer, Relay, eventually, http, require_redis};
use serde_json::Value;

use crate::reader::{Found, Reader};

/// Nothing that is waited for takes this long unless it fails.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

pub(crate) struct Stand {
    pub(crate) larder: Larder,
    pub(crate) relay: Relay,
    pub(crate) redis: RedisServer,
}

/// A Larder over this Redis, to be started.
pub(crate) fn larder(redis_url: &str) -> LarderBuilder {
    Larder::builder(env!("CARGO_BIN_EXE_larder")).env("REDIS_URL", redis_url)
}

impl Stand {
    /// Starts with these flags and waits until hits are possible. `None` where there is no Redis to
    /// test with.
    pub(crate) fn start(flags: &[&str]) -> Option<Self> {
        Self::start_with(|larder| larder.args(flags))
    }

    /// As [`Stand::start`], with other settings than flags.
    pub(crate) fn start_with(set: impl FnOnce(LarderBuilder) -> LarderBuilder) -> Option<Self> {
        if !require_redis() {
            return None;
        }
        let redis = RedisServer::start();
        let relay = Relay::to(redis.addr());
        let larder = set(larder(&relay.url())).start();
        until_coherent(&larder);
        Some(Self { larder, relay, redis })
    }

    pub(crate) fn reader(&self) -> Reader {
        Reader::connect(self.larder.port())
    }

    /// A command of somebody else, past Larder.
    pub(crate) fn foreign(&self, words: &[&str]) {
        self.redis.cmd(words);
    }

    /// Reads a key until it is served from memory, with this value.
    pub(crate) fn heat(&self, key: &str, value: &str) {
        heat(&self.larder, key, value);
    }

    /// Sets a key through Larder; gives the status.
    pub(crate) fn put(&self, key: &str, value: &str) -> u16 {
        http::put(&self.larder.url(&path(key)), &[], value.to_owned()).status
    }

    pub(crate) fn stats(&self) -> Value {
        stats(&self.larder)
    }

    /// A number in the statistics: `count("/feed/epochs")`.
    pub(crate) fn count(&self, pointer: &str) -> u64 {
        self.stats().pointer(pointer).and_then(Value::as_u64).unwrap()
    }

    /// Waits until the feed's connection is another than in `epoch`, and hits are possible.
    pub(crate) fn is_coherent_in_an_epoch_after(&self, epoch: u64) {
        eventually(LIMIT, &format!("an epoch after {epoch}"), || {
            let stats = self.stats();
            stats["feed"]["epochs"].as_u64() > Some(epoch) && stats["coherent"] == true
        });
    }

    /// Sees a write made elsewhere: proof that it is coherent, not merely says so.
    pub(crate) fn proves_coherent(&self) {
        until_coherent(&self.larder);
        for value in ["one", "two"] {
            self.foreign(&["SET", "proof", value]);
            self.heat("proof", value);
        }
    }
}

/// Waits until hits are possible.
pub(crate) fn until_coherent(larder: &Larder) {
    eventually(LIMIT, "larder to be coherent", || stats(larder)["coherent"] == true);
}

/// Reads a key until it is served from memory, with this value.
pub(crate) fn heat(larder: &Larder, key: &str, value: &str) {
    let mut reader = Reader::connect(larder.port());
    let mut found = None;
    let hot = |found: &Found| found.is_hit() && found.value() == Some(value);
    eventually(LIMIT, &format!("{key} to be served from memory as {value:?}"), || {
        hot(found.insert(reader.get(&path(key))))
    });
}

/// `/v1/stats`.
pub(crate) fn stats(larder: &Larder) -> Value {
    http::get(&larder.url("/v1/stats"), &[]).json()
}

/// Where a key is read and written.
pub(crate) fn path(key: &str) -> String {
    format!("/v1/keys/{key}")
}
