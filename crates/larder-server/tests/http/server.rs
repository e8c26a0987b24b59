//! A Larder under test. Dropping it fails the test if the server has panicked.

use std::ops::Deref;

use larder_testkit::{Larder, LarderBuilder};

use crate::wire::{Answer, Wire, request};

pub(crate) const LARDER: &str = env!("CARGO_BIN_EXE_larder");

/// Turns off the RESP listener, whose default port may be taken.
const ALONE: [&str; 2] = ["--port", "0"];

pub(crate) struct Server(Larder);

impl Server {
    /// Starts a server over the memory store.
    pub(crate) fn start(flags: &[&str]) -> Self {
        Self::start_with(|larder| larder.args(flags))
    }

    pub(crate) fn start_with(set: impl FnOnce(LarderBuilder) -> LarderBuilder) -> Self {
        Self(set(builder()).start())
    }

    /// Starts a server through another program.
    pub(crate) fn run(program: &str, args: &[&str]) -> Self {
        Self(Larder::builder(program).args(args).args(&ALONE).start())
    }

    pub(crate) fn wire(&self) -> Wire {
        Wire::connect(self.port())
    }

    pub(crate) fn get(&self, target: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", target, headers, b"")
    }

    pub(crate) fn put(&self, target: &str, body: impl AsRef<[u8]>) -> Answer {
        self.send("PUT", target, &[], body.as_ref())
    }

    /// Sends one request on a connection of its own, with the target exactly as given.
    pub(crate) fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut wire = self.wire();
        wire.write(&request(method, target, headers, body));
        wire.answer_to(method)
    }

    /// Asserts that the server still serves other clients.
    pub(crate) fn still_serves(&self) {
        assert_eq!(self.put("/v1/keys/still", "serves").status, 204);
        assert_eq!(self.get("/v1/keys/still", &[]).text(), "serves");
    }
}

/// Returns a builder for a server with the HTTP listener alone.
pub(crate) fn builder() -> LarderBuilder {
    Larder::builder(LARDER).args(&ALONE)
}

impl Deref for Server {
    type Target = Larder;

    fn deref(&self) -> &Larder {
        &self.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let log = self.log();
            assert!(!log.contains("panicked"), "{log}");
        }
    }
}
