//! The RESP listener end to end: real, unmodified clients, and raw sockets that compare bytes with
//! a real Redis. Each file covers one kind of client or one guarantee.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test that finds something missing has failed; time limits are real time"
)]

mod access;
mod bad_input;
mod batches;
mod benchmark;
mod cluster;
mod default_port;
mod descriptors;
mod framing;
mod key_filter;
mod memory_use;
mod metrics_page;
mod multiplexed;
mod operator;
mod other_languages;
mod redis_cli;
mod redis_load;
mod resp_client;
mod rust_client;
mod session;
mod session_isolation;
mod setup;
mod shutdown;
mod tracking_table;
mod verify;
mod walkthrough;
