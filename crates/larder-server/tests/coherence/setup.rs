//! What these tests add to the [`Harness`]: a relay in front of Redis, and clients over HTTP.

use larder_testkit::{Harness, LIMIT, Larder, LarderBuilder, eventually, http};

use crate::http_client::{Found, HttpClient};

/// Starts a Larder with these flags behind a relay. `None` if this machine has no Redis.
pub(crate) fn start(flags: &[&str]) -> Option<Harness> {
    Harness::builder(env!("CARGO_BIN_EXE_larder")).relay().flags(flags).start()
}

/// Like [`start`], with a settings file.
pub(crate) fn start_with_config(flags: &[&str], toml: &str) -> Option<Harness> {
    let toml = toml.to_owned();
    Harness::builder(env!("CARGO_BIN_EXE_larder"))
        .relay()
        .flags(flags)
        .configure(|larder| larder.config_text(toml))
        .start()
}

/// Returns a builder of a Larder in front of this Redis, without a harness.
pub(crate) fn larder(redis_url: &str) -> LarderBuilder {
    Larder::builder(env!("CARGO_BIN_EXE_larder")).env("REDIS_URL", redis_url)
}

pub(crate) trait HttpHarness {
    fn reader(&self) -> HttpClient;
    /// Reads a key until it is served from memory with this value.
    fn warm_up(&self, key: &str, value: &str);
    /// Sets a key through Larder and returns the status.
    fn put(&self, key: &str, value: &str) -> u16;
    /// Asserts coherence by writes of another client, instead of trusting the statistics.
    fn assert_coherent(&self);
}

impl HttpHarness for Harness {
    fn reader(&self) -> HttpClient {
        HttpClient::connect(self.larder.port())
    }

    fn warm_up(&self, key: &str, value: &str) {
        warm_up(&self.larder, key, value);
    }

    fn put(&self, key: &str, value: &str) -> u16 {
        http::put(&self.larder.url(&path(key)), &[], value.to_owned()).status
    }

    fn assert_coherent(&self) {
        self.larder.wait_until_coherent();
        for value in ["one", "two"] {
            self.foreign(&["SET", "proof", value]);
            self.warm_up("proof", value);
        }
    }
}

/// Reads a key until it is served from memory with this value.
pub(crate) fn warm_up(larder: &Larder, key: &str, value: &str) {
    let mut reader = HttpClient::connect(larder.port());
    let mut found = None;
    let hot = |found: &Found| found.is_hit() && found.value() == Some(value);
    eventually(LIMIT, &format!("{key} to be served from memory as {value:?}"), || {
        hot(found.insert(reader.get(&path(key))))
    });
}

/// Returns the path at which a key is read and written.
pub(crate) fn path(key: &str) -> String {
    format!("/v1/keys/{key}")
}
