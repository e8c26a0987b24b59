//! The command table: what each command does to keys and to its connection, so that nobody else
//! matches command names.
//!
//! [`Table`] finds the [`Spec`] of a command that a client sent. The spec says its [`Class`], which
//! arguments are keys, and whether and under which name its reply may be kept. `data.rs` is the
//! table as data; the server's own `COMMAND` reply adds what it lacks. What is in neither is
//! taken for a write to any key.

mod cacheable;
mod command_reply;
mod data;
mod key_spec;
mod name;
mod spec;
mod table;

pub use cacheable::{Cacheable, READ_BYTES_MAX, write_read_command};
pub use key_spec::{CommandKeys, KeyArgs, KeySpec};
pub use name::{NAME_BYTES_MAX, Name};
pub use spec::{Class, ClientCommand, SessionCommand, Spec};
pub use table::{COMMANDS_MAX, Table};
