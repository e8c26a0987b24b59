//! The life of a connection: waits for one of its sockets, does what has become possible, parks.

use super::{
    connection::{Close, Connection, OUTPUT_BYTES_SOFT_MAX, TURN_BYTES},
    session::Session,
};
use crate::listeners::resp::reactor::{event_loop::Registration, socket::Ready as ClientReady};
use futures_util::future::{FusedFuture, FutureExt};
use larder_redis::{Ready, Upstream, UpstreamError};
use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};
use tokio::{sync::watch, time::sleep};

/// Bytes of commands that may wait before the client has authenticated.
const UNAUTHENTICATED_INPUT_BYTES_MAX: usize = 1 << 20;
/// Memory reserved for the rest of a large command.
const RESERVE_BYTES_MAX: usize = 1 << 20;

/// How long a draining server waits for the replies to commands in front of one that blocks. Such
/// a client would wait for its key until the drain timeout.
const BLOCKED_PATIENCE: Duration = Duration::from_millis(500);
/// How long a draining server waits for a client that reads nothing, or that has sent half a
/// command.
const CLIENT_PATIENCE: Duration = Duration::from_secs(2);

/// What a connection has waited for.
pub(super) enum Event {
    Client(ClientReady),
    Upstream(Result<Ready, UpstreamError>),
    /// The reply to the fetch whose turn it is.
    Fetched,
}

impl Connection {
    /// Serves the client until one side ends the connection, and sends the remaining output first.
    /// With a `registration` the event loop serves the client while it is parked.
    pub(crate) async fn run(
        self,
        registration: Option<Registration<Self>>,
        mut draining: watch::Receiver<bool>,
    ) -> Close {
        // One future for the whole connection: each wait on the channel joins and leaves a queue,
        // which is too expensive for every turn. It also completes when the sender is dropped.
        let drained = async move {
            draining.wait_for(|&draining| draining).await.ok();
        };
        let mut drained = pin!(drained.fuse());
        let mut this = Box::new(self);
        loop {
            if this.owes_nothing() && (this.input_ended || this.closing.is_some()) {
                return this.closing.take().unwrap_or(Close::Client);
            }
            let mut event = None;
            if let Some(registration) = &registration
                && registration.is_drained()
                && this.may_park()
            {
                (this, event) = match this.park(registration, drained.as_mut()).await {
                    Ok(parked) => parked,
                    Err(close) => return close,
                };
                if this.closing.is_some() {
                    continue;
                }
            }
            if let Err(close) = this.turn(event, drained.as_mut()).await {
                // What the socket does not accept now is lost with the connection.
                this.client.flush(&mut this.output).ok();
                return close;
            }
        }
    }

    /// Waits for one of the sockets, unless the `event` is known, and does what has become possible.
    async fn turn(
        &mut self,
        event: Option<Event>,
        drained: Pin<&mut impl FusedFuture<Output = ()>>,
    ) -> Result<(), Close> {
        let event = match event {
            Some(event) => event,
            None => self.wait(drained).await?,
        };
        if self.output.len() >= TURN_BYTES {
            self.worker.shared.await_budget().await;
        }
        match event {
            // As in Redis, a client that waits for a key is closed; any other gets its replies.
            Event::Client(ClientReady::End) if self.awaits_blocking => return Err(Close::Client),
            Event::Client(ClientReady::End) => self.input_ended = true,
            Event::Client(ClientReady::Read | ClientReady::Write)
            | Event::Upstream(Ok(Ready::Write)) => {}
            Event::Upstream(Ok(Ready::Read)) => self.take_replies().await,
            Event::Fetched => self.take_fetched().await,
            Event::Upstream(Err(error)) => self.upstream_ended(error).await,
        }
        // Commands may have waited for room that was made, or for a reply that has arrived.
        while self.take_input_and_send().await? {
            self.worker.shared.await_budget().await;
        }
        self.worker.shared.yield_budget();
        Ok(())
    }

    /// Returns true when commands that had to wait for room have it by now: no event would follow.
    async fn take_input_and_send(&mut self) -> Result<bool, Close> {
        let is_held = self.take_input().await?;
        if let Some(upstream) = &mut self.upstream {
            after_others().await;
            upstream.flush();
        }
        self.flush()?;
        Ok(is_held && self.has_room())
    }

    async fn wait(
        &mut self,
        drained: Pin<&mut impl FusedFuture<Output = ()>>,
    ) -> Result<Event, Close> {
        let is_full = self.output.len() > OUTPUT_BYTES_SOFT_MAX;
        let wants_input = !self.input_ended && self.closing.is_none() && self.upstream_has_room();
        let wants_room = self.owes_bytes();
        let owes_nothing = self.owes_nothing();
        let timeout = self.context.config().resp.timeout;
        let may_idle = timeout.is_zero() || !owes_nothing || self.session.is_listening();
        let patience = self.patience();
        // What Redis sends now comes after the fetch.
        let may_read_upstream = !is_full && self.session.next_fetch().is_none();
        if wants_input {
            self.reserve_input()?;
        }
        Ok(tokio::select! {
            ready = self.client.wait(wants_input.then_some(&mut self.input), wants_room),
                if wants_input || wants_room => Event::Client(ready?),
            ready = upstream_ready(self.upstream.as_deref(), may_read_upstream) => {
                Event::Upstream(ready)
            }
            () = next_fetched(&mut self.session), if !is_full => Event::Fetched,
            () = end_of_drain(drained, patience.unwrap_or_default()), if patience.is_some() => {
                return Err(Close::Drained);
            }
            () = lazy_sleep(timeout), if !may_idle => return Err(Close::Idle),
        })
    }

    /// Returns how long the connection stays open after the server has begun to drain if nothing
    /// more happens on it, or `None` if it waits for Redis.
    fn patience(&self) -> Option<Duration> {
        match () {
            () if self.owes_nothing() && self.input.is_empty() => Some(Duration::ZERO),
            () if self.awaits_blocking => Some(BLOCKED_PATIENCE),
            () if self.owes_nothing() || self.owes_bytes() => Some(CLIENT_PATIENCE),
            () => None,
        }
    }

    fn reserve_input(&mut self) -> Result<(), Close> {
        let max = self.context.config().resp.input_bytes_max;
        // Many clients send a whole pipeline before they read a reply.
        let limit = if self.authenticated { max } else { max.min(UNAUTHENTICATED_INPUT_BYTES_MAX) };
        if self.input.len() > limit {
            let address = self.client.addrs().remote;
            tracing::warn!(
                %address,
                limit,
                "closed a client that sent too much without reading its replies"
            );
            return Err(Close::Flooded);
        }
        self.trim();
        let missing = self.decoder.bytes_needed().saturating_sub(self.input.len());
        self.input.reserve(missing.min(RESERVE_BYTES_MAX));
        Ok(())
    }
}

/// Waits until the server drains, and `patience` longer.
async fn end_of_drain(drained: Pin<&mut impl FusedFuture<Output = ()>>, patience: Duration) {
    if !drained.is_terminated() {
        drained.await;
    }
    if !patience.is_zero() {
        lazy_sleep(patience).await;
    }
}

/// Waits as [`Upstream::ready`] does; forever if there is no upstream connection.
pub(super) async fn upstream_ready(
    upstream: Option<&Upstream>,
    read: bool,
) -> Result<Ready, UpstreamError> {
    match upstream {
        Some(upstream) => upstream.ready(read).await,
        None => std::future::pending().await,
    }
}

/// Waits until the fetch whose turn it is has been answered; forever if there is none.
async fn next_fetched(session: &mut Session) {
    match session.next_fetch() {
        Some(fetch) => fetch.answered().await,
        None => std::future::pending().await,
    }
}

/// Lets every other client of this worker that is ready have its turn first, so that the commands of
/// many clients are sent together, and so are the replies to them: the reply that wakes a peer finds
/// the others already there (see the [event loop](crate::listeners::resp::reactor::event_loop)).
async fn after_others() {
    let mut is_first = true;
    poll_fn(|context| {
        if !std::mem::take(&mut is_first) {
            return Poll::Ready(());
        }
        // This moves the task to the end of the queue, but not behind tasks that become ready later.
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Sleeps. Unlike [`sleep`], registers no timer, and reads no clock, before it is polled.
pub(super) async fn lazy_sleep(duration: Duration) {
    sleep(duration).await;
}
