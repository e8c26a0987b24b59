//! The HTTP listener end to end: the real program, asked by well-behaved clients and by others.
//! Each file is one kind of question.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test that finds something missing has failed; time limits are real time"
)]

mod auth;
mod bodies;
mod caching;
mod drain;
mod errors;
mod fast_path;
mod heads;
mod keys;
mod limits;
mod openapi;
mod origins;
mod redis;
mod server;
mod time_to_live;
mod wire;
