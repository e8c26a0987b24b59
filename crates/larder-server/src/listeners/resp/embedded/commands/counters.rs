//! Commands on values that are numbers.

use crate::listeners::resp::embedded::{
    args::Args,
    command_error::{CommandError, Outcome},
    command_table::{Entry, Run::Fallible, entry},
    context::{CommandContext, Keyed},
    float::Float,
    number,
};
use larder_core::memory_store::Expiry;

pub(super) const COMMANDS: &[Entry] = &[
    entry("INCR", 2, "write denyoom fast", Fallible(incr)),
    entry("DECR", 2, "write denyoom fast", Fallible(decr)),
    entry("INCRBY", 3, "write denyoom fast", Fallible(incrby)),
    entry("DECRBY", 3, "write denyoom fast", Fallible(decrby)),
    entry("INCRBYFLOAT", 3, "write denyoom fast", Fallible(incrbyfloat)),
];

fn incr(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    add(ctx, args.get(1), 1)
}

fn decr(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    add(ctx, args.get(1), -1)
}

fn incrby(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    add(ctx, args.get(1), args.integer(2)?)
}

fn decrby(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    let less = args.integer(2)?;
    let more = less.checked_neg().ok_or(CommandError::new("ERR decrement would overflow"))?;
    add(ctx, args.get(1), more)
}

fn add(ctx: &mut CommandContext<'_>, name: &[u8], more: i64) -> Outcome {
    let Keyed { txn, db, reply, .. } = ctx.keyed();
    let value = match txn.get(db, name) {
        Some(entry) => number::integer(entry.payload).ok_or(CommandError::NOT_AN_INTEGER)?,
        None => 0,
    };
    let sum = value.checked_add(more);
    let sum = sum.ok_or(CommandError::new("ERR increment or decrement would overflow"))?;
    txn.set(db, name, sum.to_string().as_bytes(), Expiry::Keep)?;
    reply.integer(sum);
    Ok(())
}

fn incrbyfloat(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    let Keyed { txn, db, reply, .. } = ctx.keyed();
    let value = txn.get(db, args.get(1)).map_or(b"0".as_slice(), |entry| entry.payload);
    let number = |text| Float::parse(text).ok_or(CommandError::NOT_A_FLOAT);
    let sum = number(value)?.add(number(args.get(2))?);
    let sum =
        sum.ok_or(CommandError::new("ERR increment would produce NaN or Infinity"))?.to_string();
    txn.set(db, args.get(1), sum.as_bytes(), Expiry::Keep)?;
    reply.bulk(sum.as_bytes());
    Ok(())
}
