//! `MULTI` and what belongs to it.

use super::{
    Entry,
    Run::{Fallible, Plain},
    at_once, entry, find,
};
use crate::listeners::resp::embedded::{
    command_error::{Outcome, Refusal},
    context::{Args, Call},
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

fn multi(call: &mut Call<'_>, _: Args<'_>) -> Outcome {
    if call.session.queue.is_some() {
        return Err(Refusal::new("ERR MULTI calls can not be nested"));
    }
    call.session.queue = Some(Queue::default());
    call.reply.ok();
    Ok(())
}

/// All of it under one lock: nobody sees a part of it, and nothing comes between.
fn exec(call: &mut Call<'_>, _: Args<'_>) -> Outcome {
    let queue = call.session.queue.take().ok_or(Refusal::new("ERR EXEC without MULTI"))?;
    let changed = call.unwatch();
    if queue.is_spoiled() {
        let text = "EXECABORT Transaction discarded because of previous errors.";
        return Err(Refusal::new(text));
    }
    if changed {
        call.reply.null_array();
        return Ok(());
    }
    call.txn();
    call.reply.array(queue.count());
    let commands = queue.into_commands();
    let mut decoder = Decoder::new(Limits::default());
    let mut rest = commands.as_ref();
    while let Ok(decoded) = decoder.decode(rest)
        && let Some(command) = decoded.command
    {
        run(call, Args::of(command));
        rest = rest.get(decoded.consumed..).unwrap_or_default();
    }
    Ok(())
}

/// One command of a transaction. Its error is the reply to it alone.
fn run(call: &mut Call<'_>, args: Args<'_>) {
    let before = call.reply.len();
    let spec = call.table.spec(&args.command());
    let outcome = find(spec, args).and_then(|entry| entry.run(call, spec, args));
    if let Err(refusal) = outcome {
        call.reply.truncate(before);
        call.reply.error(refusal.text());
    }
}

fn discard(call: &mut Call<'_>, _: Args<'_>) -> Outcome {
    call.session.queue.take().ok_or(Refusal::new("ERR DISCARD without MULTI"))?;
    call.unwatch();
    call.reply.ok();
    Ok(())
}

fn watch(call: &mut Call<'_>, args: Args<'_>) -> Outcome {
    if call.session.queue.is_some() {
        return Err(Refusal::new("ERR WATCH inside MULTI is not allowed"));
    }
    for name in args.from(1) {
        call.watch(name)?;
    }
    call.reply.ok();
    Ok(())
}

fn unwatch(call: &mut Call<'_>, _: Args<'_>) {
    call.unwatch();
    call.reply.ok();
}

/// EXEC itself was refused, and with it the transaction.
pub(in crate::listeners::resp::embedded) fn aborted(refusal: &Refusal) -> Refusal {
    let why = refusal.text();
    let why = why.strip_prefix(b"ERR ").unwrap_or(why);
    [b"EXECABORT Transaction discarded because of: ", why].concat().into()
}
