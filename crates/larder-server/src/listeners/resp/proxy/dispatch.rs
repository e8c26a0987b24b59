//! What happens with each command of the client: served from memory, fetched together with others,
//! answered by Larder itself, or forwarded.

use super::{
    before_auth::BeforeAuth,
    classify::CommandKind,
    connection::{Close, Connection, OUTPUT_BYTES_SOFT_MAX, TURN_BYTES, TURN_COMMANDS_MAX},
    fetch_batch::{FetchBatch, Progress},
    forward::may_block,
    hits::{HitServer, Served, Stop},
    local_reply::LocalReply,
    requests::Requests,
    session::ReplyStream,
};
use crate::listeners::resp::embedded::{self, command_error::CommandError};
use bytes::{Buf, BytesMut};
use larder_resp::{ProtocolError, reply};

/// What to do with the command at the head of the input.
enum Action {
    /// Wait for the rest of it.
    AwaitInput,
    /// Wait for the replies to the commands before it.
    AwaitReplies,
    /// Report the error, and close: this is not a command.
    Refuse(ProtocolError),
    /// Answer it here. It has this many bytes.
    AnswerLocally(LocalReply, usize),
    /// The client has shown the password of `requirepass`. The command has this many bytes.
    AcceptPassword(usize),
    /// Refuse it: the client has not authenticated. The command has this many bytes.
    RefuseCommand(CommandError, usize),
    /// Send it upstream.
    Forward,
}

impl Connection {
    /// Handles the commands that have arrived. Returns true when there is no room for more.
    pub(super) async fn take_input(&mut self) -> Result<bool, Close> {
        if self.input.len() >= TURN_BYTES {
            self.worker.shared.await_budget().await;
        }
        let (mut connect_error, mut forwarded) = (None, 0);
        while self.may_take_input()? {
            if self.session.stream() == ReplyStream::Bytes {
                self.forward_bytes();
                return Ok(false);
            }
            let is_served = match self.embedded {
                Some(_) => self.take_embedded().await?,
                None => self.may_read_cache() && self.take_reads().await,
            };
            if is_served {
                continue;
            }
            match self.next_action() {
                Action::AwaitInput | Action::AwaitReplies => return Ok(false),
                Action::Refuse(error) => self.refuse(error),
                Action::AnswerLocally(reply, bytes) => {
                    self.answer_locally(reply)?;
                    self.input.advance(bytes);
                }
                Action::AcceptPassword(bytes) => {
                    self.accept_password();
                    reply::simple(&mut self.output, b"OK");
                    self.input.advance(bytes);
                }
                Action::RefuseCommand(error, bytes) => {
                    reply::error(&mut self.output, error.text());
                    self.input.advance(bytes);
                }
                Action::Forward => {
                    self.forward(&mut connect_error).await;
                    forwarded += 1;
                    if forwarded % TURN_COMMANDS_MAX == 0 {
                        self.worker.shared.await_budget().await;
                    }
                }
            }
        }
        Ok(self.wants_input())
    }

    /// Returns whether there is input to take, and room for the results.
    fn may_take_input(&mut self) -> Result<bool, Close> {
        if !self.wants_input() {
            return Ok(false);
        }
        if self.output.len() > OUTPUT_BYTES_SOFT_MAX {
            self.flush()?;
        }
        if let Some(upstream) = self.upstream.as_mut().filter(|upstream| !upstream.has_capacity()) {
            upstream.flush();
        }
        Ok(self.has_room())
    }

    fn wants_input(&self) -> bool {
        !self.input.is_empty() && self.closing.is_none() && !self.session.must_wait()
    }

    fn forward_bytes(&mut self) {
        if let Some(upstream) = &mut self.upstream {
            upstream.output().unsplit(self.input.split());
        }
    }

    /// Serves commands without a Redis. Returns false when the next command is not served here.
    async fn take_embedded(&mut self) -> Result<bool, Close> {
        let Self { embedded, table, decoder, input, output, authenticated, .. } = self;
        let Some(embedded) = embedded else { return Ok(false) };
        match embedded.take(table, Requests { decoder, input }, output, authenticated) {
            embedded::Stop::NotForEmbedded => Ok(false),
            embedded::Stop::BudgetSpent => {
                self.worker.shared.await_budget().await;
                Ok(true)
            }
            embedded::Stop::TooLarge => Err(Close::Flooded),
        }
    }

    /// Serves reads from memory, or else fetches all that wait, if they are all cacheable reads.
    /// Returns false when the next command is not served here.
    async fn take_reads(&mut self) -> bool {
        if !std::mem::take(&mut self.was_looked_up) {
            match self.take_hits() {
                Stop::BudgetSpent => {
                    self.worker.shared.await_budget().await;
                    return true;
                }
                Stop::Miss | Stop::NotRead if self.input.is_empty() => return true,
                Stop::Miss => {}
                Stop::NotRead | Stop::CacheUnavailable => return false,
            }
        }
        if !self.session.is_awaiting_reply()
            && let Some(mut batch) = self.start_fetches()
        {
            // Hits need not wait for what is fetched. If this fails, so does the next flush.
            self.flush().ok();
            while batch.finish(&self.context, &mut self.output).await == Progress::OutputFull {
                self.flush().ok();
                if self.output.len() > OUTPUT_BYTES_SOFT_MAX {
                    // The other commands have their turn once the client has read more. What may
                    // be served from memory then is decided anew.
                    self.decoder.restart();
                    break;
                }
                self.worker.shared.await_budget().await;
            }
            self.input.advance(batch.answered_bytes());
            return true;
        }
        self.queue_fetch()
    }

    /// Serves the hits at the head of the input. Their replies wait for those to earlier commands.
    fn take_hits(&mut self) -> Stop {
        let read_context = self.session.read_context();
        let Self { context, table, decoder, input, worker, output, session, .. } = self;
        let batch = &mut worker.batch.borrow_mut();
        let Served { consumed, stop } = session.append(output, |in_flight, output| {
            HitServer { context, table, read_context, in_flight, decoder, input, batch, output }
                .serve()
        });
        input.advance(consumed);
        stop
    }

    /// Serves the hits at the head of `input`, which the event loop has read, and returns how many
    /// bytes they had.
    #[inline]
    pub(super) fn take_parked_hits(&mut self, input: &[u8], output: &mut BytesMut) -> usize {
        let read_context = self.session.read_context();
        let Self { context, table, decoder, worker, session, .. } = self;
        let batch = &mut worker.batch.borrow_mut();
        let in_flight = session.in_flight();
        let mut server =
            HitServer { context, table, read_context, in_flight, decoder, input, batch, output };
        let Served { consumed, stop } = server.serve();
        self.was_looked_up = stop == Stop::Miss;
        consumed
    }

    fn start_fetches(&mut self) -> Option<FetchBatch> {
        let reader = self.session.reader();
        let Self { context, table, decoder, input, .. } = self;
        FetchBatch::take(context, table, reader, Requests { decoder, input })
    }

    /// Fetches the read at the head of the input behind the commands that are unanswered. Returns
    /// false when it is no read, or has to go upstream.
    fn queue_fetch(&mut self) -> bool {
        let reader = self.session.reader();
        let Self { context, table, decoder, input, session, .. } = self;
        let requests = Requests { decoder, input };
        let first = FetchBatch::of_first(context, table, reader, requests);
        let Some((read, bytes)) = first else { return false };
        let is_queued = session.queue_fetch(read, context);
        if is_queued {
            input.advance(bytes);
        }
        is_queued
    }

    /// Decides about the command at the head of the input.
    fn next_action(&mut self) -> Action {
        let decoded = match self.decoder.decode(&self.input) {
            Ok(decoded) => decoded,
            // The error comes after the replies to the commands before it.
            Err(_) if self.session.is_awaiting_reply() => return Action::AwaitReplies,
            Err(error) => return Action::Refuse(error),
        };
        let bytes = decoded.consumed;
        let Some(command) = decoded.command else {
            self.input.advance(bytes);
            return Action::AwaitInput;
        };
        let spec = self.table.spec(&command);
        let action = if let Some(reply) = LocalReply::of(spec, &command) {
            Action::AnswerLocally(reply, bytes)
        } else if self.authenticated {
            Action::Forward
        } else {
            match BeforeAuth::of(spec, &command, &self.table, &self.context) {
                BeforeAuth::Accept => Action::AcceptPassword(bytes),
                BeforeAuth::Refuse(error) => Action::RefuseCommand(error, bytes),
                BeforeAuth::Forward => Action::Forward,
            }
        };
        let kind = CommandKind::of(spec, &command, &self.context);
        let needs_all_replies = !matches!(action, Action::Forward) || kind.needs_all_replies();
        let blocks = may_block(spec, &command);
        if (needs_all_replies && self.session.is_awaiting_reply())
            || self.session.awaits_fetches_before(&kind, blocks, &self.context)
        {
            return Action::AwaitReplies;
        }
        action
    }
}
