//! Commands about the server.

use super::{config, info};
use crate::listeners::resp::embedded::{
    args::Args,
    command_error::{CommandError, Outcome},
    command_table::{
        CommandTable, Entry,
        Run::{Fallible, Plain},
        entry, lower,
    },
    context::CommandContext,
    reply::Reply,
};
use bytes::BytesMut;
use larder_resp::{
    Limits,
    command::{CommandKeys, KeySpec},
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
    let now = ctx.proxy.engine().clock().unix();
    ctx.reply.array(2);
    ctx.reply.bulk(now.as_secs().to_string().as_bytes());
    ctx.reply.bulk(now.subsec_micros().to_string().as_bytes());
}

fn command(ctx: &mut CommandContext<'_>, _: Args<'_>) {
    ctx.reply.array(names(ctx.commands).count());
    for name in names(ctx.commands) {
        describe(ctx, name);
    }
}

fn count(ctx: &mut CommandContext<'_>, _: Args<'_>) {
    ctx.reply.count(names(ctx.commands).count());
}

/// Returns the keys of the command in the arguments.
fn getkeys(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    let mut bytes = BytesMut::new();
    write_command(&mut bytes, &args.from(2).collect::<Vec<_>>());
    let mut decoder = Decoder::new(Limits::default());
    let command = decoder.decode(&bytes).ok().and_then(|decoded| decoded.command);
    let command = command.ok_or(CommandError::INVALID_COMMAND)?;
    let (spec, asked) = (ctx.table.spec(&command), Args::of(command));
    let entry = ctx.commands.find(spec, asked).map_err(|_| CommandError::INVALID_COMMAND)?;
    entry.check(asked).map_err(|_| CommandError::INVALID_ARITY)?;
    match spec.keys_of(&command) {
        CommandKeys::Known(names) if names.clone().next().is_some() => ctx.reply.bulks(names),
        _ => return Err(CommandError::NO_KEYS),
    }
    Ok(())
}

/// There are no docs.
fn docs(ctx: &mut CommandContext<'_>, _: Args<'_>) {
    ctx.reply.map(0);
}

fn command_info(ctx: &mut CommandContext<'_>, args: Args<'_>) {
    if args.len() == 2 {
        return command(ctx, args);
    }
    let wanted = args.from(2);
    ctx.reply.array(wanted.len());
    for wanted in wanted {
        match names(ctx.commands).find(|name| wanted.eq_ignore_ascii_case(name.as_bytes())) {
            Some(name) => describe(ctx, name),
            None => ctx.reply.null(),
        }
    }
}

fn list(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    if args.len() > 2 {
        return Err(CommandError::SYNTAX);
    }
    ctx.reply.array(names(ctx.commands).count());
    for name in names(ctx.commands) {
        ctx.reply.bulk(lower(name.as_bytes()).as_bytes());
    }
    Ok(())
}

/// Returns the names of all commands, without subcommands.
fn names(table: &CommandTable) -> impl Iterator<Item = &'static str> + use<> {
    let own = table.all().map(|entry| entry.name).filter(|name| !name.contains('|'));
    own.chain(["CLIENT", "CONFIG"])
}

/// Writes one command as `COMMAND` does, with its subcommands.
fn describe(ctx: &mut CommandContext<'_>, name: &str) {
    let CommandContext { commands, table, reply, .. } = ctx;
    let entry = commands.all().find(|entry| entry.name == name);
    let (arity, flags) = entry.map_or((-2, ""), |entry| (entry.arity, entry.flags));
    let keys = entry.map_or(KeySpec::None, |entry| entry.spec(table).keys);
    row(reply, name, arity, flags, keys);
    let is_sub =
        |entry: &&Entry| entry.name.split_once('|').is_some_and(|(container, _)| container == name);
    reply.array(commands.all().filter(is_sub).count());
    for entry in commands.all().filter(is_sub) {
        row(reply, entry.name, entry.arity, entry.flags, KeySpec::None);
        reply.array(0);
    }
}

/// Writes all but the subcommands, which come last.
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
