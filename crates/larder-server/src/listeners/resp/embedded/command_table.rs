//! The table of served commands: how a row is written, how it is found and run.

use super::{
    args::Args,
    command_error::{CommandError, Outcome},
    context::CommandContext,
};
use larder_resp::command::{Class, Spec, Table};
use std::collections::HashMap;

/// A row of the table.
pub(super) struct Entry {
    /// In upper case, `CLIENT|ID` for a subcommand.
    pub(super) name: &'static str,
    /// The number of arguments, including the name; negative if it is a minimum.
    pub(super) arity: i32,
    /// In the words of `COMMAND`.
    pub(super) flags: &'static str,
    run: Run,
    /// It is not queued in a transaction.
    pub(super) at_once: bool,
}

/// The function that runs a command and writes the reply.
#[derive(Clone, Copy)]
pub(super) enum Run {
    /// It accepts all arguments.
    Plain(fn(&mut CommandContext<'_>, Args<'_>)),
    /// If it fails, the error replaces what it has written.
    Fallible(fn(&mut CommandContext<'_>, Args<'_>) -> Outcome),
}

/// Returns a row.
pub(super) const fn entry(name: &'static str, arity: i32, flags: &'static str, run: Run) -> Entry {
    Entry { name, arity, flags, run, at_once: false }
}

/// Returns the row of a command that is not queued in a transaction.
pub(super) const fn at_once(
    name: &'static str,
    arity: i32,
    flags: &'static str,
    run: Run,
) -> Entry {
    Entry { name, arity, flags, run, at_once: true }
}

/// All rows.
pub(super) struct CommandTable {
    families: &'static [&'static [Entry]],
    by_name: HashMap<&'static [u8], &'static Entry>,
}

impl CommandTable {
    pub(super) fn new(families: &'static [&'static [Entry]]) -> Self {
        let entries = families.iter().copied().flatten();
        let by_name = entries.map(|entry| (entry.name.as_bytes(), entry)).collect();
        Self { families, by_name }
    }

    /// Returns all rows in their order.
    pub(super) fn all(&self) -> impl Iterator<Item = &'static Entry> + use<> {
        self.families.iter().copied().flatten()
    }

    /// Returns the row of a command.
    pub(super) fn find(&self, spec: &Spec, args: Args<'_>) -> Result<&'static Entry, CommandError> {
        let name = spec.name.as_bytes();
        let found = self.by_name.get(name).copied();
        match found {
            Some(entry) if !(args.len() > 1 && is_container(name)) => Ok(entry),
            _ if self.needs_redis(spec) => Err(needs_redis(name)),
            _ if name.is_empty() => Err(CommandError::unknown_command(&args.command())),
            _ if args.len() > 1 => Err(CommandError::unknown_subcommand(&args.command())),
            _ => Err(CommandError::wrong_arity(&lower(name))),
        }
    }

    /// Returns whether Redis has this command, and this table does not.
    pub(super) fn needs_redis(&self, spec: &Spec) -> bool {
        let name = spec.name.as_bytes();
        !name.is_empty() && !is_container(name) && !self.by_name.contains_key(name)
    }
}

impl Entry {
    /// Returns whether a client may send it before it has authenticated.
    pub(super) fn needs_no_auth(&self) -> bool {
        self.flags.split(' ').any(|flag| flag == "no_auth")
    }

    /// Checks the number of arguments.
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
        let outcome = match self.run {
            Run::Plain(run) => {
                run(ctx, args);
                Ok(())
            }
            Run::Fallible(run) => run(ctx, args),
        };
        if matches!(spec.class, Class::Write | Class::FlushAll) {
            ctx.session.counts.wrote(outcome.is_ok());
        }
        outcome
    }

    pub(super) fn spec<'t>(&self, table: &'t Table) -> &'t Spec {
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

/// Returns a command's name as Redis writes it.
pub(super) fn lower(name: &[u8]) -> String {
    String::from_utf8_lossy(name).to_lowercase()
}

fn needs_redis(name: &[u8]) -> CommandError {
    let name = String::from_utf8_lossy(name).replace('|', " ");
    let why = " needs a Redis behind Larder (set REDIS_URL); without one Larder serves strings and \
               keys";
    CommandError::quoting("ERR ", name.as_bytes(), why)
}
