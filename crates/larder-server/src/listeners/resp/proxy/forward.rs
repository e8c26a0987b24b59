//! Commands that go upstream, over a connection that each client has to itself.

use super::{
    classify::CommandKind,
    connection::{Connection, CountedUpstream},
    context::ProxyContext,
    session::{Counted, Session, auth::Login},
};
use bytes::Buf;
use larder_core::Bypass;
use larder_redis::{RedisUrl, UpstreamError};
use larder_resp::{command::Spec, reply, request::Command};

impl Connection {
    /// Sends the command at the head of the input upstream. The first one opens the connection; if
    /// that fails, the error goes into `connect_error`, and the commands behind it do not try again.
    pub(super) async fn forward(&mut self, connect_error: &mut Option<UpstreamError>) {
        if self.upstream.is_none() && connect_error.is_none() {
            *connect_error = self.connect().await.err();
        }
        // It was decoded before, so it is complete and well-formed.
        let Ok(decoded) = self.decoder.decode(&self.input) else { return };
        let bytes = decoded.consumed;
        let Some(command) = decoded.command else { return };
        let spec = self.table.spec(&command);
        let kind = CommandKind::of(spec, &command, &self.context);
        let reason = || bypass_reason(&self.context, &self.session, &kind);
        let counted = Counted::of(spec, &kind, reason);
        if let Some(upstream) = &mut self.upstream {
            self.context.stats().forwarded(kind.class());
            let blocks = may_block(spec, &command);
            self.awaits_blocking |= blocks;
            if !self.session.is_awaiting_reply() && !blocks {
                self.oldest_sent = Some(self.context.engine().clock().now());
            }
            if let CommandKind::Withheld(withheld) = &kind {
                withheld.write(&command, upstream.output());
            } else {
                let login = Login::of(spec, &command, &self.context.config().resp);
                let credentials = self.context.backend().url().map(RedisUrl::credentials);
                login.write(&command, credentials.unwrap_or_default(), upstream.output());
            }
            self.session.sent(kind, blocks, counted, &self.context);
        }
        if let Some(error) = connect_error.as_ref().filter(|_| self.upstream.is_none()) {
            // Clients retry after LOADING, as with a Redis that starts. Where Redis refuses Larder,
            // they would do so for ever.
            let text = match error.is_refusal() {
                true => format!("ERR Larder: the store refuses the connection: {error}"),
                false => format!("LOADING Larder cannot reach the store: {error}"),
            };
            self.session.append(&mut self.output, |_, out| reply::error(out, text.as_bytes()));
            counted.lost(self.context.stats());
        }
        self.input.advance(bytes);
        self.decoder.set_auth_required(!self.authenticated);
    }

    async fn connect(&mut self) -> Result<(), UpstreamError> {
        let stats = self.context.stats();
        let backend = self.context.backend();
        let descriptor = self.context.take_descriptor();
        let connected = match descriptor {
            Some(descriptor) => backend.connect().await.map(|upstream| (upstream, descriptor)),
            None => Err(UpstreamError::no_descriptor()),
        };
        let (upstream, descriptor) = connected.inspect_err(|_| stats.upstream_failed())?;
        self.upstream = Some(CountedUpstream::new(upstream, descriptor, &self.context));
        self.table = self.context.commands();
        Ok(())
    }
}

/// Returns whether the reply to a command may take forever.
pub(super) fn may_block(spec: &Spec, command: &Command<'_>) -> bool {
    let is_stream = [&b"XREAD"[..], b"XREADGROUP"].contains(&spec.name.as_bytes());
    spec.blocking && (!is_stream || command.args().any(|arg| arg.eq_ignore_ascii_case(b"BLOCK")))
}

/// Returns why a cacheable read goes upstream: nothing is served from memory at all, this key is
/// not, or this session is not.
fn bypass_reason(context: &ProxyContext, session: &Session, read: &CommandKind<'_>) -> Bypass {
    let engine = context.engine();
    if engine.batch_view().is_none() {
        return engine.feed().bypass_reason();
    }
    if let CommandKind::Read(Some(read)) = read
        && session.may_read_cache(context)
        && let Some(reason) = read.keys.clone().find_map(|name| engine.bypass_reason_for(name))
    {
        return reason;
    }
    session.bypass_reason(context)
}
