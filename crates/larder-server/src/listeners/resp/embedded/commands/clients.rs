//! `CLIENT` and its subcommands.

use super::{
    Entry,
    Run::{Fallible, Plain},
    entry,
    sessions::{is_plain, set_name},
};
use crate::listeners::resp::embedded::{
    client_registry::About,
    command_error::{Outcome, Refusal},
    context::{Args, Call},
    number,
    session::Replies,
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

fn id(call: &mut Call<'_>, _: Args<'_>) {
    call.reply.integer(i64::try_from(call.session.presence.id()).unwrap_or(i64::MAX));
}

fn info(call: &mut Call<'_>, _: Args<'_>) {
    call.session.show(call.app);
    let line = call.session.presence.line(call.app.engine().clock().now());
    call.reply.verbatim(&line);
}

fn list(call: &mut Call<'_>, args: Args<'_>) -> Outcome {
    let ids = match args.len() {
        2 => None,
        // All are of this type.
        4 if args.is(2, "TYPE") => match args.get(3).to_ascii_lowercase().as_slice() {
            b"normal" => None,
            b"master" | b"replica" | b"slave" | b"pubsub" => Some(Vec::new()),
            _ => return Err(Refusal::quoting("ERR Unknown client type '", args.get(3), "'")),
        },
        4.. if args.is(2, "ID") => Some(args.from(3).map(client_id).collect::<Result<_, _>>()?),
        _ => return Err(Refusal::SYNTAX),
    };
    call.session.show(call.app);
    let wanted = |id| ids.as_ref().is_none_or(|ids| ids.contains(&id));
    let now = call.app.engine().clock().now();
    let lines = call.session.presence.guests().list(now, wanted);
    call.reply.verbatim(&lines);
    Ok(())
}

/// There is no client 0.
fn client_id(text: &[u8]) -> Result<u64, Refusal> {
    let id = number::integer(text).ok_or(Refusal::new("ERR Invalid client ID"))?;
    Ok(u64::try_from(id).unwrap_or(0))
}

fn getname(call: &mut Call<'_>, _: Args<'_>) {
    let name = call.session.presence.name();
    call.reply.bulk_or_null(Some(name.as_slice()).filter(|name| !name.is_empty()));
}

fn setname(call: &mut Call<'_>, args: Args<'_>) -> Outcome {
    set_name(call, args.get(2))?;
    call.reply.ok();
    Ok(())
}

fn setinfo(call: &mut Call<'_>, args: Args<'_>) -> Outcome {
    let (word, about) = match args.get(2).to_ascii_lowercase().as_slice() {
        b"lib-name" => ("lib-name", About::Library),
        b"lib-ver" => ("lib-ver", About::LibraryVersion),
        _ => return Err(Refusal::quoting("ERR Unrecognized option '", args.get(2), "'")),
    };
    if !is_plain(args.get(3)) {
        let text = " cannot contain spaces, newlines or special characters.";
        return Err(Refusal::quoting("ERR ", word.as_bytes(), text));
    }
    call.session.presence.tell(about, args.get(3));
    call.reply.ok();
    Ok(())
}

/// Nothing is evicted here, nor is it known when a key was touched last.
fn no_effect(call: &mut Call<'_>, args: Args<'_>) -> Outcome {
    if !args.is(2, "ON") && !args.is(2, "OFF") {
        return Err(Refusal::SYNTAX);
    }
    call.reply.ok();
    Ok(())
}

fn replies(call: &mut Call<'_>, args: Args<'_>) -> Outcome {
    let replies = &mut call.session.replies;
    match args.get(2).to_ascii_uppercase().as_slice() {
        b"ON" => {
            *replies = Replies::On;
            call.reply.ok();
        }
        b"OFF" => *replies = Replies::Off,
        b"SKIP" if *replies != Replies::Off => *replies = Replies::SkipNext,
        b"SKIP" => {}
        _ => return Err(Refusal::SYNTAX),
    }
    Ok(())
}
