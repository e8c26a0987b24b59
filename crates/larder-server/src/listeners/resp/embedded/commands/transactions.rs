//! Transactions: `MULTI`, `EXEC`, `WATCH`.

use crate::listeners::resp::embedded::{
    args::Args,
    command_error::{CommandError, Outcome},
    command_table::{
        Entry,
        Run::{Fallible, Plain},
        at_once, entry,
    },
    context::CommandContext,
    session::Queue,
};
use larder_resp::{Limits, request::Decoder};

pub(super) const COMMANDS: &[Entry] = &[
    at_once("MULTI", 1, "noscript loading stale fast allow_busy", Fallible(multi)),
    at_once("EXEC", 1, "noscript loading stale skip_slowlog", Fallible(exec)),
    at_once("DISCARD", 1, "noscript loading stale fast allow_busy", Fallible(discard)),
    at_once("WATCH", -2, "noscript loading stale fast allow_busy", Fallible(watch)),
    entry("UNWATCH", 1, "noscript loading stale fast allow_busy", Plain(unwatch)),
];

fn multi(ctx: &mut CommandContext<'_>, _: Args<'_>) -> Outcome {
    if ctx.session.queue.is_some() {
        return Err(CommandError::new("ERR MULTI calls can not be nested"));
    }
    ctx.session.queue = Some(Queue::default());
    ctx.reply.ok();
    Ok(())
}

/// Runs the queued commands under one lock: no other client sees or changes anything in between.
fn exec(ctx: &mut CommandContext<'_>, _: Args<'_>) -> Outcome {
    let queue = ctx.session.queue.take().ok_or(CommandError::new("ERR EXEC without MULTI"))?;
    let changed = ctx.unwatch();
    if queue.is_aborted() {
        let text = "EXECABORT Transaction discarded because of previous errors.";
        return Err(CommandError::new(text));
    }
    if changed {
        ctx.reply.null_array();
        return Ok(());
    }
    ctx.txn();
    ctx.reply.array(queue.count());
    let commands = queue.into_commands();
    let mut decoder = Decoder::new(Limits::default());
    let mut rest = commands.as_ref();
    while let Ok(decoded) = decoder.decode(rest)
        && let Some(command) = decoded.command
    {
        run(ctx, Args::of(command));
        rest = rest.get(decoded.consumed..).unwrap_or_default();
    }
    Ok(())
}

/// Runs one command of a transaction. An error is the reply to this command alone.
fn run(ctx: &mut CommandContext<'_>, args: Args<'_>) {
    let before = ctx.reply.len();
    let spec = ctx.table.spec(&args.command());
    let outcome = ctx.commands.find(spec, args).and_then(|entry| entry.run(ctx, spec, args));
    if let Err(error) = outcome {
        ctx.reply.truncate(before);
        ctx.reply.error(error.text());
    }
}

fn discard(ctx: &mut CommandContext<'_>, _: Args<'_>) -> Outcome {
    ctx.session.queue.take().ok_or(CommandError::new("ERR DISCARD without MULTI"))?;
    ctx.unwatch();
    ctx.reply.ok();
    Ok(())
}

fn watch(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    if ctx.session.queue.is_some() {
        return Err(CommandError::new("ERR WATCH inside MULTI is not allowed"));
    }
    for name in args.from(1) {
        ctx.watch(name)?;
    }
    ctx.reply.ok();
    Ok(())
}

fn unwatch(ctx: &mut CommandContext<'_>, _: Args<'_>) {
    ctx.unwatch();
    ctx.reply.ok();
}
