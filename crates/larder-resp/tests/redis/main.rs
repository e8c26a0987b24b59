//! The command table and the RESP2 forms, against a real Redis.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by failing"
)]

mod data_set;
mod keys;
mod replies;
mod samples;
mod table;
mod wire;
