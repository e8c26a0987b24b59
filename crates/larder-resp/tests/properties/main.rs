//! What must hold for all bytes, whoever made them and however they are cut.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by failing"
)]

mod command;
mod garbage;
mod reply;
mod request;
mod resp2;
mod value;
