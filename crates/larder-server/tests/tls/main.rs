//! TLS end to end: clients to Larder, and Larder to Redis, with certificates made for each test.
//! Each file covers one side or one kind of fault.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test that finds something missing has failed; time limits are real time"
)]

mod clients;
mod handshakes;
mod listener;
mod setup;
mod store;
mod store_errors;
mod tls_client;
