//! The server under test. Dropping it fails the test if the server panicked.

use std::ops::Deref;

use larder_testkit::{Larder, LarderBuilder};

use crate::client::{Client, Response, request};

pub(crate) const LARDER: &str = env!("CARGO_BIN_EXE_larder");

/// Turns off the RESP listener, because its default port may be taken.
const HTTP_ONLY: [&str; 2] = ["--port", "0"];

pub(crate) struct Server(Larder);

impl Server {
    /// Starts a server over the memory store.
    pub(crate) fn start(flags: &[&str]) -> Self {
        Self::start_with(|larder| larder.args(flags))
    }

    pub(crate) fn start_with(set: impl FnOnce(LarderBuilder) -> LarderBuilder) -> Self {
        Self(set(builder()).start())
    }

    /// Runs a program that starts the server.
    pub(crate) fn run(program: &str, args: &[&str]) -> Self {
        Self(Larder::builder(program).args(args).args(&HTTP_ONLY).start())
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.port())
    }

    pub(crate) fn get(&self, target: &str, headers: &[(&str, &str)]) -> Response {
        self.send("GET", target, headers, b"")
    }

    pub(crate) fn put(&self, target: &str, body: impl AsRef<[u8]>) -> Response {
        self.send("PUT", target, &[], body.as_ref())
    }

    /// Sends one request on a new connection and returns the response. The target is sent exactly
    /// as given.
    pub(crate) fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        let mut client = self.client();
        client.write(&request(method, target, headers, body));
        client.response_to(method)
    }

    /// Asserts that the server still serves other clients.
    pub(crate) fn assert_still_serves(&self) {
        assert_eq!(self.put("/v1/keys/still", "serves").status, 204);
        assert_eq!(self.get("/v1/keys/still", &[]).text(), "serves");
    }
}

/// Returns a builder of a server with only the HTTP listener.
pub(crate) fn builder() -> LarderBuilder {
    Larder::builder(LARDER).args(&HTTP_ONLY)
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
