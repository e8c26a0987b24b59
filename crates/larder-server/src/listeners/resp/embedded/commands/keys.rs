//! Commands on keys of any type.

use super::limits::DBS;
use crate::listeners::resp::embedded::{
    args::Args,
    command_error::{CommandError, Outcome},
    command_table::{
        Entry,
        Run::{Fallible, Plain},
        entry,
    },
    context::{CommandContext, Keyed},
    number,
};
use larder_core::memory_store::Expiry;

pub(super) const COMMANDS: &[Entry] = &[
    entry("DEL", -2, "write", Plain(del)),
    entry("UNLINK", -2, "write fast", Plain(del)),
    entry("EXISTS", -2, "readonly fast", Plain(exists)),
    entry("TOUCH", -2, "readonly fast", Plain(exists)),
    entry("TYPE", 2, "readonly fast", Plain(type_of)),
    entry("RENAME", 3, "write", Fallible(rename)),
    entry("RENAMENX", 3, "write fast", Fallible(renamenx)),
    entry("COPY", -3, "write denyoom", Fallible(copy)),
    entry("MOVE", 3, "write fast", Fallible(move_to)),
];

fn del(ctx: &mut CommandContext<'_>, args: Args<'_>) {
    let Keyed { txn, db, reply, .. } = ctx.keyed();
    reply.count(args.from(1).filter(|name| txn.remove(db, name)).count());
}

fn exists(ctx: &mut CommandContext<'_>, args: Args<'_>) {
    let Keyed { txn, db, reply, counts } = ctx.keyed();
    let is_there = |name: &&[u8]| {
        let found = txn.contains(db, name);
        counts.read(found);
        found
    };
    reply.count(args.from(1).filter(is_there).count());
}

fn type_of(ctx: &mut CommandContext<'_>, args: Args<'_>) {
    let Keyed { txn, db, reply, .. } = ctx.keyed();
    reply.simple(if txn.contains(db, args.get(1)) { "string" } else { "none" });
}

fn rename(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    let Keyed { txn, db, reply, .. } = ctx.keyed();
    if !txn.rename((db, args.get(1)), (db, args.get(2)))? {
        return Err(CommandError::NO_SUCH_KEY);
    }
    reply.ok();
    Ok(())
}

fn renamenx(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    let Keyed { txn, db, reply, .. } = ctx.keyed();
    if !txn.contains(db, args.get(1)) {
        return Err(CommandError::NO_SUCH_KEY);
    }
    let is_new = !txn.contains(db, args.get(2));
    if is_new {
        txn.rename((db, args.get(1)), (db, args.get(2)))?;
    }
    reply.boolean(is_new);
    Ok(())
}

fn copy(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    let (target, replaces) = copy_options(args, ctx.session.db)?;
    let Keyed { txn, db, reply, .. } = ctx.keyed();
    let (from, to) = (args.get(1), args.get(2));
    if db == target && from == to {
        return Err(CommandError::SAME_OBJECTS);
    }
    let may = replaces || !txn.contains(target, to);
    let found = txn.get(db, from).filter(|_| may);
    let copied = found.map(|entry| (entry.payload.to_vec(), entry.expires));
    reply.boolean(copied.is_some());
    if let Some((payload, expires)) = copied {
        txn.set(target, to, &payload, expires.map_or(Expiry::Never, Expiry::At))?;
    }
    Ok(())
}

fn copy_options(args: Args<'_>, home: u32) -> Result<(u32, bool), CommandError> {
    let (mut target, mut replaces) = (home, false);
    let mut words = args.from(3);
    while let Some(word) = words.next() {
        if word.eq_ignore_ascii_case(b"REPLACE") {
            replaces = true;
        } else if let Some(db) = words.next().filter(|_| word.eq_ignore_ascii_case(b"DB")) {
            target = parse_db(db)?;
        } else {
            return Err(CommandError::SYNTAX);
        }
    }
    Ok((target, replaces))
}

fn move_to(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    let target = parse_db(args.get(2))?;
    let Keyed { txn, db, reply, .. } = ctx.keyed();
    if db == target {
        return Err(CommandError::SAME_OBJECTS);
    }
    let name = args.get(1);
    reply.boolean(!txn.contains(target, name) && txn.rename((db, name), (target, name))?);
    Ok(())
}

/// Parses the number of a database.
pub(super) fn parse_db(text: &[u8]) -> Result<u32, CommandError> {
    let number = number::int(text)?;
    let db = u32::try_from(number).ok().filter(|_| number < DBS);
    db.ok_or(CommandError::NO_SUCH_DB)
}
