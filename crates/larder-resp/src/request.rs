//! Requests: what a client sends.
//!
//! [`Decoder`] parses the commands in a read buffer one by one, exactly as Redis does.
//! [`write_command`] writes one.

mod command;
mod decode;
mod fast_path;
mod inline;
mod multibulk;
mod write;

pub use command::{Args, Command};
pub use decode::{Decoded, Decoder};
pub use write::write_command;
