//! A client's own connection to Redis: how it comes about, what comes back on it, and how it ends.

use super::{
    connection::{Close, Connection, FAIR_SHARE},
    info,
    session::{ReplyAction, Stream},
};
use larder_redis::{Upstream, UpstreamError, is_not_ready};
use larder_resp::reply::Frame;

impl Connection {
    pub(super) async fn connect(&mut self) -> Result<(), UpstreamError> {
        let url = self.app.backend().url().ok_or_else(UpstreamError::not_configured)?;
        let upstream =
            Upstream::connect(url).await.inspect_err(|_| self.stats.upstream_refused())?;
        self.stats.upstream_opened();
        self.upstream = Some(upstream);
        self.table = self.app.commands();
        Ok(())
    }

    /// Redis ended the connection. A client that has no state there and awaits nothing goes on, and
    /// gets another when it needs one; any other ends with it, as with a Redis that dies (R14).
    pub(super) fn upstream_ended(&mut self, error: UpstreamError) {
        self.drop_upstream();
        if !self.session.is_pristine(&self.app) {
            self.session.lose_replies();
            self.leaving = Some(Close::Upstream(error));
        }
    }

    pub(super) fn drop_upstream(&mut self) {
        if self.upstream.take().is_some() {
            self.stats.upstream_closed();
        }
    }

    /// Hands on what has come from upstream, each reply when what it demands has been done.
    pub(super) async fn take_replies(&mut self) {
        let Some(upstream) = &mut self.upstream else { return };
        let received = upstream.receive();
        let (mut frames, mut fence, mut puts) = (0, false, false);
        let handed_on = self.hand_on(&mut frames, &mut fence, &mut puts);
        self.blocks &= self.session.is_awaiting_reply();
        if let Some(asked) = self.asked.take_if(|_| frames > 0) {
            self.app.latency().upstream_answered(self.app.engine().clock().now().since(asked));
        }
        if self.session.has_shown_password() {
            self.authenticated = true;
            self.decoder.set_auth_required(false);
        }
        if fence {
            self.stats.fenced();
            self.app.backend().fence().await;
        }
        if puts || fence {
            self.app.engine().all_loads_settled().await;
        }
        if let Err(error) = received.and(handed_on) {
            self.upstream_ended(error);
        }
        if frames >= FAIR_SHARE {
            self.shared.await_budget().await;
        }
    }

    /// Puts the frames that are there into the output, which must not be written before the
    /// `fence` and the end of the `puts`.
    fn hand_on(
        &mut self,
        frames: &mut usize,
        fence: &mut bool,
        puts: &mut bool,
    ) -> Result<(), UpstreamError> {
        let Some(upstream) = &mut self.upstream else { return Ok(()) };
        if self.session.stream() == Stream::Bytes {
            self.output.unsplit(upstream.take_input());
            return Ok(());
        }
        while let Some(frame) = upstream.next_frame()? {
            *frames += 1;
            let view = Frame::from_scanned(&frame).map_err(UpstreamError::protocol)?;
            if view.as_error().is_some_and(is_not_ready) {
                self.app.backend().end_current_epoch();
            }
            let before = self.session.received(&view, &self.app);
            *fence |= matches!(before, ReplyAction::Fence);
            *puts |= matches!(before, ReplyAction::Puts);
            match before {
                ReplyAction::Nothing | ReplyAction::Fence | ReplyAction::Puts => {
                    self.output.extend_from_slice(&frame);
                }
                ReplyAction::Read(read) => {
                    let read_context =
                        Some(self.session.read_context()).filter(|_| !self.session.is_detached());
                    read.answered(&view, &frame, read_context, &self.app);
                    self.output.extend_from_slice(&frame);
                }
                ReplyAction::Info => info::with_our_section(&self.app, &view, &mut self.output),
                ReplyAction::Ours => {}
                ReplyAction::Reset { is_told } => {
                    self.reset(is_told);
                    break;
                }
            }
        }
        Ok(())
    }
}
