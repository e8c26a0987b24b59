//! The command table and the conversion to RESP2, compared with a real Redis.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic fails the test")]

mod data_set;
mod docs;
mod keys;
mod raw_client;
mod replies;
mod samples;
mod table;
