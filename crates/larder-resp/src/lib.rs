//! RESP2 and RESP3: bytes to frames and back.
//!
//! [`reply`] reads and writes what a server sends, [`request`] what a client sends, and [`command`]
//! is the table of what each command does. This crate does no I/O and needs no runtime: the caller
//! owns the buffer, and parsed values borrow from it.

pub mod command;
mod error;
mod limits;
mod line;
mod number;
pub mod reply;
pub mod request;

pub use error::ProtocolError;
pub use limits::Limits;
