//! A Redis and a Larder before it that speaks TLS to one side or to both.

use std::path::Path;
use std::time::Duration;

use larder_testkit::{
    Authority, Larder, RedisBuilder, RedisServer, Signed, eventually, free_port, http,
    require_redis,
};
use serde_json::Value;

use crate::wire::Wire;

/// Nothing that is waited for takes this long unless it fails.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);
/// Whom the certificate of a server on this machine names.
pub(crate) const HERE: &[&str] = &["localhost", "127.0.0.1"];

pub(crate) struct Stand {
    pub(crate) larder: Larder,
    _redis: RedisServer,
    pub(crate) authority: Authority,
    /// Where clients speak TLS.
    pub(crate) port: u16,
}

impl Stand {
    /// A Larder that speaks TLS to its clients, with these flags. `None` where there is no Redis
    /// to test with.
    pub(crate) fn start(flags: &[&str]) -> Option<Self> {
        Self::start_with(|_| flags.iter().map(|&flag| flag.to_owned()).collect())
    }

    /// As [`Stand::start`], with flags that depend on the authority.
    pub(crate) fn start_with(flags: impl FnOnce(&Authority) -> Vec<String>) -> Option<Self> {
        if !require_redis() {
            return None;
        }
        let redis = RedisServer::start();
        let (authority, port) = (Authority::new(), free_port());
        let signed = authority.sign(HERE);
        let larder = Larder::builder(env!("CARGO_BIN_EXE_larder"))
            .env("REDIS_URL", redis.url())
            .args(&["--port", "0", "--tls-port", &port.to_string()])
            .args(&["--tls-cert-file", text(&signed.certificate)])
            .args(&["--tls-key-file", text(&signed.key)])
            .args(&flags(&authority))
            .start();
        let stand = Self { larder, _redis: redis, authority, port };
        eventually(LIMIT, "larder to be coherent", || stats(&stand.larder)["coherent"] == true);
        Some(stand)
    }

    /// A client that trusts the authority.
    pub(crate) fn wire(&self) -> Wire {
        Wire::open(self.port, &self.authority, None).unwrap()
    }

    /// How many clients have shaken hands and are still here.
    pub(crate) fn clients(&self) -> u64 {
        stats(&self.larder)["resp"]["clients"].as_u64().unwrap()
    }

    /// How many reads were answered from memory.
    pub(crate) fn hits(&self) -> u64 {
        hits(&self.larder)
    }

    /// Asks for the same until it is answered from memory; every reply must be this one.
    pub(crate) fn heat(&self, wire: &mut Wire, line: &str, expected: &[u8]) {
        eventually(LIMIT, &format!("{line} to be served from memory"), || {
            let before = self.hits();
            assert!(wire.line(line) == expected, "{line}");
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

pub(crate) fn stats(larder: &Larder) -> Value {
    http::get(&larder.url("/v1/stats"), &[]).json()
}

pub(crate) fn hits(larder: &Larder) -> u64 {
    stats(larder)["resp"]["requests"]["hit"].as_u64().unwrap()
}

/// A Larder that clients reach without TLS, before a Redis that it reaches with it.
pub(crate) struct Behind {
    pub(crate) larder: Larder,
    pub(crate) port: u16,
}

impl Behind {
    /// Starts with these flags, and waits for nothing.
    pub(crate) fn start(url: &str, flags: &[&str]) -> Self {
        Self::start_in(url, flags, ("RUST_LOG", "info"))
    }

    /// As [`Behind::start`], with a variable.
    pub(crate) fn start_in(url: &str, flags: &[&str], variable: (&str, &str)) -> Self {
        let port = free_port();
        let larder = Larder::builder(env!("CARGO_BIN_EXE_larder"))
            .env("REDIS_URL", url)
            .env(variable.0, variable.1)
            .args(&["--port", &port.to_string()])
            .args(flags)
            .start();
        Self { larder, port }
    }

    /// Waits until hits are possible.
    pub(crate) fn coherent(self) -> Self {
        eventually(LIMIT, "larder to be coherent", || stats(&self.larder)["coherent"] == true);
        self
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("larder's log:\n{}", self.larder.log());
        }
    }
}

/// A Redis that speaks TLS as who is `signed`, and asks its clients for certificates or not.
pub(crate) fn redis(authority: &Authority, signed: &Signed, asks: bool) -> RedisServer {
    RedisBuilder::default().tls(authority, signed, asks).start()
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
