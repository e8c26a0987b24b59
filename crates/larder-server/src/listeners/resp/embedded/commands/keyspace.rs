//! Commands on all keys of a database.

use crate::listeners::resp::embedded::{
    args::Args,
    command_error::{CommandError, Outcome},
    command_table::{
        Entry,
        Run::{Fallible, Plain},
        entry,
    },
    context::{CommandContext, Keyed},
    glob, number,
};

pub(super) const COMMANDS: &[Entry] = &[
    entry("KEYS", 2, "readonly", Plain(keys)),
    entry("SCAN", -2, "readonly", Fallible(scan)),
    entry("RANDOMKEY", 1, "readonly", Plain(randomkey)),
    entry("DBSIZE", 1, "readonly fast", Plain(dbsize)),
    entry("FLUSHDB", -1, "write", Fallible(flushdb)),
    entry("FLUSHALL", -1, "write", Fallible(flushall)),
];

/// Keys that SCAN visits unless COUNT is given, as in Redis.
const DEFAULT_COUNT: usize = 10;

fn keys(ctx: &mut CommandContext<'_>, args: Args<'_>) {
    let Keyed { txn, db, reply, .. } = ctx.keyed();
    reply.bulks(txn.names(db).filter(|name| matches(args.get(1), name)));
}

/// Returns whether a name matches a pattern. A single star matches the empty name too.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    pattern == b"*" || glob::matches(pattern, name)
}

fn scan(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    let cursor = number::cursor(args.get(1)).ok_or(CommandError::new("ERR invalid cursor"))?;
    let options = ScanOptions::of(args)?;
    let Keyed { txn, db, reply, .. } = ctx.keyed();
    let cursor = usize::try_from(cursor).unwrap_or(usize::MAX);
    let (next, names) = txn.scan(db, cursor, options.count);
    reply.array(2);
    reply.bulk(next.to_string().as_bytes());
    reply.bulks(names.filter(|name| options.wants_strings && matches(options.pattern, name)));
    Ok(())
}

struct ScanOptions<'a> {
    count: usize,
    pattern: &'a [u8],
    /// TYPE, if given, is string: there are no other types.
    wants_strings: bool,
}

impl<'a> ScanOptions<'a> {
    fn of(args: Args<'a>) -> Result<Self, CommandError> {
        let mut options = Self { count: DEFAULT_COUNT, pattern: b"*", wants_strings: true };
        let mut words = args.from(2);
        while let Some(word) = words.next() {
            let value = words.next().ok_or(CommandError::SYNTAX)?;
            match word.to_ascii_uppercase().as_slice() {
                b"COUNT" => options.count = count(value)?,
                b"MATCH" => options.pattern = value,
                b"TYPE" => options.wants_strings = value.eq_ignore_ascii_case(b"string"),
                _ => return Err(CommandError::SYNTAX),
            }
        }
        Ok(options)
    }
}

fn count(text: &[u8]) -> Result<usize, CommandError> {
    let count = number::integer(text).ok_or(CommandError::NOT_AN_INTEGER)?;
    let count = usize::try_from(count).ok().filter(|count| *count > 0);
    count.ok_or(CommandError::SYNTAX)
}

fn randomkey(ctx: &mut CommandContext<'_>, _: Args<'_>) {
    let Keyed { txn, db, reply, .. } = ctx.keyed();
    reply.bulk_or_null(txn.random(db));
}

fn dbsize(ctx: &mut CommandContext<'_>, _: Args<'_>) {
    let Keyed { txn, db, reply, .. } = ctx.keyed();
    reply.count(txn.len(db));
}

fn flushdb(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    check_flush(args)?;
    let Keyed { txn, db, reply, .. } = ctx.keyed();
    txn.flush(db);
    reply.ok();
    Ok(())
}

fn flushall(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    check_flush(args)?;
    let Keyed { txn, reply, .. } = ctx.keyed();
    txn.flush_all();
    reply.ok();
    Ok(())
}

/// SYNC and ASYNC mean the same here: memory is freed after the lock of the map is released.
fn check_flush(args: Args<'_>) -> Outcome {
    match args.len() {
        1 => Ok(()),
        2 if args.is(1, "SYNC") || args.is(1, "ASYNC") => Ok(()),
        _ => Err(CommandError::SYNTAX),
    }
}
