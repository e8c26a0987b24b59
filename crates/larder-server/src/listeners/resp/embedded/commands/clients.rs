//! `CLIENT` and its subcommands.

use super::sessions::{is_printable, set_name};
use crate::listeners::resp::embedded::{
    args::Args,
    client_registry::Attribute,
    command_error::{CommandError, Outcome},
    command_table::{
        Entry,
        Run::{Fallible, Plain},
        entry,
    },
    context::CommandContext,
    number,
    session::ReplyMode,
};

pub(super) const COMMANDS: &[Entry] = &[
    entry("CLIENT|ID", 2, "noscript loading stale", Plain(id)),
    entry("CLIENT|INFO", 2, "noscript loading stale", Plain(info)),
    entry("CLIENT|LIST", -2, "admin noscript loading stale", Fallible(list)),
    entry("CLIENT|GETNAME", 2, "noscript loading stale", Plain(getname)),
    entry("CLIENT|SETNAME", 3, "noscript loading stale", Fallible(setname)),
    entry("CLIENT|SETINFO", 4, "noscript loading stale", Fallible(setinfo)),
    entry("CLIENT|NO-EVICT", 3, "admin noscript loading stale", Fallible(no_effect)),
    entry("CLIENT|NO-TOUCH", 3, "noscript loading stale", Fallible(no_effect)),
    entry("CLIENT|REPLY", 3, "noscript loading stale", Fallible(replies)),
];

fn id(ctx: &mut CommandContext<'_>, _: Args<'_>) {
    ctx.reply.integer(i64::try_from(ctx.session.handle.id()).unwrap_or(i64::MAX));
}

fn info(ctx: &mut CommandContext<'_>, _: Args<'_>) {
    ctx.session.publish(ctx.proxy);
    let line = ctx.session.handle.line(ctx.proxy.engine().clock().now());
    ctx.reply.verbatim(&line);
}

fn list(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    let ids = match args.len() {
        2 => None,
        // All clients are of type normal.
        4 if args.is(2, "TYPE") => match args.get(3).to_ascii_lowercase().as_slice() {
            b"normal" => None,
            b"master" | b"replica" | b"slave" | b"pubsub" => Some(Vec::new()),
            _ => return Err(CommandError::quoting("ERR Unknown client type '", args.get(3), "'")),
        },
        4.. if args.is(2, "ID") => Some(args.from(3).map(parse_id).collect::<Result<_, _>>()?),
        _ => return Err(CommandError::SYNTAX),
    };
    ctx.session.publish(ctx.proxy);
    let wanted = |id| ids.as_ref().is_none_or(|ids| ids.contains(&id));
    let now = ctx.proxy.engine().clock().now();
    let lines = ctx.session.handle.registry().list(now, wanted);
    ctx.reply.verbatim(&lines);
    Ok(())
}

/// Parses a client id. A negative id becomes 0, which no client has.
fn parse_id(text: &[u8]) -> Result<u64, CommandError> {
    let id = number::integer(text).ok_or(CommandError::new("ERR Invalid client ID"))?;
    Ok(u64::try_from(id).unwrap_or(0))
}

fn getname(ctx: &mut CommandContext<'_>, _: Args<'_>) {
    let name = ctx.session.handle.name();
    ctx.reply.bulk_or_null(Some(name.as_slice()).filter(|name| !name.is_empty()));
}

fn setname(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    set_name(ctx, args.get(2))?;
    ctx.reply.ok();
    Ok(())
}

fn setinfo(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    let (word, attribute) = match args.get(2).to_ascii_lowercase().as_slice() {
        b"lib-name" => ("lib-name", Attribute::Library),
        b"lib-ver" => ("lib-ver", Attribute::LibraryVersion),
        _ => return Err(CommandError::quoting("ERR Unrecognized option '", args.get(2), "'")),
    };
    if !is_printable(args.get(3)) {
        let text = " cannot contain spaces, newlines or special characters.";
        return Err(CommandError::quoting("ERR ", word.as_bytes(), text));
    }
    ctx.session.handle.set(attribute, args.get(3));
    ctx.reply.ok();
    Ok(())
}

/// Nothing is evicted here, and access times are not recorded.
fn no_effect(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    if !args.is(2, "ON") && !args.is(2, "OFF") {
        return Err(CommandError::SYNTAX);
    }
    ctx.reply.ok();
    Ok(())
}

fn replies(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    let replies = &mut ctx.session.replies;
    match args.get(2).to_ascii_uppercase().as_slice() {
        b"ON" => {
            *replies = ReplyMode::On;
            ctx.reply.ok();
        }
        b"OFF" => *replies = ReplyMode::Off,
        b"SKIP" if *replies != ReplyMode::Off => *replies = ReplyMode::SkipNext,
        b"SKIP" => {}
        _ => return Err(CommandError::SYNTAX),
    }
    Ok(())
}
