//! Properties that hold for all bytes, however they are split into reads.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic fails the test")]

mod command;
mod garbage;
mod reply;
mod request;
mod resp2;
mod value;
