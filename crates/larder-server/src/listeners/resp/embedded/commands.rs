//! The table: which commands are served, and by whom. One file per family, a row per command.

mod clients;
mod config;
mod counters;
mod expiry;
mod info;
mod keys;
mod lists;
mod server;
mod sessions;
mod strings;
mod substrings;
mod transactions;

use super::{
    command_error::{CommandError, Outcome, c_text},
    context::{Args, CommandContext},
};
use larder_resp::command::{Class, Spec, Table};
use std::{collections::HashMap, sync::LazyLock};
pub(super) use transactions::aborted;

/// The Redis whose replies these are.
const REDIS_VERSION: &str = "7.0.15";
/// Databases, as in a Redis that nobody configured.
const DBS: i32 = 16;
/// Bytes in the longest string.
const STRING_BYTES_MAX: usize = 512 << 20;

/// A command that is served.
pub(super) struct Entry {
    /// In upper case, `CLIENT|ID` for a subcommand.
    pub(super) name: &'static str,
    /// How many arguments it has, its name included; of one with a minus, at least so many.
    arity: i32,
    /// In the words of `COMMAND`.
    flags: &'static str,
    run: Run,
    /// It is not queued in a transaction.
    pub(super) at_once: bool,
}

/// What runs it: it writes the reply.
#[derive(Clone, Copy)]
enum Run {
    /// Whatever the arguments are.
    Plain(fn(&mut CommandContext<'_>, Args<'_>)),
    /// Unless it refuses; what it has written is then taken back.
    Fallible(fn(&mut CommandContext<'_>, Args<'_>) -> Outcome),
}

const fn entry(name: &'static str, arity: i32, flags: &'static str, run: Run) -> Entry {
    Entry { name, arity, flags, run, at_once: false }
}

/// One that is not queued in a transaction.
const fn at_once(name: &'static str, arity: i32, flags: &'static str, run: Run) -> Entry {
    Entry { name, arity, flags, run, at_once: true }
}

const FAMILIES: [&[Entry]; 10] = [
    strings::COMMANDS,
    substrings::COMMANDS,
    counters::COMMANDS,
    keys::COMMANDS,
    lists::COMMANDS,
    expiry::COMMANDS,
    transactions::COMMANDS,
    sessions::COMMANDS,
    clients::COMMANDS,
    server::COMMANDS,
];

/// All rows, in the order above.
fn all() -> impl Iterator<Item = &'static Entry> {
    FAMILIES.into_iter().flatten()
}

static BY_NAME: LazyLock<HashMap<&'static [u8], &'static Entry>> =
    LazyLock::new(|| all().map(|entry| (entry.name.as_bytes(), entry)).collect());

/// Who runs this command.
pub(super) fn find(spec: &Spec, args: Args<'_>) -> Result<&'static Entry, CommandError> {
    let name = spec.name.as_bytes();
    let found = BY_NAME.get(name).copied();
    match found {
        Some(entry) if !(args.len() > 1 && is_container(name)) => Ok(entry),
        _ if name.is_empty() => Err(unknown(args)),
        _ if !is_container(name) => Err(needs_redis(name)),
        _ if args.len() > 1 => Err(unknown_subcommand(args)),
        _ => Err(CommandError::wrong_arity(&lower(name))),
    }
}

impl Entry {
    /// Whether it may have so many arguments.
    pub(super) fn check(&'static self, args: Args<'_>) -> Result<&'static Self, CommandError> {
        let count = i32::try_from(args.len()).unwrap_or(i32::MAX);
        let fits = match self.arity {
            exactly @ 0.. => count == exactly,
            at_least => count >= -at_least,
        };
        fits.then_some(self).ok_or_else(|| CommandError::wrong_arity(&lower(self.name.as_bytes())))
    }

    pub(super) fn run(&self, ctx: &mut CommandContext<'_>, spec: &Spec, args: Args<'_>) -> Outcome {
        ctx.session.command = self.name;
        match spec.class {
            Class::Write => ctx.invalidate(spec, args),
            Class::FlushAll => ctx.invalidate_all(),
            _ => {}
        }
        match self.run {
            Run::Plain(run) => {
                run(ctx, args);
                Ok(())
            }
            Run::Fallible(run) => run(ctx, args),
        }
    }

    fn spec<'t>(&self, table: &'t Table) -> &'t Spec {
        let (name, subcommand) = match self.name.split_once('|') {
            Some((name, subcommand)) => (name, Some(subcommand.as_bytes())),
            None => (self.name, None),
        };
        table.find(name.as_bytes(), subcommand)
    }
}

fn is_container(name: &[u8]) -> bool {
    [&b"CLIENT"[..], b"COMMAND", b"CONFIG"].contains(&name)
}

fn lower(name: &[u8]) -> String {
    String::from_utf8_lossy(name).to_lowercase()
}

/// Bytes of the arguments that an error quotes.
const QUOTED_BYTES_MAX: usize = 128;

fn unknown(args: Args<'_>) -> CommandError {
    let mut quoted = Vec::new();
    for arg in args.from(1) {
        let Some(room) = QUOTED_BYTES_MAX.checked_sub(quoted.len()).filter(|room| *room > 0) else {
            break;
        };
        quoted.push(b'\'');
        quoted.extend(c_text(arg).iter().take(room));
        quoted.extend(b"' ");
    }
    let name: Vec<u8> = c_text(args.get(0)).iter().take(QUOTED_BYTES_MAX).copied().collect();
    [&b"ERR unknown command '"[..], &name, b"', with args beginning with: ", &quoted]
        .concat()
        .into()
}

fn unknown_subcommand(args: Args<'_>) -> CommandError {
    let name: Vec<u8> = c_text(args.get(1)).iter().take(QUOTED_BYTES_MAX).copied().collect();
    let container = args.get(0).to_ascii_uppercase();
    [&b"ERR unknown subcommand '"[..], &name, b"'. Try ", &container, b" HELP."].concat().into()
}

fn needs_redis(name: &[u8]) -> CommandError {
    let name = String::from_utf8_lossy(name).replace('|', " ");
    let why = " needs a Redis behind Larder (set REDIS_URL); without one Larder serves strings and \
               keys";
    CommandError::quoting("ERR ", name.as_bytes(), why)
}
