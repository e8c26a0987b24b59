//! A connection that owes nothing is parked in the event loop of its worker, which serves hits.

use super::{
    client::Client,
    connection::{Close, Connection},
    run::{Event, lazy_sleep, upstream_ready},
};
use crate::listeners::resp::reactor::{
    event_loop::Registration,
    handler::{Handler, Next},
    socket::Ready,
};
use bytes::BytesMut;
use larder_redis::Upstream;
use std::{io, pin::Pin, time::Duration};

/// How often a parked client is checked for activity.
const IDLE_STEP: Duration = Duration::from_secs(1);

impl Connection {
    /// Returns whether every command has been answered and more may come.
    pub(super) fn may_park(&self) -> bool {
        self.owes_nothing() && self.input.is_empty() && !self.input_ended && self.closing.is_none()
    }

    /// Parks the connection until there is something that the event loop does not handle. Returns
    /// the event, if it is known already.
    pub(super) async fn park(
        mut self: Box<Self>,
        registration: &Registration<Self>,
        drained: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<(Box<Self>, Option<Event>), Close> {
        self.trim();
        let timeout = self.context.config().resp.timeout;
        let may_idle = timeout.is_zero() || self.session.is_listening();
        let upstream = self.upstream.take();
        registration.park(self);
        let event = tokio::select! {
            biased;
            // Input that was read and replies that are due go before any reason to close.
            () = registration.woken() => Ok(poll_upstream(upstream.as_deref()).await),
            ready = upstream_ready(upstream.as_deref(), true) => Ok(Some(Event::Upstream(ready))),
            () = drained => Err(Close::Drained),
            () = idle(registration, timeout), if !may_idle => Err(Close::Idle),
        };
        // It is gone if serving it has panicked.
        let mut connection = registration.take().ok_or(Close::Client)?;
        connection.upstream = upstream;
        let event = event?;
        let was_read = !connection.input.is_empty();
        Ok((connection, event.or(was_read.then_some(Event::Client(Ready::Read)))))
    }
}

impl Handler for Connection {
    #[inline]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match &mut self.client {
            Client::Plain(socket) => socket.read(buf),
            Client::Tls(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Serves hits; every other command is left to the task.
    #[inline]
    fn handle(&mut self, input: &[u8], output: &mut BytesMut) -> Next {
        let consumed = match self.may_read_cache() {
            true => self.take_parked_hits(input, output),
            false => 0,
        };
        let rest = input.get(consumed..).unwrap_or_default();
        self.input.extend_from_slice(rest);
        if rest.is_empty() { Next::StayParked } else { Next::WakeTask }
    }

    #[inline]
    fn send(&mut self, replies: &[u8]) -> Next {
        let Client::Plain(socket) = &mut self.client else { return Next::WakeTask };
        let sent = socket.write(replies).unwrap_or_else(|_| {
            self.closing = Some(Close::Client);
            replies.len()
        });
        self.worker.shared.charge(sent);
        self.output.extend_from_slice(replies.get(sent..).unwrap_or_default());
        match self.output.is_empty() && self.closing.is_none() {
            true => Next::StayParked,
            false => Next::WakeTask,
        }
    }
}

/// Returns what has arrived from upstream by now. The end of the connection, above all, must be
/// noticed before anything is sent on it.
async fn poll_upstream(upstream: Option<&Upstream>) -> Option<Event> {
    tokio::select! {
        biased;
        ready = upstream_ready(upstream, true) => Some(Event::Upstream(ready)),
        () = std::future::ready(()) => None,
    }
}

/// Waits until a client has sent nothing for `limit`, give or take a step.
async fn idle<H>(registration: &Registration<H>, limit: Duration) {
    let mut quiet = Duration::ZERO;
    registration.take_activity();
    while quiet < limit {
        let step = IDLE_STEP.min(limit.saturating_sub(quiet));
        lazy_sleep(step).await;
        quiet = if registration.take_activity() { Duration::ZERO } else { quiet + step };
    }
}
