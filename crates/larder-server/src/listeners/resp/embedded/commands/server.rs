//! What a client asks of the server.

use super::{
    Entry,
    Run::{Fallible, Plain},
    all, config, entry, find, info, lower,
};
use crate::listeners::resp::embedded::{
    command_error::{CommandError, Outcome},
    context::{Args, CommandContext},
    reply::Reply,
};
use bytes::BytesMut;
use larder_resp::{
    Limits,
    command::{CommandKeys, KeySpec, Table},
    request::{Decoder, write_command},
};

pub(super) const COMMANDS: &[Entry] = &[
    entry("TIME", 1, "loading stale fast", Plain(time)),
    entry("INFO", -1, "loading stale", Plain(info::info)),
    entry("CONFIG|GET", -3, "admin noscript loading stale", Plain(config::get)),
    entry("COMMAND", -1, "loading stale", Plain(command)),
    entry("COMMAND|COUNT", 2, "loading stale", Plain(count)),
    entry("COMMAND|GETKEYS", -4, "loading stale", Fallible(getkeys)),
    entry("COMMAND|DOCS", -2, "loading stale", Plain(docs)),
    entry("COMMAND|INFO", -2, "loading stale", Plain(command_info)),
    entry("COMMAND|LIST", -2, "loading stale", Fallible(list)),
];

fn time(ctx: &mut CommandContext<'_>, _: Args<'_>) {
    let now = ctx.app.engine().clock().unix();
    ctx.reply.array(2);
    ctx.reply.bulk(now.as_secs().to_string().as_bytes());
    ctx.reply.bulk(now.subsec_micros().to_string().as_bytes());
}

fn command(ctx: &mut CommandContext<'_>, _: Args<'_>) {
    ctx.reply.array(commands().count());
    for name in commands() {
        describe(&mut ctx.reply, ctx.table, name);
    }
}

fn count(ctx: &mut CommandContext<'_>, _: Args<'_>) {
    ctx.reply.count(commands().count());
}

/// The names that a command, which follows as it would be sent, would use.
fn getkeys(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    let mut bytes = BytesMut::new();
    write_command(&mut bytes, &args.from(2).collect::<Vec<_>>());
    let mut decoder = Decoder::new(Limits::default());
    let command = decoder.decode(&bytes).ok().and_then(|decoded| decoded.command);
    let command = command.ok_or(CommandError::INVALID_COMMAND)?;
    let (spec, asked) = (ctx.table.spec(&command), Args::of(command));
    let entry = find(spec, asked).map_err(|_| CommandError::INVALID_COMMAND)?;
    entry.check(asked).map_err(|_| CommandError::INVALID_ARITY)?;
    match spec.keys_of(&command) {
        CommandKeys::Known(names) if names.clone().next().is_some() => ctx.reply.bulks(names),
        _ => return Err(CommandError::NO_KEYS),
    }
    Ok(())
}

/// There are none.
fn docs(ctx: &mut CommandContext<'_>, _: Args<'_>) {
    ctx.reply.map(0);
}

fn command_info(ctx: &mut CommandContext<'_>, args: Args<'_>) {
    if args.len() == 2 {
        return command(ctx, args);
    }
    let names = args.from(2);
    ctx.reply.array(names.len());
    for wanted in names {
        match commands().find(|name| wanted.eq_ignore_ascii_case(name.as_bytes())) {
            Some(name) => describe(&mut ctx.reply, ctx.table, name),
            None => ctx.reply.null(),
        }
    }
}

fn list(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    if args.len() > 2 {
        return Err(CommandError::SYNTAX);
    }
    ctx.reply.array(commands().count());
    for name in commands() {
        ctx.reply.bulk(lower(name.as_bytes()).as_bytes());
    }
    Ok(())
}

/// The names of all commands, without their subcommands.
fn commands() -> impl Iterator<Item = &'static str> {
    let own = all().map(|entry| entry.name).filter(|name| !name.contains('|'));
    own.chain(["CLIENT", "CONFIG"])
}

/// One command as `COMMAND` gives it, with its subcommands if it has any.
fn describe(reply: &mut Reply<'_>, table: &Table, name: &str) {
    let entry = all().find(|entry| entry.name == name);
    let (arity, flags) = entry.map_or((-2, ""), |entry| (entry.arity, entry.flags));
    let keys = entry.map_or(KeySpec::None, |entry| entry.spec(table).keys);
    row(reply, name, arity, flags, keys);
    let is_sub =
        |entry: &&Entry| entry.name.split_once('|').is_some_and(|(container, _)| container == name);
    reply.array(all().filter(is_sub).count());
    for entry in all().filter(is_sub) {
        row(reply, entry.name, entry.arity, entry.flags, KeySpec::None);
        reply.array(0);
    }
}

/// All but the subcommands, which end it.
fn row(reply: &mut Reply<'_>, name: &str, arity: i32, flags: &str, keys: KeySpec) {
    let (first, last, step): (i64, i64, i64) = match keys {
        KeySpec::Range { first, last, step } => (first.into(), last.into(), step.into()),
        _ => (0, 0, 0),
    };
    reply.array(10);
    reply.bulk(lower(name.as_bytes()).as_bytes());
    reply.integer(arity.into());
    reply.set(flags.split_whitespace().count());
    flags.split_whitespace().for_each(|flag| reply.simple(flag));
    for position in [first, last, step] {
        reply.integer(position);
    }
    // ACL categories, tips, key specifications.
    reply.set(0);
    reply.array(0);
    reply.array(0);
}
