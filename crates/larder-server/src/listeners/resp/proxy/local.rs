//! The replies of Larder itself: to RESET and QUIT, and to protocol errors.

use super::{
    connection::{Close, Connection},
    local_reply::LocalReply,
};
use crate::listeners::resp::embedded::Embedded;
use larder_resp::{ProtocolError, reply, request::write_command};

impl Connection {
    pub(super) fn answer_locally(&mut self, reply: LocalReply) -> Result<(), Close> {
        match reply {
            LocalReply::Http => return Err(Close::Client),
            LocalReply::Reset => self.begin_reset(),
            LocalReply::Quit => {
                if self.wants_reply() {
                    reply::simple(&mut self.output, b"OK");
                }
                self.closing = Some(Close::Client);
            }
        }
        Ok(())
    }

    /// Starts a new session with another upstream connection. The commands on the old one must be
    /// carried out first; where their replies do not show that, Redis is sent a RESET too.
    fn begin_reset(&mut self) {
        let Some(upstream) = self.upstream.as_mut().filter(|_| self.session.is_detached()) else {
            let wants_reply = self.embedded.as_mut().is_none_or(Embedded::reset);
            return self.reset(wants_reply);
        };
        write_command(upstream.output(), &[b"RESET"]);
        if !self.session.wants_replies() {
            // Only Redis knows whether it answers the first RESET. It answers the second, then PING.
            write_command(upstream.output(), &[b"RESET"]);
            write_command(upstream.output(), &[b"PING"]);
        }
        self.session.reset_sent();
    }

    pub(super) fn reset(&mut self, wants_reply: bool) {
        self.upstream = None;
        if wants_reply {
            reply::simple(&mut self.output, b"RESET");
        }
        self.session.reset();
        self.authenticated = self.context.config().resp.requirepass.is_none();
        self.decoder.set_auth_required(!self.authenticated);
    }

    /// Answers a protocol error in Redis's words and closes the connection.
    pub(super) fn refuse(&mut self, error: ProtocolError) {
        if self.wants_reply() {
            reply::error(&mut self.output, format!("ERR {error}").as_bytes());
        }
        self.closing = Some(Close::Client);
    }

    /// Returns whether the client wants a reply to its last command.
    fn wants_reply(&self) -> bool {
        match &self.embedded {
            Some(embedded) => embedded.wants_reply(),
            None => self.session.wants_replies(),
        }
    }
}
