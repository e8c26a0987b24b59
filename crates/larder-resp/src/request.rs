//! Requests: what a client sends.

mod write;

pub use write::write_command;
