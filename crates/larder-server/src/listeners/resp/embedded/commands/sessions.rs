//! What a client says at the start.

use super::{
    Entry, REDIS_VERSION,
    Run::{Fallible, Plain},
    at_once, entry,
    keys::db_number,
};
use crate::listeners::resp::embedded::{
    client_registry::About,
    command_error::{CommandError, Outcome},
    context::{Args, CommandContext},
    number,
};

pub(super) const COMMANDS: &[Entry] = &[
    entry("PING", -1, "fast", Fallible(ping)),
    entry("ECHO", 2, "loading stale fast", Plain(echo)),
    entry("SELECT", 2, "loading stale fast", Fallible(select)),
    entry("HELLO", -1, "noscript loading stale fast no_auth allow_busy", Fallible(hello)),
    entry("AUTH", -2, "noscript loading stale fast no_auth allow_busy", Fallible(auth)),
    // The listener does what these two say; here they are told from what does not exist.
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
    ctx.session.db = db_number(args.get(1))?;
    ctx.reply.ok();
    Ok(())
}

/// What stands before an error holds all the same, as in Redis.
fn hello(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    let resp3 = match args.len() {
        1 => None,
        _ => Some(protocol(args.get(1))?),
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
                return Err(CommandError::quoting("ERR Syntax error in HELLO option '", word, "'"));
            }
        }
    }
    let resp3 = resp3.unwrap_or(ctx.session.resp3);
    (ctx.session.resp3, ctx.reply.resp3) = (resp3, resp3);
    describe(ctx);
    Ok(())
}

/// Whether it is version 3.
fn protocol(text: &[u8]) -> Result<bool, CommandError> {
    match number::integer(text) {
        Some(2) => Ok(false),
        Some(3) => Ok(true),
        Some(_) => Err(CommandError::new("NOPROTO unsupported protocol version")),
        None => Err(CommandError::new("ERR Protocol version is not an integer or out of range")),
    }
}

fn describe(ctx: &mut CommandContext<'_>) {
    let (id, resp3) = (ctx.session.handle.id(), ctx.session.resp3);
    let reply = &mut ctx.reply;
    reply.map(7);
    for (name, value) in [("server", "redis"), ("version", REDIS_VERSION)] {
        reply.bulk(name.as_bytes());
        reply.bulk(value.as_bytes());
    }
    reply.bulk(b"proto");
    reply.integer(if resp3 { 3 } else { 2 });
    reply.bulk(b"id");
    reply.integer(i64::try_from(id).unwrap_or(i64::MAX));
    for (name, value) in [("mode", "standalone"), ("role", "master")] {
        reply.bulk(name.as_bytes());
        reply.bulk(value.as_bytes());
    }
    reply.bulk(b"modules");
    reply.array(0);
}

/// The right password for `requirepass` does not come here, nor does a wrong one.
fn auth(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    match args.len() {
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

/// There is one user, who needs no password where none is required.
fn log_in(ctx: &mut CommandContext<'_>, user: &[u8], password: &[u8]) -> Outcome {
    let required = ctx.app.config().resp.requirepass.as_ref();
    if user != b"default" || required.is_some_and(|required| !required.matches(password)) {
        return Err(CommandError::WRONG_PASSWORD);
    }
    ctx.session.authenticated = true;
    Ok(())
}

pub(super) fn set_name(ctx: &mut CommandContext<'_>, name: &[u8]) -> Outcome {
    if !is_plain(name) {
        let text = "ERR Client names cannot contain spaces, newlines or special characters.";
        return Err(CommandError::new(text));
    }
    ctx.session.handle.tell(About::Name, name);
    Ok(())
}

/// Whether a text can stand in `CLIENT LIST`.
pub(super) fn is_plain(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_graphic)
}
