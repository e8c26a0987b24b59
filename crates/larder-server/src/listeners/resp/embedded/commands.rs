//! The commands that are served without a Redis: one file per family, one row per command.

mod clients;
mod config;
mod counters;
mod expiry;
mod info;
mod keys;
mod keyspace;
mod limits;
mod server;
mod sessions;
mod strings;
mod substrings;
mod transactions;

use super::command_table::{CommandTable, Entry};
pub(in crate::listeners::resp) use sessions::is_printable as is_client_name;
use std::sync::LazyLock;

const FAMILIES: [&[Entry]; 10] = [
    strings::COMMANDS,
    substrings::COMMANDS,
    counters::COMMANDS,
    keys::COMMANDS,
    keyspace::COMMANDS,
    expiry::COMMANDS,
    transactions::COMMANDS,
    sessions::COMMANDS,
    clients::COMMANDS,
    server::COMMANDS,
];

/// All commands.
pub(super) static COMMANDS: LazyLock<CommandTable> = LazyLock::new(|| CommandTable::new(&FAMILIES));
