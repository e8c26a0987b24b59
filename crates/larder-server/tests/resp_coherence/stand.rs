//! A Redis, a relay and a Larder behind it with an open RESP listener, started together.

use std::time::Duration;

use larder_testkit::{
    Larder, RedisBuilder, RedisServer, Relay, Which, eventually, free_port, http, require_redis,
};
use serde_json::Value;

use crate::client::{Answer, Client};

/// Nothing that is waited for takes this long unless it fails.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);
/// The connection on which fills and the feed travel.
pub(crate) const TRACKED: Which = Which::Sent("TRACKING");

pub(crate) struct Stand {
    pub(crate) door: Door,
    pub(crate) relay: Relay,
    pub(crate) redis: RedisServer,
}

/// A Larder and where its clients connect.
pub(crate) struct Door {
    pub(crate) larder: Larder,
    port: u16,
}

impl Stand {
    /// Starts with these flags of Larder and waits until hits are possible. `None` where there is
    /// no Redis to test with.
    pub(crate) fn start(flags: &[&str]) -> Option<Self> {
        Self::start_before(RedisServer::builder(), flags, |_| {})
    }

    /// As [`Stand::start`], before such a Redis, which is `prepare`d first.
    pub(crate) fn start_before(
        redis: RedisBuilder,
        flags: &[&str],
        prepare: impl FnOnce(&RedisServer),
    ) -> Option<Self> {
        if !require_redis() {
            return None;
        }
        let redis = redis.start();
        prepare(&redis);
        let relay = Relay::to(redis.addr());
        let door = Door::open(&relay.url(), flags);
        Some(Self { door, relay, redis })
    }

    /// A second Larder, straight before the same Redis.
    pub(crate) fn another(&self) -> Door {
        Door::open(&self.redis.url(), &[])
    }

    /// A client of Larder.
    pub(crate) fn client(&self) -> Client {
        self.door.client()
    }

    /// A client of Redis itself.
    pub(crate) fn foreign(&self) -> Client {
        Client::connect(self.redis.port())
    }

    /// See [`Door::heat`].
    pub(crate) fn heat(&self, client: &mut Client, line: &str, answer: impl Into<Answer>) {
        self.door.heat(client, line, answer);
    }

    /// Sees writes made elsewhere: proof that it is coherent, not merely says so.
    pub(crate) fn proves_coherent(&self) {
        eventually(LIMIT, "larder to be coherent", || self.door.stats()["coherent"] == true);
        let mut foreign = self.foreign();
        for value in ["one", "two"] {
            foreign.call(&format!("SET proof {value}"));
            self.door.heat_soon(&mut self.client(), "GET proof", value);
        }
    }
}

impl Door {
    pub(crate) fn open(url: &str, flags: &[&str]) -> Self {
        let port = free_port();
        let larder = Larder::builder(env!("CARGO_BIN_EXE_larder"))
            .env("REDIS_URL", url)
            .args(&["--port", &port.to_string()])
            .args(flags)
            .start();
        let door = Self { larder, port };
        eventually(LIMIT, "larder to be coherent", || door.stats()["coherent"] == true);
        // It knows what its Redis can do only after it has asked.
        let mut client = door.client();
        if let Some(at) = flags.iter().position(|flag| *flag == "--requirepass") {
            client.expect(&format!("AUTH {}", flags[at + 1]), "OK");
        }
        door.heat(&mut client, "HGET no-such-key f", Answer::Nil);
        door
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.port)
    }

    /// Asks until the reply comes from memory; each must be this one.
    pub(crate) fn heat(&self, client: &mut Client, line: &str, answer: impl Into<Answer>) {
        let answer = answer.into();
        self.heat_when(client, line, |found| {
            assert_eq!(*found, answer, "{line}");
            true
        });
    }

    /// As [`Door::heat`], where an earlier value may come first.
    pub(crate) fn heat_soon(&self, client: &mut Client, line: &str, answer: impl Into<Answer>) {
        let answer = answer.into();
        self.heat_when(client, line, |found| *found == answer);
    }

    fn heat_when(&self, client: &mut Client, line: &str, is_it: impl Fn(&Answer) -> bool) {
        eventually(LIMIT, &format!("{line} to be served from memory"), || {
            let hits = self.hits();
            is_it(&client.call(line)) && self.hits() > hits
        });
    }

    /// How many reads of RESP clients were answered from memory.
    pub(crate) fn hits(&self) -> u64 {
        self.count("/resp/requests/hit")
    }

    pub(crate) fn stats(&self) -> Value {
        http::get(&self.larder.url("/v1/stats"), &[]).json()
    }

    /// A number in the statistics: `count("/feed/epochs")`.
    pub(crate) fn count(&self, pointer: &str) -> u64 {
        self.stats().pointer(pointer).and_then(Value::as_u64).unwrap()
    }
}
