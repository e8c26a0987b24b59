//! Parts of values.

use super::{
    Entry,
    Run::{Fallible, Plain},
    STRING_BYTES_MAX, entry,
};
use crate::listeners::resp::embedded::{
    command_error::{CommandError, Outcome},
    context::{Args, CommandContext, Keyed},
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

/// Writes a part from there on, and answers how long the value is then.
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

/// The bytes from one to the other, both included; what is negative counts from the end.
fn between(payload: &[u8], first: i64, last: i64) -> &[u8] {
    let len = i64::try_from(payload.len()).unwrap_or(i64::MAX);
    if first < 0 && last < 0 && first > last {
        return b"";
    }
    let from_start = |at: i64| if at < 0 { len.saturating_add(at).max(0) } else { at };
    let (first, last) = (from_start(first), from_start(last).min(len - 1));
    let place = |at: i64| usize::try_from(at).unwrap_or(usize::MAX);
    payload.get(place(first)..place(last).saturating_add(1)).unwrap_or_default()
}
