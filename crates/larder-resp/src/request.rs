//! Requests: what a client sends.
//!
//! [`Decoder`] takes the commands off a read buffer one by one, as Redis would read them;
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
