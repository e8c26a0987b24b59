//! One client: its socket, its own upstream connection, and what lies between.
//!
//! Read downwards: [`Connection::run`] waits; [`Connection::take_input`] serves what is in memory,
//! fetches what is all reads, and hands everything else to [`Connection::forward`];
//! [`Connection::take_replies`] in [`super::replies`] does what each reply demands before it is handed on. A
//! client that is owed nothing costs less: see [`super::parked`].

use super::{
    classify::{CommandKind, LocalReply, shows_password},
    client::{self, Client},
    context::ProxyContext,
    fetch_batch::{FetchBatch, Requests},
    hello::Hello,
    hits::{Stop, serve_hits},
    session::{Session, Stream},
};
use crate::{
    app::App,
    listeners::resp::{
        embedded::{self, Embedded},
        reactor::{event_loop::Registration, scheduler::WorkerShared},
    },
    stats::resp::RespStats,
};
use bytes::{Buf, BytesMut};
use larder_core::{Bypass, Moment};
use larder_redis::{Ready, Upstream, UpstreamError};
use larder_resp::{
    ProtocolError,
    command::{Spec, Table},
    reply,
    request::{Command, Decoder, write_command},
};
use std::{
    future::poll_fn,
    io,
    pin::{Pin, pin},
    rc::Rc,
    sync::Arc,
    task::Poll,
    time::Duration,
};
use tokio::{sync::watch, time::sleep};

/// So much input is worth a turn of its own.
const READ_BYTES: usize = 16 << 10;
/// An empty buffer larger than this is given back.
const IDLE_BUFFER_BYTES_MAX: usize = 64 << 10;
/// While more than this waits for a client to read it, its commands wait too, and the replies to
/// them in Redis.
const OUTPUT_BYTES_SOFT_MAX: usize = 1 << 20;
/// Bytes of commands that may wait before the client has shown its password.
const STRANGERS_INPUT_BYTES_MAX: usize = 1 << 20;
/// Commands or replies at one go, after which other clients have their turn.
pub(super) const FAIR_SHARE: usize = 256;

/// See the [module](self).
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own, true or not")]
pub(crate) struct Connection {
    pub(super) app: Arc<App>,
    pub(super) table: Arc<Table>,
    pub(super) stats: Arc<RespStats>,
    pub(super) client: Client,
    pub(super) input: BytesMut,
    pub(super) output: BytesMut,
    pub(super) decoder: Decoder,
    /// What all clients of the worker share.
    pub(super) shared: Rc<WorkerShared>,
    pub(super) session: Session,
    pub(super) upstream: Option<Upstream>,
    /// In place of an upstream where there is no Redis.
    pub(super) embedded: Option<Embedded>,
    /// The rounds have looked for the command at the head of the input just now.
    pub(super) was_looked_up: bool,
    /// The client has shown what `requirepass` wants.
    pub(super) authenticated: bool,
    /// Nothing more is taken from the client, and this is why: it said goodbye, or one side broke
    /// off. What it is owed is still sent.
    pub(super) leaving: Option<Close>,
    /// The client sends no more, and may still read.
    pub(super) ended: bool,
    /// Among the replies that are awaited is one that may take for ever.
    pub(super) blocks: bool,
    /// When the oldest of them was asked for, if none was awaited then.
    pub(super) asked: Option<Moment>,
}

/// Why a connection ends.
#[derive(Debug)]
pub(crate) enum Close {
    /// The client went, or broke the connection.
    Client,
    /// It sent more than may wait, and did not read.
    Flooded,
    /// Redis ended the client's upstream connection.
    Upstream(UpstreamError),
    /// It sent nothing for as long as `timeout` allows.
    Idle,
    /// The server drains, and the client is owed nothing.
    Drained,
}

/// What a turn has waited for.
pub(super) enum Event {
    Client(client::Ready),
    Upstream(Result<Ready, UpstreamError>),
}

/// What is to be done with the command at the head of the input.
enum Action {
    /// There is no whole one.
    Empty,
    /// It must wait for the replies to those before it.
    Hold,
    /// It is no command.
    Broken(ProtocolError),
    /// Larder answers it; so many bytes of input are done with then.
    LocalReply(LocalReply, usize),
    /// It goes upstream.
    Upstream,
}

impl Connection {
    pub(crate) fn new(context: &ProxyContext, client: Client, shared: Rc<WorkerShared>) -> Self {
        let app = Arc::clone(context.app());
        let authenticated = app.config().resp.requirepass.is_none();
        let mut decoder = Decoder::new(app.config().resp.limits);
        decoder.set_auth_required(!authenticated);
        let embedded = Embedded::of(&app, context.clients(), &client);
        Self {
            table: app.commands(),
            session: Session::new(app.backend().db()),
            app,
            stats: Arc::clone(context.stats()),
            client,
            input: BytesMut::new(),
            output: BytesMut::new(),
            decoder,
            shared,
            upstream: None,
            embedded,
            was_looked_up: false,
            authenticated,
            leaving: None,
            ended: false,
            blocks: false,
            asked: None,
        }
    }

    /// Serves the client until one side ends it. What it is still owed is sent first. With a `place`
    /// its worker's rounds do so too.
    pub(crate) async fn run(
        self,
        registration: Option<Registration>,
        mut draining: watch::Receiver<bool>,
    ) -> Close {
        // One wait for all turns: to join the queue of those who wait, and to leave it again, is
        // not for each of them. It is also over when the one who tells is gone.
        let mut drained = pin!(async move {
            draining.wait_for(|&draining| draining).await.ok();
        });
        let mut this = Box::new(self);
        loop {
            if this.owes_nothing() && (this.ended || this.leaving.is_some()) {
                return this.leaving.take().unwrap_or(Close::Client);
            }
            let mut event = None;
            if let Some(registration) =
                registration.as_ref().filter(|registration| registration.is_drained())
                && this.may_park()
            {
                (this, event) = match this.park(registration, drained.as_mut()).await {
                    Ok(rested) => rested,
                    Err(close) => return close,
                };
                if this.leaving.is_some() {
                    continue;
                }
            }
            if let Err(close) = this.turn(event, drained.as_mut()).await {
                // What it does not take now is lost with its connection.
                this.client.flush(&mut this.output).ok();
                return close;
            }
        }
    }

    /// Whether the client has all that it was promised, and Redis all that the client sent.
    pub(super) fn owes_nothing(&self) -> bool {
        !self.owes_bytes()
            && !self.session.is_awaiting_reply()
            && !self.session.must_wait()
            && self.upstream.as_ref().is_none_or(|upstream| !upstream.has_output())
    }

    /// Whether something waits for the client's socket.
    fn owes_bytes(&self) -> bool {
        !self.output.is_empty() || self.client.has_output()
    }

    /// Waits for one of the sockets, unless the `event` is known, and does what has become possible.
    async fn turn(
        &mut self,
        event: Option<Event>,
        drained: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<(), Close> {
        let event = match event {
            Some(event) => event,
            None => self.wait(drained).await?,
        };
        if self.output.len() >= READ_BYTES {
            self.shared.await_budget().await;
        }
        match event {
            // As in Redis: who waits for a key is gone, all others get what they asked for.
            Event::Client(client::Ready::End) if self.blocks => return Err(Close::Client),
            Event::Client(client::Ready::End) => self.ended = true,
            Event::Client(client::Ready::Read | client::Ready::Write)
            | Event::Upstream(Ok(Ready::Write)) => {}
            Event::Upstream(Ok(Ready::Read)) => self.take_replies().await,
            Event::Upstream(Err(error)) => self.upstream_ended(error),
        }
        // Room that was made, or a reply that came, may be what commands have waited for.
        while self.take_input_and_send().await? {
            self.shared.await_budget().await;
        }
        self.shared.yield_budget();
        Ok(())
    }

    /// True when commands that had to wait for room have it by now: nobody else would tell of it.
    async fn take_input_and_send(&mut self) -> Result<bool, Close> {
        let is_held = self.take_input().await?;
        if let Some(upstream) = &mut self.upstream {
            after_others().await;
            upstream.flush();
        }
        self.flush()?;
        Ok(is_held && self.has_room())
    }

    /// Writes as much as the client takes.
    fn flush(&mut self) -> Result<(), Close> {
        let before = self.output.len();
        self.client.flush(&mut self.output)?;
        self.shared.charge(before - self.output.len());
        Ok(())
    }

    async fn wait(&mut self, drained: Pin<&mut impl Future<Output = ()>>) -> Result<Event, Close> {
        let full = self.output.len() > OUTPUT_BYTES_SOFT_MAX;
        let listens = !self.ended && self.leaving.is_none() && self.upstream_has_room();
        let idle = self.app.config().resp.timeout;
        let writes = self.owes_bytes();
        let owes_nothing = self.owes_nothing();
        let may_idle = idle.is_zero() || !owes_nothing || self.session.is_listening();
        let may_leave = owes_nothing && self.input.is_empty();
        if listens {
            self.make_room()?;
        }
        Ok(tokio::select! {
            ready = self.client.wait(listens.then_some(&mut self.input), writes),
                if listens || writes => Event::Client(ready?),
            ready = ready(self.upstream.as_ref(), !full) => Event::Upstream(ready),
            () = drained, if may_leave => return Err(Close::Drained),
            () = pass(idle), if !may_idle => return Err(Close::Idle),
        })
    }

    fn make_room(&mut self) -> Result<(), Close> {
        let most = self.app.config().resp.input_bytes_max;
        // Many a client reads nothing before it has written all.
        let limit = if self.authenticated { most } else { most.min(STRANGERS_INPUT_BYTES_MAX) };
        if self.input.len() > limit {
            return Err(Close::Flooded);
        }
        self.trim();
        let wanted = self.decoder.bytes_needed().saturating_sub(self.input.len());
        self.input.reserve(wanted.min(READ_BYTES * 64));
        Ok(())
    }

    /// Gives back room that only large commands need.
    pub(super) fn trim(&mut self) {
        for buffer in [&mut self.input, &mut self.output] {
            if buffer.is_empty() && buffer.capacity() > IDLE_BUFFER_BYTES_MAX {
                *buffer = BytesMut::new();
            }
        }
    }

    fn upstream_has_room(&self) -> bool {
        self.session.has_room() && self.upstream.as_ref().is_none_or(Upstream::has_capacity)
    }

    /// Serves what has arrived: from memory as far as that goes, the rest on other roads. True when
    /// there is no room for more.
    async fn take_input(&mut self) -> Result<bool, Close> {
        if self.input.len() >= READ_BYTES {
            self.shared.await_budget().await;
        }
        let (mut refused, mut forwarded) = (None, 0);
        while self.may_take_input()? {
            if self.session.stream() == Stream::Bytes {
                if let Some(upstream) = &mut self.upstream {
                    upstream.output().unsplit(self.input.split());
                }
                return Ok(false);
            }
            let taken = match self.embedded {
                Some(_) => self.take_embedded().await?,
                None => self.may_read_cache() && self.take_reads().await,
            };
            if taken {
                continue;
            }
            match self.judge() {
                Action::Empty | Action::Hold => return Ok(false),
                Action::Broken(error) => self.refuse(error),
                Action::LocalReply(local, bytes) => {
                    self.answer_locally(local)?;
                    self.input.advance(bytes);
                }
                Action::Upstream => {
                    self.forward(&mut refused).await;
                    forwarded += 1;
                    if forwarded % FAIR_SHARE == 0 {
                        self.shared.await_budget().await;
                    }
                }
            }
        }
        Ok(self.wants_input())
    }

    /// Whether there is something to take, and room for what comes of it.
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
        !self.input.is_empty() && self.leaving.is_none() && !self.session.must_wait()
    }

    fn has_room(&self) -> bool {
        self.output.len() <= OUTPUT_BYTES_SOFT_MAX && self.upstream_has_room()
    }

    /// Serves what needs no Redis. False when the command at the head of the input is not for here.
    async fn take_embedded(&mut self) -> Result<bool, Close> {
        let Self { embedded, table, decoder, input, output, authenticated, .. } = self;
        let Some(embedded) = embedded else { return Ok(false) };
        match embedded.take(table, Requests { decoder, input }, output, authenticated) {
            embedded::Stop::NotForEmbedded => Ok(false),
            embedded::Stop::BudgetSpent => {
                self.shared.await_budget().await;
                Ok(true)
            }
            embedded::Stop::TooLarge => Err(Close::Flooded),
        }
    }

    /// Whether reads may be served from memory.
    pub(super) fn may_read_cache(&self) -> bool {
        self.embedded.is_none() && self.authenticated && self.session.may_read_cache(&self.app)
    }

    /// Serves reads: those in memory, or else all that wait if they are nothing but reads. False
    /// when the command at the head of the input is not for here.
    async fn take_reads(&mut self) -> bool {
        if !std::mem::take(&mut self.was_looked_up) {
            match self.take_hits_at_head() {
                Stop::CacheUnavailable => return false,
                Stop::BudgetSpent => {
                    self.shared.await_budget().await;
                    return true;
                }
                Stop::NotCacheable if self.input.is_empty() => return true,
                Stop::NotCacheable => {}
            }
        }
        let read_context = self.session.read_context();
        let Self { app, table, decoder, input, .. } = self;
        let requests = Requests { decoder, input };
        let Some(reads) = FetchBatch::of(app, table, read_context, requests) else { return false };
        // What was served from memory need not wait for what is fetched. An error shows again
        // when the rest is written.
        self.flush().ok();
        reads.finish(&self.app, &self.stats, &mut self.output).await;
        true
    }

    fn take_hits_at_head(&mut self) -> Stop {
        let read_context = self.session.read_context();
        let Self { app, table, stats, decoder, input, shared, output, .. } = self;
        let batch = &mut shared.batch();
        let (consumed, stopped) =
            serve_hits(app, (table, stats), read_context, (decoder, input), batch, output);
        input.advance(consumed);
        stopped
    }

    /// Reader at the command at the head of the input.
    fn judge(&mut self) -> Action {
        let decoded = match self.decoder.decode(&self.input) {
            Ok(decoded) => decoded,
            // The replies to what came before it come before the error.
            Err(_) if self.session.is_awaiting_reply() => return Action::Hold,
            Err(error) => return Action::Broken(error),
        };
        let bytes = decoded.consumed;
        let Some(command) = decoded.command else {
            self.input.advance(bytes);
            return Action::Empty;
        };
        let spec = self.table.spec(&command);
        let mut local = LocalReply::of(spec, &command, &self.app.config().resp, self.authenticated);
        // Its password is ours, so the store cannot make the client our user again.
        if self.session.acts_as_other_user()
            && shows_password(spec, &command, &self.app.config().resp)
        {
            local = Some(LocalReply::RightPassword);
        }
        let wants_quiet =
            local.is_some() || CommandKind::of(spec, &command, &self.app).wants_quiet();
        match local {
            _ if wants_quiet && self.session.is_awaiting_reply() => Action::Hold,
            Some(local) => Action::LocalReply(local, bytes),
            None => Action::Upstream,
        }
    }

    /// Sends the command at the head of the input upstream, over a connection that is opened for
    /// the first one. When that is `refused`, the commands that wait behind it are not tried.
    async fn forward(&mut self, refused: &mut Option<UpstreamError>) {
        if self.upstream.is_none() && refused.is_none() {
            *refused = self.connect().await.err();
        }
        // Judged before, so it is whole and sound.
        let Ok(decoded) = self.decoder.decode(&self.input) else { return };
        let bytes = decoded.consumed;
        if let (Some(command), Some(upstream)) = (decoded.command, &mut self.upstream) {
            let spec = self.table.spec(&command);
            let mut kind = CommandKind::of(spec, &command, &self.app);
            self.stats.relayed(kind.relayed());
            if spec.cacheable.is_some() {
                self.stats.results().bypassed(bypass_reason(&self.app, &self.session, &kind));
            }
            let blocks = blocks(spec, &command);
            self.blocks |= blocks;
            if !self.session.is_awaiting_reply() && !blocks {
                self.asked = Some(self.app.engine().clock().now());
            }
            if LocalReply::is_own_hello(spec, &command, &self.app.config().resp) {
                self.authenticated = true;
                kind = kind.without_user();
                write_without_auth(&command, upstream.output());
            } else {
                command.write_to(upstream.output());
            }
            self.session.sent(kind, blocks, &self.app);
        }
        if let Some(error) = refused.as_ref().filter(|_| self.upstream.is_none()) {
            // Clients know this word: they try again, as with a Redis that starts.
            let text = format!("LOADING Larder cannot reach the store: {error}");
            reply::error(&mut self.output, text.as_bytes());
            self.stats.results().failed();
        }
        self.input.advance(bytes);
        self.decoder.set_auth_required(!self.authenticated);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.drop_upstream();
    }
}

/// Whether the reply to a command may take for ever.
fn blocks(spec: &Spec, command: &Command<'_>) -> bool {
    let is_stream = [&b"XREAD"[..], b"XREADGROUP"].contains(&spec.name.as_bytes());
    spec.blocking && (!is_stream || command.args().any(|arg| arg.eq_ignore_ascii_case(b"BLOCK")))
}

/// Why a read that might be served from memory goes upstream.
fn bypass_reason(app: &App, session: &Session, read: &CommandKind<'_>) -> Bypass {
    let engine = app.engine();
    if engine.batch_view().is_none() {
        return engine.feed().bypass_reason();
    }
    let barred = match read {
        CommandKind::Read(Some(read)) if session.may_read_cache(app) => {
            read.keys.clone().find_map(|name| engine.bypass_reason_for(name))
        }
        _ => None,
    };
    barred.unwrap_or_else(|| session.bypass_reason(app))
}

/// A HELLO whose password was ours to check: the store need not see it.
fn write_without_auth(command: &Command<'_>, out: &mut BytesMut) {
    let name = Hello::of(command).ok().and_then(|hello| hello.name);
    let set_name = name.map(|name| [&b"SETNAME"[..], name]);
    let words = command.args().take(2).chain(set_name.into_iter().flatten());
    write_command(out, &words.collect::<Vec<_>>());
}

/// As [`Upstream::ready`]; never, while there is no upstream connection.
pub(super) async fn ready(upstream: Option<&Upstream>, read: bool) -> Result<Ready, UpstreamError> {
    match upstream {
        Some(upstream) => upstream.ready(read).await,
        None => std::future::pending().await,
    }
}

/// Lets every other client of this worker that is ready have its turn first, so that commands of many
/// go out together, and so do the replies to them: whoever was woken by the first finds the others
/// without having slept (see [`crate::listeners::resp::reactor`]).
async fn after_others() {
    let mut is_first = true;
    poll_fn(|context| {
        if !std::mem::take(&mut is_first) {
            return Poll::Ready(());
        }
        // To the end of the queue, and no further: not behind what is yet to become ready.
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Begins to wait when it is polled, not before.
pub(super) async fn pass(span: Duration) {
    sleep(span).await;
}

impl From<io::Error> for Close {
    fn from(_: io::Error) -> Self {
        Self::Client
    }
}
