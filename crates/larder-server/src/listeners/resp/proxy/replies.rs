//! What the upstream connection returns, and how it ends.

use super::{
    connection::{Close, Connection, OUTPUT_BYTES_SOFT_MAX, TURN_COMMANDS_MAX},
    context::ProxyContext,
    info,
    served::Served,
    session::{ReplyAction, ReplyStream},
};
use larder_redis::{OTHER_SERVER, UpstreamError, is_no_auth, is_not_ready, is_redirect};
use larder_resp::reply::Frame;

/// What must happen before the replies that were taken are sent to the client.
#[derive(Default)]
struct Taken {
    frames: usize,
    /// A fence: every change that the store has reported by now must have been applied.
    needs_fence: bool,
    /// The loaded values that are being put into the store must be there.
    needs_loads: bool,
}

impl Connection {
    /// Forwards what has arrived from upstream, once what each reply requires is done.
    pub(super) async fn take_replies(&mut self) {
        let Some(upstream) = &mut self.upstream else { return };
        let received = upstream.receive();
        self.forward_received(received).await;
    }

    /// Finishes the fetch whose turn it is, and forwards what has arrived behind it.
    pub(super) async fn take_fetched(&mut self) {
        self.forward_received(Ok(())).await;
    }

    async fn forward_received(&mut self, received: Result<(), UpstreamError>) {
        let mut taken = Taken::default();
        let mut outcome = self.take_frames(&mut taken);
        while outcome.is_ok() && self.finish_fetch().await {
            outcome = self.take_frames(&mut taken);
        }
        self.awaits_blocking &= self.session.is_awaiting_reply();
        if taken.frames > 0 {
            self.note_served();
        }
        if self.session.has_shown_password() {
            self.accept_password();
        }
        if !self.authenticated && !self.session.is_awaiting_reply() {
            // Clients that have shown no password must not hold connections of the store.
            self.upstream = None;
            self.session.reset();
        }
        if taken.needs_fence {
            self.context.stats().fenced();
            self.context.backend().fence().await;
        }
        if taken.needs_loads || taken.needs_fence {
            self.context.engine().all_loads_settled().await;
        }
        if let Err(error) = received.and(outcome) {
            self.upstream_ended(error).await;
        }
        if taken.frames >= TURN_COMMANDS_MAX {
            self.worker.shared.await_budget().await;
        }
    }

    /// Appends the reply to the fetch whose turn it is to the output. Returns false if there is
    /// none, or no reply, or if the client should read first.
    async fn finish_fetch(&mut self) -> bool {
        if self.output.len() > OUTPUT_BYTES_SOFT_MAX
            || !self.session.next_fetch().is_some_and(|fetch| fetch.is_answered())
        {
            return false;
        }
        let Some(fetch) = self.session.take_fetch() else { return false };
        let (names, before) = (fetch.names().count(), self.output.len());
        if !fetch.finish_one(&self.context, &mut self.output).await {
            self.session.distrust_fetches();
        }
        self.session.fetch_answered(names, self.output.len() - before);
        true
    }

    /// Appends the frames that have arrived to the output, and the replies that have waited for
    /// them, up to the next fetch.
    fn take_frames(&mut self, taken: &mut Taken) -> Result<(), UpstreamError> {
        self.session.move_ready(&mut self.output);
        let Some(upstream) = &mut self.upstream else { return Ok(()) };
        if self.session.stream() == ReplyStream::Bytes {
            self.output.unsplit(upstream.take_input());
            return Ok(());
        }
        while self.session.next_fetch().is_none()
            && let Some(bytes) = upstream.next_frame()?
        {
            taken.frames += 1;
            let frame = Frame::from_scanned(&bytes).map_err(UpstreamError::protocol)?;
            if let Some(error) = frame.as_error()
                && self.session.next_is_from_server()
            {
                note_error(error, &self.context);
            }
            let shown = shown(&frame, &bytes);
            match self.session.received(&frame, &self.context) {
                ReplyAction::Forward => self.output.extend_from_slice(shown),
                ReplyAction::Fence => {
                    taken.needs_fence = true;
                    self.output.extend_from_slice(shown);
                }
                ReplyAction::AwaitLoads => {
                    taken.needs_loads = true;
                    self.output.extend_from_slice(shown);
                }
                ReplyAction::Read(read) => {
                    let read_context =
                        (!self.session.is_detached()).then(|| self.session.read_context());
                    read.answered(&frame, &bytes, read_context, &self.context);
                    self.output.extend_from_slice(shown);
                }
                ReplyAction::AppendInfo => {
                    let section = self.context.info_section();
                    info::write_with_section(&frame, &section, &mut self.output);
                }
                ReplyAction::Replace(reply) => self.output.extend_from_slice(&reply),
                ReplyAction::Drop => {}
                ReplyAction::Reset { wants_reply } => {
                    self.reset(wants_reply);
                    break;
                }
            }
            self.session.move_ready(&mut self.output);
        }
        Ok(())
    }

    /// Notes that Redis has answered.
    fn note_served(&mut self) {
        let served = Served::now(self.context.engine());
        if let Some(upstream) = &mut self.upstream {
            upstream.served = served;
        }
        if let Some(sent) = self.oldest_sent.take() {
            self.context.upstream_answered(served.since(sent));
        }
    }

    /// The connection to Redis has ended. A client that has no state there and waits for nothing
    /// stays, and gets another when it needs one, unless it was killed. Any other is closed, as with
    /// a Redis that dies (R14).
    pub(super) async fn upstream_ended(&mut self, error: UpstreamError) {
        let Some(served) = self.upstream.take().map(|upstream| upstream.served) else { return };
        if !self.session.is_pristine(&self.context) || served.was_killed(&self.context).await {
            self.session.lose_replies(&self.context);
            self.closing = Some(Close::Upstream(error));
        }
    }
}

/// Notes an error reply that concerns Larder itself.
fn note_error(error: &[u8], context: &ProxyContext) {
    if is_not_ready(error) {
        context.backend().end_current_epoch();
    } else if is_no_auth(error) {
        // The store accepted the connection without credentials, and now wants some.
        context.backend().refused(&String::from_utf8_lossy(error));
    }
}

/// Returns the bytes of a frame as the client may see them: a redirect would lead it past Larder.
fn shown<'a>(frame: &Frame<'_>, bytes: &'a [u8]) -> &'a [u8] {
    match frame.as_error() {
        Some(error) if is_redirect(error) => OTHER_SERVER.as_bytes(),
        _ => bytes,
    }
}
