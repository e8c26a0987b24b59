//! One client: its socket, its own upstream connection, and the bytes in between.
//!
//! Here is what a connection holds. [`run`](super::run) waits for events; [`dispatch`](super::dispatch)
//! decides about each command: serve it from memory, fetch it with others, answer it
//! [locally](super::local), or [forward](super::forward) it. [`replies`](super::replies) does what
//! each reply requires before it is forwarded. A connection that owes nothing is
//! [parked](super::parked).

use super::{client::Client, context::ProxyContext, hits::Batch, served::Served, session::Session};
use crate::{
    listeners::resp::{embedded::Embedded, reactor::scheduler::WorkerShared},
    rlimit::Descriptor,
    stats::resp::OpenConnection,
};
use bytes::BytesMut;
use larder_core::Moment;
use larder_redis::{Upstream, UpstreamError};
use larder_resp::{command::Table, request::Decoder};
use std::{
    cell::RefCell,
    io,
    ops::{Deref, DerefMut},
    rc::Rc,
    sync::Arc,
};

pub(super) use super::read_context::OUTPUT_BYTES_SOFT_MAX;

/// An empty buffer larger than this is freed.
const IDLE_BUFFER_BYTES_MAX: usize = 64 << 10;
/// Input or output of this size is worth a turn of its own.
pub(super) const TURN_BYTES: usize = 16 << 10;
/// Commands or replies that are handled before other clients have their turn.
pub(super) const TURN_COMMANDS_MAX: usize = 256;

/// See the [module](self).
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own, true or not")]
pub(crate) struct Connection {
    pub(super) context: Arc<ProxyContext>,
    /// The commands that the store knew when this connection or its upstream was opened.
    pub(super) table: Arc<Table>,
    pub(super) client: Client,
    pub(super) input: BytesMut,
    pub(super) output: BytesMut,
    pub(super) decoder: Decoder,
    pub(super) worker: WorkerHandle,
    pub(super) session: Session,
    pub(super) upstream: Option<CountedUpstream>,
    /// In place of an upstream where there is no Redis.
    pub(super) embedded: Option<Embedded>,
    /// The event loop has just looked up the command at the head of the input.
    pub(super) was_looked_up: bool,
    /// The client has shown the password of `requirepass`.
    pub(super) authenticated: bool,
    /// Why the connection closes once its output is sent: the client said goodbye, or one side has
    /// failed. No more input is taken.
    pub(super) closing: Option<Close>,
    /// The client sends nothing more. It may still read.
    pub(super) input_ended: bool,
    /// A pending reply may take forever.
    pub(super) awaits_blocking: bool,
    /// When the oldest pending command was sent, if nothing was pending then.
    pub(super) oldest_sent: Option<Moment>,
}

/// An upstream connection, which is counted as open until it is dropped: with the connection of its
/// client, or apart from it if the client is parked and serving it panics.
pub(super) struct CountedUpstream {
    upstream: Upstream,
    /// The last sign that Redis served it.
    pub(super) served: Served,
    _descriptor: Descriptor,
    _open: OpenConnection,
}

/// What the connections of one worker share.
#[derive(Clone)]
pub(crate) struct WorkerHandle {
    pub(super) shared: Rc<WorkerShared>,
    pub(super) batch: Rc<RefCell<Batch>>,
}

/// Why a connection ends.
#[derive(Debug)]
pub(crate) enum Close {
    /// The client said goodbye or broke the connection.
    Client,
    /// It sent more than may wait, without reading replies.
    Flooded,
    /// Redis ended the client's upstream connection.
    Upstream(UpstreamError),
    /// It sent nothing for `timeout`.
    Idle,
    /// The server drains, and the client has all its replies.
    Drained,
}

impl CountedUpstream {
    pub(super) fn new(upstream: Upstream, descriptor: Descriptor, context: &ProxyContext) -> Self {
        let served = Served::now(context.engine());
        let open = context.stats().upstream_opened();
        Self { upstream, served, _descriptor: descriptor, _open: open }
    }
}

impl Deref for CountedUpstream {
    type Target = Upstream;

    #[inline]
    fn deref(&self) -> &Upstream {
        &self.upstream
    }
}

impl DerefMut for CountedUpstream {
    #[inline]
    fn deref_mut(&mut self) -> &mut Upstream {
        &mut self.upstream
    }
}

impl WorkerHandle {
    pub(crate) fn new(shared: Rc<WorkerShared>) -> Self {
        Self { shared, batch: Rc::default() }
    }
}

impl Connection {
    pub(crate) fn new(context: Arc<ProxyContext>, client: Client, worker: WorkerHandle) -> Self {
        let config = &context.config().resp;
        let authenticated = config.requirepass.is_none();
        let mut decoder = Decoder::new(config.limits);
        decoder.set_auth_required(!authenticated);
        let embedded = Embedded::new(&context, || client.addrs());
        Self {
            table: context.commands(),
            session: Session::new(context.backend().db()),
            context,
            client,
            input: BytesMut::new(),
            output: BytesMut::new(),
            decoder,
            worker,
            upstream: None,
            embedded,
            was_looked_up: false,
            authenticated,
            closing: None,
            input_ended: false,
            awaits_blocking: false,
            oldest_sent: None,
        }
    }

    /// Returns whether the client has all its replies, and Redis all commands of the client.
    pub(super) fn owes_nothing(&self) -> bool {
        !self.owes_bytes()
            && !self.session.is_awaiting_reply()
            && !self.session.must_wait()
            && self.upstream.as_ref().is_none_or(|upstream| !upstream.has_output())
    }

    /// Returns whether bytes wait for the client's socket.
    pub(super) fn owes_bytes(&self) -> bool {
        !self.output.is_empty() || self.client.has_output()
    }

    /// Returns whether there is room for the results of another command.
    pub(super) fn has_room(&self) -> bool {
        self.output.len() <= OUTPUT_BYTES_SOFT_MAX && self.upstream_has_room()
    }

    pub(super) fn upstream_has_room(&self) -> bool {
        self.session.has_room() && self.upstream.as_deref().is_none_or(Upstream::has_capacity)
    }

    /// Returns whether reads may be served from memory.
    #[inline]
    pub(super) fn may_read_cache(&self) -> bool {
        self.embedded.is_none() && self.authenticated && self.session.may_read_cache(&self.context)
    }

    pub(super) fn accept_password(&mut self) {
        self.authenticated = true;
        self.decoder.set_auth_required(false);
    }

    /// Writes as much output as the client's socket accepts.
    pub(super) fn flush(&mut self) -> Result<(), Close> {
        let before = self.output.len();
        self.client.flush(&mut self.output)?;
        self.worker.shared.charge(before - self.output.len());
        Ok(())
    }

    /// Frees buffers that only large commands or replies need.
    pub(super) fn trim(&mut self) {
        for buffer in [&mut self.input, &mut self.output] {
            if buffer.is_empty() && buffer.capacity() > IDLE_BUFFER_BYTES_MAX {
                *buffer = BytesMut::new();
            }
        }
    }
}

impl From<io::Error> for Close {
    fn from(_: io::Error) -> Self {
        Self::Client
    }
}
