//! End-to-end tests of the RESP listener over the embedded store. Where Redis answers a command
//! too, a real Redis gets the same command and the replies must be the same bytes.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test may panic or print that it is skipped; its timeouts are in real time"
)]

#[path = "resp_embedded/clients.rs"]
mod clients;
#[path = "resp_embedded/command_table.rs"]
mod command_table;
#[path = "resp_embedded/concurrency.rs"]
mod concurrency;
#[path = "resp_embedded/counters.rs"]
mod counters;
#[path = "resp_embedded/http.rs"]
mod http;
#[path = "resp_embedded/limits.rs"]
mod limits;
#[path = "resp_embedded/random.rs"]
mod random;
#[path = "resp/resp_client.rs"]
#[allow(dead_code, reason = "these tests use a part of it")]
mod resp_client;
#[path = "resp_embedded/scripts.rs"]
mod scripts;
#[path = "resp_embedded/session.rs"]
mod session;
#[path = "resp_embedded/setup.rs"]
mod setup;
