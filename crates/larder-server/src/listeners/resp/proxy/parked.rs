//! While a client has all that it was promised, its connection is with the [rounds](crate::listeners::resp::reactor)
//! of its worker, which answer from memory what they can.

use super::{
    client::{Client, Ready},
    connection::{Close, Connection, Event, pass, ready},
    hits::{Stop, serve_hits},
};
use crate::listeners::resp::reactor::event_loop::Registration;
use bytes::BytesMut;
use larder_redis::Upstream;
use std::{io, pin::Pin, time::Duration};

/// How often it is looked whether a client was heard.
const IDLE_STEP: Duration = Duration::from_secs(1);

impl Connection {
    /// Whether everything is answered, and more may be asked.
    pub(super) fn may_park(&self) -> bool {
        self.owes_nothing() && self.input.is_empty() && !self.ended && self.leaving.is_none()
    }

    /// Leaves the client to the rounds until there is something that is not for them. Says what, if
    /// that is known already.
    pub(super) async fn park(
        mut self: Box<Self>,
        registration: &Registration,
        drained: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<(Box<Self>, Option<Event>), Close> {
        self.trim();
        let limit = self.app.config().resp.timeout;
        let may_idle = limit.is_zero() || self.session.is_listening();
        let upstream = self.upstream.take();
        registration.park(self);
        let event = tokio::select! {
            biased;
            // What was read or is owed by now goes before any reason to close.
            () = registration.woken() => Ok(news_of(upstream.as_ref()).await),
            ready = ready(upstream.as_ref(), true) => Ok(Some(Event::Upstream(ready))),
            () = drained => Err(Close::Drained),
            () = idle(registration, limit), if !may_idle => Err(Close::Idle),
        };
        // Where it is not, serving it has failed.
        let mut connection = registration.take().ok_or(Close::Client)?;
        connection.upstream = upstream;
        let event = event?;
        let was_read = !connection.input.is_empty();
        Ok((connection, event.or(was_read.then_some(Event::Client(Ready::Read)))))
    }

    /// Reads what the client has sent; nothing at the end. `WouldBlock` when there is none.
    pub(crate) fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match &mut self.client {
            Client::Plain(socket) => socket.read(room),
            Client::Tls(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Answers what was read as far as that can be done from memory, and keeps the rest. False when
    /// there is any.
    pub(crate) fn take_hits(&mut self, read: &[u8], output: &mut BytesMut) -> bool {
        let mut consumed = 0;
        if self.may_read_cache() {
            let read_context = self.session.read_context();
            let Self { app, table, stats, decoder, shared, .. } = self;
            let batch = &mut shared.batch();
            let (bytes, stopped) =
                serve_hits(app, (table, stats), read_context, (decoder, read), batch, output);
            consumed = bytes;
            self.was_looked_up = stopped == Stop::NotCacheable;
        }
        let rest = read.get(consumed..).unwrap_or_default();
        self.input.extend_from_slice(rest);
        rest.is_empty()
    }

    /// Sends replies, and keeps what is not taken at once. False when that is any.
    pub(crate) fn send(&mut self, replies: &[u8]) -> bool {
        let Client::Plain(socket) = &mut self.client else { return false };
        let sent = socket.write(replies).unwrap_or_else(|_| {
            self.leaving = Some(Close::Client);
            replies.len()
        });
        self.shared.charge(sent);
        self.output.extend_from_slice(replies.get(sent..).unwrap_or_default());
        self.output.is_empty() && self.leaving.is_none()
    }
}

/// What has come from upstream by now: its end, above all, goes before what would be sent on it.
async fn news_of(upstream: Option<&Upstream>) -> Option<Event> {
    tokio::select! {
        biased;
        ready = ready(upstream, true) => Some(Event::Upstream(ready)),
        () = std::future::ready(()) => None,
    }
}

/// Waits until a client has not been heard for as long as `limit`, give or take a step.
async fn idle(registration: &Registration, limit: Duration) {
    let mut quiet = Duration::ZERO;
    registration.take_activity();
    while quiet < limit {
        let step = IDLE_STEP.min(limit.saturating_sub(quiet));
        pass(step).await;
        quiet = if registration.take_activity() { Duration::ZERO } else { quiet + step };
    }
}
