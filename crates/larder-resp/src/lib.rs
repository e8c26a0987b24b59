//! RESP2 and RESP3: bytes to frames and back.
//!
//! [`reply`] reads and writes what a server sends, [`request`] what a client sends, and [`command`]
//! knows what each command does. Nothing here waits, reads a socket or knows a runtime: the caller
//! owns the buffer, and what is handed out are views of it.

pub mod command;
mod error;
mod limits;
mod line;
mod number;
pub mod reply;
pub mod request;

pub use error::ProtocolError;
pub use limits::Limits;
