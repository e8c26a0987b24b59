//! All keys of a db at once.

use super::{
    Entry,
    Run::{Fallible, Plain},
    entry,
};
use crate::listeners::resp::embedded::{
    command_error::{CommandError, Outcome},
    context::{Args, CommandContext, Keyed},
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

/// Keys that SCAN looks at when it is not told.
const COUNT: usize = 10;

fn keys(ctx: &mut CommandContext<'_>, args: Args<'_>) {
    let Keyed { txn, db, reply, .. } = ctx.keyed();
    reply.bulks(txn.names(db).filter(|name| fits(args.get(1), name)));
}

/// To one star the empty name fits too.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
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
    reply.bulks(names.filter(|name| options.has_type && fits(options.pattern, name)));
    Ok(())
}

struct ScanOptions<'a> {
    count: usize,
    pattern: &'a [u8],
    /// Whether strings are wanted, which is what there is.
    has_type: bool,
}

impl<'a> ScanOptions<'a> {
    fn of(args: Args<'a>) -> Result<Self, CommandError> {
        let mut options = Self { count: COUNT, pattern: b"*", has_type: true };
        let mut words = args.from(2);
        while let Some(word) = words.next() {
            let value = words.next().ok_or(CommandError::SYNTAX)?;
            match word.to_ascii_uppercase().as_slice() {
                b"COUNT" => options.count = count(value)?,
                b"MATCH" => options.pattern = value,
                b"TYPE" => options.has_type = value.eq_ignore_ascii_case(b"string"),
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

/// Both words mean the same here: what was held is freed when others may go on.
fn check_flush(args: Args<'_>) -> Outcome {
    match args.len() {
        1 => Ok(()),
        2 if args.is(1, "SYNC") || args.is(1, "ASYNC") => Ok(()),
        _ => Err(CommandError::SYNTAX),
    }
}
