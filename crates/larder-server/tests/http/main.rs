//! End-to-end tests of the HTTP listener, with well-behaved and with hostile clients.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may panic; its timeouts are in real time"
)]

mod auth;
mod bodies;
mod caching;
mod client;
mod drain;
mod errors;
mod fast_path;
mod keys;
mod limits;
mod openapi;
mod origins;
mod protocol;
mod redis;
mod server;
mod time_to_live;
