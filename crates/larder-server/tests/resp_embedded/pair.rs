//! A Larder without a Redis, and a Redis to compare it with.

use std::time::Duration;

use larder_testkit::{Larder, LarderBuilder, RedisServer, free_port, require_redis};

use crate::wire::Wire;

/// Nothing that is waited for takes this long unless it fails.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// A Larder that keeps its keys itself.
pub(crate) struct Alone {
    pub(crate) larder: Larder,
    pub(crate) port: u16,
}

impl Alone {
    pub(crate) fn start(flags: &[&str]) -> Self {
        Self::start_with(|larder| larder.args(flags))
    }

    pub(crate) fn start_with(set: impl FnOnce(LarderBuilder) -> LarderBuilder) -> Self {
        let port = free_port();
        let larder = Larder::builder(env!("CARGO_BIN_EXE_larder"));
        let larder = set(larder.args(&["--port", &port.to_string()])).start();
        Self { larder, port }
    }

    pub(crate) fn wire(&self) -> Wire {
        Wire::open(self.port)
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let log = self.larder.log();
            assert!(!log.contains("panicked"), "{log}");
        }
    }
}

/// Both.
pub(crate) struct Pair {
    pub(crate) redis: RedisServer,
    pub(crate) alone: Alone,
}

impl Pair {
    /// `None` where there is no Redis to compare with.
    pub(crate) fn start() -> Option<Self> {
        require_redis().then(|| Self { redis: RedisServer::start(), alone: Alone::start(&[]) })
    }

    /// A client of both, in this protocol version.
    pub(crate) fn both(&self, version: &str) -> Both {
        let open = |port| match version {
            "2" => Wire::open(port),
            version => Wire::open(port).speaking(version),
        };
        Both { redis: open(self.redis.port()), larder: open(self.alone.port) }
    }
}

/// The same client at both.
pub(crate) struct Both {
    pub(crate) redis: Wire,
    pub(crate) larder: Wire,
}

/// How alike two replies must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alike {
    /// The same bytes.
    Exactly,
    /// Numbers that count time from two moments close to each other.
    Nearly,
    /// The same elements in any order.
    InAnyOrder,
}

/// Milliseconds, or seconds, between the same command here and there: generous, for a slow machine.
const APART_MAX: i64 = 5_000;

impl Alike {
    pub(crate) fn holds(self, redis: &[u8], larder: &[u8]) -> bool {
        match self {
            Self::Exactly => redis == larder,
            Self::Nearly => match (number(redis), number(larder)) {
                (Some(redis), Some(larder)) if redis > 0 => (redis - larder).abs() <= APART_MAX,
                _ => redis == larder,
            },
            Self::InAnyOrder => sorted(redis) == sorted(larder),
        }
    }
}

fn number(reply: &[u8]) -> Option<i64> {
    let digits = reply.strip_prefix(b":")?.strip_suffix(b"\r\n")?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn sorted(reply: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<_> = reply.split(|byte| *byte == b'\n').collect();
    lines.sort_unstable();
    lines
}
