//! Commands that open a session.

use super::{keys::parse_db, limits::REDIS_VERSION};
use crate::listeners::resp::{
    embedded::{
        args::Args,
        client_registry::Attribute,
        command_error::{CommandError, Outcome},
        command_table::{
            Entry,
            Run::{Fallible, Plain},
            at_once, entry,
        },
        context::CommandContext,
        number,
    },
    proxy::read_context::Protocol,
};

pub(super) const COMMANDS: &[Entry] = &[
    entry("PING", -1, "fast", Fallible(ping)),
    entry("ECHO", 2, "loading stale fast", Plain(echo)),
    entry("SELECT", 2, "loading stale fast", Fallible(select)),
    entry("HELLO", -1, "noscript loading stale fast no_auth allow_busy", Fallible(hello)),
    entry("AUTH", -2, "noscript loading stale fast no_auth allow_busy", Fallible(auth)),
    // The proxy runs these two; the rows only say that they exist.
    at_once("RESET", 1, "noscript loading stale fast no_auth allow_busy", Plain(|_, _| {})),
    at_once("QUIT", -1, "noscript loading stale fast no_auth allow_busy", Plain(|_, _| {})),
];

fn ping(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    match args.len() {
        1 => ctx.reply.simple("PONG"),
        2 => ctx.reply.bulk(args.get(1)),
        _ => return Err(CommandError::wrong_arity("ping")),
    }
    Ok(())
}

fn echo(ctx: &mut CommandContext<'_>, args: Args<'_>) {
    ctx.reply.bulk(args.get(1));
}

fn select(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    ctx.session.db = parse_db(args.get(1))?;
    ctx.reply.ok();
    Ok(())
}

/// Applies the options one after the other. Those before an error stay in effect, as in Redis.
fn hello(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    let protocol = match args.len() {
        1 => None,
        _ => Some(parse_protocol(args.get(1))?),
    };
    let mut words = args.from(2.min(args.len()));
    while let Some(word) = words.next() {
        let values = words.clone().count();
        match word.to_ascii_uppercase().as_slice() {
            b"AUTH" if values >= 2 => {
                let (user, password) = (words.next(), words.next());
                log_in(ctx, user.unwrap_or_default(), password.unwrap_or_default())?;
            }
            b"SETNAME" if values >= 1 => set_name(ctx, words.next().unwrap_or_default())?,
            _ => {
                return Err(CommandError::hello_option(word));
            }
        }
    }
    if ctx.must_authenticate() {
        return Err(CommandError::NO_AUTH_HELLO);
    }
    let protocol = protocol.unwrap_or(ctx.session.protocol);
    (ctx.session.protocol, ctx.reply.protocol) = (protocol, protocol);
    describe(ctx);
    Ok(())
}

fn parse_protocol(text: &[u8]) -> Result<Protocol, CommandError> {
    match number::integer(text) {
        Some(2) => Ok(Protocol::Resp2),
        Some(3) => Ok(Protocol::Resp3),
        Some(_) => Err(CommandError::NO_PROTOCOL),
        None => Err(CommandError::PROTOCOL_NOT_AN_INTEGER),
    }
}

fn describe(ctx: &mut CommandContext<'_>) {
    let (id, protocol) = (ctx.session.handle.id(), ctx.session.protocol);
    let reply = &mut ctx.reply;
    reply.map(7);
    for (name, value) in [("server", "redis"), ("version", REDIS_VERSION)] {
        reply.bulk(name.as_bytes());
        reply.bulk(value.as_bytes());
    }
    reply.bulk(b"proto");
    reply.integer(protocol.number().into());
    reply.bulk(b"id");
    reply.integer(i64::try_from(id).unwrap_or(i64::MAX));
    for (name, value) in [("mode", "standalone"), ("role", "master")] {
        reply.bulk(name.as_bytes());
        reply.bulk(value.as_bytes());
    }
    reply.bulk(b"modules");
    reply.array(0);
}

fn auth(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    match args.len() {
        2 if ctx.proxy.config().resp.requirepass.is_some() => {
            log_in(ctx, b"default", args.get(1))?;
        }
        2 => {
            return Err(CommandError::new(
                "ERR AUTH <password> called without any password configured for the default user. \
                 Are you sure your configuration is correct?",
            ));
        }
        3 => log_in(ctx, args.get(1), args.get(2))?,
        _ => return Err(CommandError::SYNTAX),
    }
    ctx.reply.ok();
    Ok(())
}

/// Authenticates the only user, who needs no password unless `requirepass` is set.
fn log_in(ctx: &mut CommandContext<'_>, user: &[u8], password: &[u8]) -> Outcome {
    let required = ctx.proxy.config().resp.requirepass.as_ref();
    if user != b"default" || required.is_some_and(|required| !required.matches(password)) {
        return Err(CommandError::WRONG_PASSWORD);
    }
    ctx.session.authenticated = true;
    Ok(())
}

pub(super) fn set_name(ctx: &mut CommandContext<'_>, name: &[u8]) -> Outcome {
    if !is_printable(name) {
        return Err(CommandError::BAD_CLIENT_NAME);
    }
    ctx.session.handle.set(Attribute::Name, name);
    Ok(())
}

/// Returns whether a text may appear in `CLIENT LIST`.
pub(in crate::listeners::resp) fn is_printable(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_graphic)
}
