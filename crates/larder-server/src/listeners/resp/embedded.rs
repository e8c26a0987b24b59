//! Without a Redis: strings and keys, served from the map in this process as Redis would serve them.
//!
//! [`Embedded::take`] goes through a client's commands; [`commands`] is the table, with one file per
//! family. A command, or a whole transaction, runs in one transaction of the map (see [`context`]),
//! which is committed before the reply can be sent. The keys that it may write are invalidated in the
//! engine while that transaction holds the lock, so a later read of the near cache finds the new
//! value.

mod args;
mod client_registry;
pub(super) mod command_error;
mod command_table;
pub(super) mod commands;
mod context;
mod expire_arg;
mod float;
mod glob;
pub(super) mod number;
mod reply;
mod session;

use super::proxy::{
    client::PeerAddrs, context::ProxyContext, local_reply::LocalReply, requests::Requests,
};
use args::Args;
use bytes::{Buf, BytesMut};
pub(super) use client_registry::ClientRegistry;
use command_error::{CommandError, Outcome};
use commands::COMMANDS;
use context::CommandContext;
use larder_core::memory_store::MemoryStore;
use larder_resp::command::{Spec, Table};
use session::{ReplyMode, Session};
use std::sync::Arc;

/// Commands that are answered before other clients have their turn, and bytes of replies that may
/// then wait for the client.
const COMMANDS_MAX: u64 = 1024;
const OUTPUT_BYTES_MAX: usize = 1 << 20;

/// One client of a Larder without a Redis. See the [module](self).
pub(super) struct Embedded {
    context: Arc<ProxyContext>,
    session: Session,
}

/// Why [`Embedded::take`] stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The next command is incomplete, or is not served here.
    NotForEmbedded,
    /// Other clients have their turn first.
    BudgetSpent,
    /// The replies are larger than what may wait for one client.
    TooLarge,
}

impl Embedded {
    /// Returns `None` if there is a Redis.
    pub(super) fn new(
        context: &Arc<ProxyContext>,
        addrs: impl FnOnce() -> PeerAddrs,
    ) -> Option<Self> {
        context.backend().memory_store()?;
        let now = context.engine().clock().now();
        let handle = ClientRegistry::register(context.clients(), addrs(), now);
        Some(Self { context: Arc::clone(context), session: Session::new(handle) })
    }

    /// Answers commands up to the first that the proxy answers itself.
    pub(super) fn take(
        &mut self,
        table: &Table,
        requests: Requests<'_>,
        output: &mut BytesMut,
        authenticated: &mut bool,
    ) -> Stop {
        let Self { context, session } = self;
        let Some(store) = context.backend().memory_store() else { return Stop::NotForEmbedded };
        let Requests { decoder, input } = requests;
        let mut consumed = 0;
        let mut stop = Stop::NotForEmbedded;
        while let Some(rest) = input.get(consumed..)
            && let Ok(decoded) = decoder.decode(rest)
        {
            let bytes = decoded.consumed;
            let Some(command) = decoded.command else {
                consumed += bytes;
                break;
            };
            let spec = table.spec(&command);
            if LocalReply::of(spec, &command).is_some() {
                break;
            }
            let ctx = CommandContext::new(context, store, table, &COMMANDS, session, output);
            let too_large = answer(ctx, spec, Args::of(command));
            consumed += bytes;
            if too_large {
                stop = Stop::TooLarge;
                break;
            }
            if !*authenticated && session.authenticated {
                *authenticated = true;
                decoder.set_auth_required(false);
            }
            if session.counts.commands >= COMMANDS_MAX || output.len() > OUTPUT_BYTES_MAX {
                stop = Stop::BudgetSpent;
                break;
            }
        }
        input.advance(consumed);
        session.publish(context);
        stop
    }

    /// Returns whether the client wants a reply to the next command.
    pub(super) fn wants_reply(&self) -> bool {
        !self.session.replies.hides()
    }

    /// Starts a new session. Returns whether the client gets a reply: CLIENT REPLY is on again, but
    /// a skipped reply stays skipped.
    pub(super) fn reset(&mut self) -> bool {
        let wants_reply = self.session.replies != ReplyMode::Skip;
        self.unwatch();
        self.session.reset();
        wants_reply
    }

    fn unwatch(&mut self) {
        if let Some(store) =
            self.context.backend().memory_store().filter(|_| self.session.is_watching())
        {
            self.session.unwatch(&mut store.begin());
        }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.unwatch();
    }
}

/// Answers one command, unless the client wants no reply. Returns whether the reply is too large.
fn answer(mut ctx: CommandContext<'_>, spec: &Spec, args: Args<'_>) -> bool {
    let before = ctx.reply.len();
    ctx.session.counts.commands += 1;
    let outcome = run_or_queue(&mut ctx, spec, args);
    // What a command has changed before it failed stays, as in Redis. If it cannot be committed,
    // nothing of it is acknowledged.
    if let Err(error) = ctx.commit().and(outcome) {
        ctx.reply.truncate(before);
        ctx.reply.error(error.text());
    }
    if ctx.session.replies.next() {
        ctx.reply.truncate(before);
    }
    ctx.reply.is_too_large()
}

/// Runs a command, or queues it in a transaction.
fn run_or_queue(ctx: &mut CommandContext<'_>, spec: &Spec, args: Args<'_>) -> Outcome {
    let found = ctx.commands.find(spec, args).and_then(|entry| entry.check(args));
    let is_open = match &found {
        Ok(entry) => entry.needs_no_auth(),
        // As in Redis, a client may learn that its command is none before it authenticates.
        Err(_) => !ctx.commands.needs_redis(spec),
    };
    let found =
        if is_open || !ctx.must_authenticate() { found } else { Err(CommandError::NO_AUTH) };
    let entry = match found {
        Ok(entry) => entry,
        Err(error) => return Err(reject(ctx.session, args, error)),
    };
    match &mut ctx.session.queue {
        Some(queue) if !entry.at_once => {
            queue.push(args)?;
            ctx.reply.simple("QUEUED");
            Ok(())
        }
        _ => entry.run(ctx, spec, args),
    }
}

/// Rejects a command, and with it the transaction that it is in. A rejected EXEC ends the
/// transaction.
fn reject(session: &mut Session, args: Args<'_>, error: CommandError) -> CommandError {
    if args.is(0, "EXEC") {
        session.queue = None;
        return error.aborting();
    }
    if let Some(queue) = &mut session.queue {
        queue.abort();
    }
    error
}
