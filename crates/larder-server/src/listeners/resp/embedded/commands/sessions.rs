//! What a client says at the start.

use super::{
    Entry, REDIS_VERSION,
    Run::{Fallible, Plain},
    at_once, entry,
    keys::db_number,
};
use crate::listeners::resp::embedded::{
    client_registry::About,
    command_error::{Outcome, Refusal},
    context::{Args, Call},
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

fn ping(call: &mut Call<'_>, args: Args<'_>) -> Outcome {
    match args.len() {
        1 => call.reply.simple("PONG"),
        2 => call.reply.bulk(args.get(1)),
        _ => return Err(Refusal::wrong_arity("ping")),
    }
    Ok(())
}

fn echo(call: &mut Call<'_>, args: Args<'_>) {
    call.reply.bulk(args.get(1));
}

fn select(call: &mut Call<'_>, args: Args<'_>) -> Outcome {
    call.session.db = db_number(args.get(1))?;
    call.reply.ok();
    Ok(())
}

/// What stands before an error holds all the same, as in Redis.
fn hello(call: &mut Call<'_>, args: Args<'_>) -> Outcome {
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
                log_in(call, user.unwrap_or_default(), password.unwrap_or_default())?;
            }
            b"SETNAME" if values >= 1 => set_name(call, words.next().unwrap_or_default())?,
            _ => return Err(Refusal::quoting("ERR Syntax error in HELLO option '", word, "'")),
        }
    }
    let resp3 = resp3.unwrap_or(call.session.resp3);
    (call.session.resp3, call.reply.resp3) = (resp3, resp3);
    describe(call);
    Ok(())
}

/// Whether it is version 3.
fn protocol(text: &[u8]) -> Result<bool, Refusal> {
    match number::integer(text) {
        Some(2) => Ok(false),
        Some(3) => Ok(true),
        Some(_) => Err(Refusal::new("NOPROTO unsupported protocol version")),
        None => Err(Refusal::new("ERR Protocol version is not an integer or out of range")),
    }
}

fn describe(call: &mut Call<'_>) {
    let (id, resp3) = (call.session.presence.id(), call.session.resp3);
    let reply = &mut call.reply;
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
fn auth(call: &mut Call<'_>, args: Args<'_>) -> Outcome {
    match args.len() {
        2 => {
            return Err(Refusal::new(
                "ERR AUTH <password> called without any password configured for the default user. \
                 Are you sure your configuration is correct?",
            ));
        }
        3 => log_in(call, args.get(1), args.get(2))?,
        _ => return Err(Refusal::SYNTAX),
    }
    call.reply.ok();
    Ok(())
}

/// There is one user, who needs no password where none is required.
fn log_in(call: &mut Call<'_>, user: &[u8], password: &[u8]) -> Outcome {
    let required = call.app.config().resp.requirepass.as_ref();
    if user != b"default" || required.is_some_and(|required| !required.matches(password)) {
        return Err(Refusal::WRONG_PASSWORD);
    }
    call.session.authenticated = true;
    Ok(())
}

pub(super) fn set_name(call: &mut Call<'_>, name: &[u8]) -> Outcome {
    if !is_plain(name) {
        let text = "ERR Client names cannot contain spaces, newlines or special characters.";
        return Err(Refusal::new(text));
    }
    call.session.presence.tell(About::Name, name);
    Ok(())
}

/// Whether a text can stand in `CLIENT LIST`.
pub(super) fn is_plain(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_graphic)
}
