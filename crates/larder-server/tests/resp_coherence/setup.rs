//! What these tests add to the [`Harness`]: a relay in front of Redis, and Redis clients.

use larder_testkit::{ConnectionFilter, Harness, HarnessBuilder, Larder};

use crate::client::{Client, Reply};

/// The connection that carries fills and invalidations.
pub(crate) const TRACKED: ConnectionFilter = ConnectionFilter::Sent("TRACKING");

/// Starts a Larder with these flags behind a relay. `None` if this machine has no Redis.
pub(crate) fn start(flags: &[&str]) -> Option<Harness> {
    start_harness(harness(), flags)
}

/// Returns a builder with a relay, to be started by [`start_harness`].
pub(crate) fn harness() -> HarnessBuilder {
    Harness::builder(env!("CARGO_BIN_EXE_larder")).relay()
}

pub(crate) fn start_harness(builder: HarnessBuilder, flags: &[&str]) -> Option<Harness> {
    builder.flags(flags).start()
}

/// A Larder without a harness, in front of a Redis that runs already.
pub(crate) struct Standalone {
    pub(crate) larder: Larder,
}

impl Standalone {
    pub(crate) fn start(redis_url: &str, flags: &[&str]) -> Self {
        let larder = Larder::builder(env!("CARGO_BIN_EXE_larder"))
            .env("REDIS_URL", redis_url)
            .resp()
            .args(flags)
            .start();
        larder.wait_until_coherent();
        Self { larder }
    }
}

/// Clients of the Larder in a [`Harness`] or a [`Standalone`].
pub(crate) trait ClientHarness {
    fn running(&self) -> (&Larder, u16);

    /// Connects a client of Larder.
    fn client(&self) -> Client {
        Client::connect(self.running().1)
    }

    /// Repeats a read until it is served from memory. Asserts every reply.
    fn warm_up(&self, client: &mut Client, line: &str, reply: impl Into<Reply>) {
        warm_up(self.running().0, client, line, &reply.into());
    }

    /// Like [`ClientHarness::warm_up`], but earlier replies may differ.
    fn warm_up_eventually(&self, client: &mut Client, line: &str, reply: impl Into<Reply>) {
        let reply = reply.into();
        self.running().0.wait_for_resp_hit(line, || client.call(line) == reply);
    }
}

impl ClientHarness for Harness {
    fn running(&self) -> (&Larder, u16) {
        (&self.larder, self.resp_port())
    }
}

impl ClientHarness for Standalone {
    fn running(&self) -> (&Larder, u16) {
        (&self.larder, self.larder.resp_port())
    }
}

pub(crate) trait RedisHarness {
    /// Connects a client of Redis itself.
    fn foreign_client(&self) -> Client;
    /// Starts a second Larder straight in front of the same Redis.
    fn another(&self) -> Standalone;
    /// Asserts coherence by writes of another client, instead of trusting the statistics.
    fn assert_coherent(&self);
}

impl RedisHarness for Harness {
    fn foreign_client(&self) -> Client {
        Client::connect(self.redis.port())
    }

    fn another(&self) -> Standalone {
        Standalone::start(&self.redis.url(), &[])
    }

    fn assert_coherent(&self) {
        self.larder.wait_until_coherent();
        let mut foreign = self.foreign_client();
        for value in ["one", "two"] {
            foreign.call(&format!("SET proof {value}"));
            self.warm_up_eventually(&mut self.client(), "GET proof", value);
        }
    }
}

fn warm_up(larder: &Larder, client: &mut Client, line: &str, reply: &Reply) {
    larder.wait_for_resp_hit(line, || {
        assert_eq!(client.call(line), *reply, "{line}");
        true
    });
}
