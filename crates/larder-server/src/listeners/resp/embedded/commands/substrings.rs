//! Commands on parts of values.

use super::limits::STRING_BYTES_MAX;
use crate::listeners::resp::embedded::{
    args::Args,
    command_error::{CommandError, Outcome},
    command_table::{
        Entry,
        Run::{Fallible, Plain},
        entry,
    },
    context::{CommandContext, Keyed},
};

pub(super) const COMMANDS: &[Entry] = &[
    entry("APPEND", 3, "write denyoom fast", Fallible(append)),
    entry("STRLEN", 2, "readonly fast", Plain(strlen)),
    entry("SETRANGE", 4, "write denyoom", Fallible(setrange)),
    entry("GETRANGE", 4, "readonly", Fallible(getrange)),
    entry("SUBSTR", 4, "readonly", Fallible(getrange)),
];

fn append(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    let Keyed { txn, db, .. } = ctx.keyed();
    let start = txn.get(db, args.get(1)).map_or(0, |entry| entry.payload.len());
    overwrite(ctx, args.get(1), start, args.get(2))
}

fn strlen(ctx: &mut CommandContext<'_>, args: Args<'_>) {
    let Keyed { txn, db, reply, counts } = ctx.keyed();
    let found = txn.get(db, args.get(1));
    counts.read(found.is_some());
    reply.count(found.map_or(0, |entry| entry.payload.len()));
}

fn setrange(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    let start = usize::try_from(args.integer(2)?)
        .map_err(|_| CommandError::new("ERR offset is out of range"))?;
    if args.get(3).is_empty() {
        strlen(ctx, args);
        return Ok(());
    }
    overwrite(ctx, args.get(1), start, args.get(3))
}

/// Writes a part at an offset, and replies with the length of the value.
fn overwrite(ctx: &mut CommandContext<'_>, name: &[u8], start: usize, part: &[u8]) -> Outcome {
    let end = start.saturating_add(part.len());
    if end > STRING_BYTES_MAX {
        return Err(CommandError::TOO_LONG);
    }
    let Keyed { txn, db, reply, .. } = ctx.keyed();
    reply.count(txn.write_at(db, name, start, part)?);
    Ok(())
}

fn getrange(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    let (first, last) = (args.integer(2)?, args.integer(3)?);
    let Keyed { txn, db, reply, counts } = ctx.keyed();
    let found = txn.get(db, args.get(1));
    counts.read(found.is_some());
    reply.bulk(found.map_or(b"", |entry| between(entry.payload, first, last)));
    Ok(())
}

/// Returns the bytes from `first` to `last`, inclusive. Negative positions count from the end.
fn between(payload: &[u8], first: i64, last: i64) -> &[u8] {
    let len = i64::try_from(payload.len()).unwrap_or(i64::MAX);
    if first < 0 && last < 0 && first > last {
        return b"";
    }
    let from_start = |at: i64| if at < 0 { len.saturating_add(at).max(0) } else { at };
    let (first, last) = (from_start(first), from_start(last).min(len - 1));
    let index = |at: i64| usize::try_from(at).unwrap_or(usize::MAX);
    payload.get(index(first)..index(last).saturating_add(1)).unwrap_or_default()
}
