//! Without a Redis: strings and keys, served from the map in this process as Redis would serve
//! them.
//!
//! Read downwards: [`Embedded::take`] goes through what a client has sent; [`commands`] is the table
//! that says who runs a command, with one file per family. A command, and a whole transaction,
//! runs in one transaction of the map ([`context`]), which is committed before its reply can be sent.
//! The names that it may write are invalidated in the engine while the transaction holds the lock: a
//! later reader of the near cache finds the new value.

mod client_registry;
mod command_error;
mod commands;
mod context;
mod expiry;
mod float;
mod glob;
mod number;
mod reply;
mod session;

use super::proxy::{classify::LocalReply, client::Client, fetch_batch::Requests};
use crate::app::App;
use bytes::{Buf, BytesMut};
pub(super) use client_registry::{ClientRegistry, PeerAddrs};
use context::{Args, CommandContext};
use larder_core::memory_store::MemoryStore;
use larder_resp::command::{Spec, Table};
use session::{ReplyMode, Session};
use std::sync::Arc;

/// Commands that are answered at one go, and bytes of replies that may then wait for the client:
/// others have their turn.
const COMMANDS_MAX: u64 = 1024;
const OUTPUT_BYTES_MAX: usize = 1 << 20;

/// One client of a Larder without a Redis. See the [module](self).
pub(super) struct Embedded {
    app: Arc<App>,
    session: Session,
}

/// Why [`Embedded::take`] stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// What comes next it does not answer, or is not there yet.
    NotForEmbedded,
    /// That was enough for one go.
    BudgetSpent,
    /// The client asked for more at once than it may be owed.
    TooLarge,
}

impl Embedded {
    /// Serves this client, unless there is a Redis to do so.
    pub(super) fn of(
        app: &Arc<App>,
        registry: &Arc<ClientRegistry>,
        client: &Client,
    ) -> Option<Self> {
        app.backend().map()?;
        let handle = ClientRegistry::enter(registry, client.addrs(), app.engine().clock().now());
        Some(Self { app: Arc::clone(app), session: Session::new(handle) })
    }

    /// Answers commands up to the first that a listener answers itself, if it has one.
    pub(super) fn take(
        &mut self,
        table: &Table,
        requests: Requests<'_>,
        output: &mut BytesMut,
        authenticated: &mut bool,
    ) -> Stop {
        let Self { app, session } = self;
        let Some(map) = app.backend().map() else { return Stop::NotForEmbedded };
        let Requests { decoder, input } = requests;
        let mut consumed = 0;
        let mut stopped = Stop::NotForEmbedded;
        while let Some(rest) = input.get(consumed..)
            && let Ok(decoded) = decoder.decode(rest)
        {
            let bytes = decoded.consumed;
            let Some(command) = decoded.command else {
                consumed += bytes;
                break;
            };
            let spec = table.spec(&command);
            if LocalReply::of(spec, &command, &app.config().resp, *authenticated).is_some() {
                break;
            }
            let ctx = CommandContext::new(app, map, table, session, output);
            let too_large = answer(ctx, spec, Args::of(command));
            consumed += bytes;
            if too_large {
                stopped = Stop::TooLarge;
                break;
            }
            if !*authenticated && session.authenticated {
                *authenticated = true;
                decoder.set_auth_required(false);
            }
            if session.counts.commands >= COMMANDS_MAX || output.len() > OUTPUT_BYTES_MAX {
                stopped = Stop::BudgetSpent;
                break;
            }
        }
        input.advance(consumed);
        session.show(app);
        stopped
    }

    /// Whether the client wants an answer to what comes next.
    pub(super) fn wants_reply(&self) -> bool {
        !self.session.replies.hides()
    }

    /// The client starts anew. Says whether it wants to be told: replies are on again, but one that
    /// was to be skipped is.
    pub(super) fn reset(&mut self) -> bool {
        let is_told = self.session.replies != ReplyMode::Skip;
        self.give_up_watches();
        self.session.reset();
        is_told
    }

    fn give_up_watches(&mut self) {
        if let Some(map) = self.app.backend().map().filter(|_| self.session.is_watching()) {
            self.session.unwatch(&mut map.begin());
        }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.give_up_watches();
    }
}

/// Answers one command, unless the client wants no answers. Says whether that was too much to
/// answer.
fn answer(mut ctx: CommandContext<'_>, spec: &Spec, args: Args<'_>) -> bool {
    let before = ctx.reply.len();
    ctx.session.counts.commands += 1;
    let outcome = accept(&mut ctx, spec, args);
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
fn accept(ctx: &mut CommandContext<'_>, spec: &Spec, args: Args<'_>) -> command_error::Outcome {
    let found = commands::find(spec, args).and_then(|entry| entry.check(args));
    let entry = match found {
        Ok(entry) => entry,
        Err(error) => return Err(ctx.session.reject(args, error)),
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
