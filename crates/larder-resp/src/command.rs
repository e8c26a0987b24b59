//! The command table: what each command does to keys and to its connection. No other code matches
//! command names.
//!
//! [`Table`] finds the [`Spec`] of a command that a client sent. The spec contains its [`Class`],
//! which arguments are keys, and whether its reply may be cached. `data.rs` is the table as data; the
//! server's reply to `COMMAND` adds what it lacks. A command in neither is treated as a write to
//! any key.

mod cacheable;
mod command_reply;
mod data;
mod key_spec;
mod name;
mod spec;
mod table;

pub use cacheable::{Cacheable, Fields, HashRead, READ_BYTES_MAX, write_read_command};
pub use key_spec::{CommandKeys, KeyArgs, KeySpec};
pub use name::{NAME_BYTES_MAX, Name};
pub use spec::{Arity, Class, ClientCommand, SessionCommand, Spec};
pub use table::{COMMANDS_MAX, Table};
