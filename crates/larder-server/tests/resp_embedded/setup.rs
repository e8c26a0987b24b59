//! A Larder with the embedded store, and a Redis to compare it with.

use std::time::Duration;

use larder_testkit::{Larder, LarderBuilder, RedisServer, TestServer, require_server};

use crate::resp_client::RespClient;

/// Maximum time to wait for a condition.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// A Larder with the embedded store.
pub(crate) struct Embedded {
    pub(crate) larder: Larder,
    pub(crate) port: u16,
}

impl Embedded {
    pub(crate) fn start(flags: &[&str]) -> Self {
        Self::start_with(|larder| larder.args(flags))
    }

    pub(crate) fn start_with(set: impl FnOnce(LarderBuilder) -> LarderBuilder) -> Self {
        let larder = set(Larder::builder(env!("CARGO_BIN_EXE_larder")).resp()).start();
        let port = larder.resp_port();
        Self { larder, port }
    }

    pub(crate) fn client(&self) -> RespClient {
        RespClient::open(self.port)
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let log = self.larder.log();
            assert!(!log.contains("panicked"), "{log}");
        }
    }
}

/// The two servers whose replies are compared. Without a store, Larder replies as Redis 7.0 does,
/// whatever server the other tests run with.
pub(crate) struct Servers {
    pub(crate) redis: RedisServer,
    pub(crate) larder: Embedded,
}

impl Servers {
    /// Starts both servers. Returns `None` if no Redis is installed.
    pub(crate) fn start() -> Option<Self> {
        require_server(&TestServer::Redis7).then(|| Self {
            redis: RedisServer::builder().server(TestServer::Redis7).start(),
            larder: Embedded::start(&[]),
        })
    }

    /// Connects one client to each server with this version of RESP.
    pub(crate) fn clients(&self, version: &str) -> ClientPair {
        let open = |port| match version {
            "2" => RespClient::open(port),
            version => RespClient::open(port).speaking(version),
        };
        ClientPair { redis: open(self.redis.port()), larder: open(self.larder.port) }
    }
}

/// A client of Redis and a client of Larder that send the same commands.
pub(crate) struct ClientPair {
    pub(crate) redis: RespClient,
    pub(crate) larder: RespClient,
}

/// How two replies are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// The same bytes.
    Exact,
    /// Times that may differ by at most [`TIME_DIFFERENCE_MAX`].
    Approximate,
    /// The same elements in any order.
    AnyOrder,
}

/// Maximum difference between two times, in the unit of the replies. Generous, for slow machines.
const TIME_DIFFERENCE_MAX: i64 = 5_000;

impl Comparison {
    pub(crate) fn matches(self, redis: &[u8], larder: &[u8]) -> bool {
        match self {
            Self::Exact => redis == larder,
            Self::Approximate => match (number(redis), number(larder)) {
                (Some(redis), Some(larder)) if redis > 0 => {
                    (redis - larder).abs() <= TIME_DIFFERENCE_MAX
                }
                _ => redis == larder,
            },
            Self::AnyOrder => sorted(redis) == sorted(larder),
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
