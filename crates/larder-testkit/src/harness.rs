//! A Larder in front of a real Redis, started together: what most end-to-end tests begin with.

use std::{
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    Larder, LarderBuilder, RedisBuilder, RedisServer, Relay, eventually, http, require_redis,
};

/// Limit on every wait. Nothing takes this long unless it fails.
pub const LIMIT: Duration = Duration::from_secs(30);

/// A running Redis and a Larder in front of it, with both of Larder's listeners open.
pub struct Harness {
    /// The program under test.
    pub larder: Larder,
    /// The server behind it.
    pub redis: RedisServer,
    relay: Option<Relay>,
    folder: TempDir,
}

/// Settings of a [`Harness`].
pub struct HarnessBuilder {
    program: PathBuf,
    redis: RedisBuilder,
    prepare: Box<dyn FnOnce(&RedisServer)>,
    through: Option<UrlOf>,
    configure: Box<dyn FnOnce(LarderBuilder) -> LarderBuilder>,
    serves_resp: bool,
    has_relay: bool,
}

type UrlOf = Box<dyn FnOnce(&RedisServer) -> String>;

impl Harness {
    /// Returns a builder for `program`, which is `env!("CARGO_BIN_EXE_larder")`.
    pub fn builder(program: impl AsRef<Path>) -> HarnessBuilder {
        HarnessBuilder {
            program: program.as_ref().to_owned(),
            redis: RedisServer::builder(),
            prepare: Box::new(|_| {}),
            through: None,
            configure: Box::new(|larder| larder),
            serves_resp: true,
            has_relay: false,
        }
    }

    /// Returns the relay between Larder and Redis; see [`HarnessBuilder::relay`].
    ///
    /// # Panics
    /// If the harness was built without one.
    pub fn relay(&self) -> &Relay {
        self.relay.as_ref().expect("a harness built with a relay")
    }

    /// Returns the port of the RESP listener.
    pub fn resp_port(&self) -> u16 {
        self.larder.resp_port()
    }

    /// Returns the path of the unix socket of the RESP listener.
    pub fn unix_socket(&self) -> PathBuf {
        self.folder.path().join("larder.sock")
    }

    /// Runs a command directly in Redis, as another client would.
    pub fn foreign(&self, words: &[&str]) {
        self.redis.cmd(words);
    }

    /// Waits until Larder follows a tracked connection newer than `epoch` and is coherent.
    pub fn wait_for_epoch_after(&self, epoch: u64) {
        eventually(LIMIT, &format!("an epoch after {epoch}"), || {
            let stats = self.larder.stats();
            stats["feed"]["epochs"].as_u64() > Some(epoch) && stats["coherent"] == true
        });
    }
}

impl Drop for Harness {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("larder's log:\n{}", self.larder.log());
        }
    }
}

impl HarnessBuilder {
    /// Starts Redis with these settings.
    #[must_use]
    pub fn redis(mut self, redis: RedisBuilder) -> Self {
        self.redis = redis;
        self
    }

    /// Runs this once Redis answers, before Larder starts.
    #[must_use]
    pub fn prepare(mut self, prepare: impl FnOnce(&RedisServer) + 'static) -> Self {
        self.prepare = Box::new(prepare);
        self
    }

    /// Places a relay that can inject faults between Larder and Redis.
    #[must_use]
    pub fn relay(mut self) -> Self {
        self.has_relay = true;
        self
    }

    /// Passes Larder the URL that `through` returns, instead of that of Redis.
    #[must_use]
    pub fn through(mut self, through: impl FnOnce(&RedisServer) -> String + 'static) -> Self {
        self.through = Some(Box::new(through));
        self
    }

    /// Opens no RESP listener.
    #[must_use]
    pub fn no_resp(mut self) -> Self {
        self.serves_resp = false;
        self
    }

    /// Adds flags to Larder's command line.
    #[must_use]
    pub fn flags<T: AsRef<str>>(self, flags: &[T]) -> Self {
        let flags: Vec<String> = flags.iter().map(|flag| flag.as_ref().to_owned()).collect();
        self.configure(move |larder| larder.args(&flags))
    }

    /// Changes other settings of Larder.
    #[must_use]
    pub fn configure(
        mut self,
        configure: impl FnOnce(LarderBuilder) -> LarderBuilder + 'static,
    ) -> Self {
        let earlier = self.configure;
        self.configure = Box::new(|larder| configure(earlier(larder)));
        self
    }

    /// Starts everything and waits until Larder is coherent. `None` if this machine has no Redis.
    ///
    /// # Panics
    /// If a server does not start, or there is no Redis and `LARDER_REQUIRE_ALL=1`.
    pub fn start(self) -> Option<Harness> {
        require_redis().then(|| self.launch())
    }

    fn launch(self) -> Harness {
        let redis = self.redis.start();
        (self.prepare)(&redis);
        let relay = self.has_relay.then(|| Relay::to(redis.addr()));
        let url = match (self.through, &relay) {
            (Some(through), _) => through(&redis),
            (None, Some(relay)) => relay.url(),
            (None, None) => redis.url(),
        };
        let folder = TempDir::with_prefix("larder-harness-").expect("a temporary folder");
        let socket = folder.path().join("larder.sock").display().to_string();
        let larder =
            Larder::builder(&self.program).env("REDIS_URL", url).args(&["--unixsocket", &socket]);
        let larder = if self.serves_resp { larder.resp() } else { larder.args(&["--port", "0"]) };
        let larder = (self.configure)(larder).start();
        larder.wait_until_coherent();
        Harness { larder, redis, relay, folder }
    }
}

impl Larder {
    /// Returns `/v1/stats`.
    pub fn stats(&self) -> Value {
        http::get(&self.url("/v1/stats"), &[]).json()
    }

    /// Returns a number from `/v1/stats`, given its JSON pointer: `count("/feed/epochs")`.
    ///
    /// # Panics
    /// If there is no such number.
    pub fn count(&self, pointer: &str) -> u64 {
        let stats = self.stats();
        let number = stats.pointer(pointer).and_then(Value::as_u64);
        number.unwrap_or_else(|| panic!("no number at {pointer} in {stats}"))
    }

    /// Returns how many reads of RESP clients were answered from memory.
    pub fn resp_hits(&self) -> u64 {
        self.count("/resp/requests/hit")
    }

    /// Waits until cached values may be served.
    pub fn wait_until_coherent(&self) {
        eventually(LIMIT, "larder to be coherent", || self.stats()["coherent"] == true);
    }

    /// Repeats `read` until it returns true and RESP hits were counted meanwhile.
    pub fn wait_for_resp_hit(&self, what: &str, mut read: impl FnMut() -> bool) {
        eventually(LIMIT, &format!("{what} to be served from memory"), || {
            let before = self.resp_hits();
            read() && self.resp_hits() > before
        });
    }
}
