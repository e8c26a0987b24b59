//! The replies of Larder itself: to its own password, to RESET and QUIT, and to protocol errors.

use super::{
    connection::{Close, Connection},
    hello::Hello,
    local_reply::LocalReply,
};
use crate::listeners::resp::embedded::Embedded;
use larder_resp::{ProtocolError, reply, request::write_command};

impl Connection {
    pub(super) fn answer_locally(&mut self, reply: LocalReply) -> Result<(), Close> {
        match reply {
            LocalReply::Http => return Err(Close::Client),
            LocalReply::NoAuth => reply::error(&mut self.output, NO_AUTH),
            LocalReply::NoAuthHello => reply::error(&mut self.output, NO_AUTH_HELLO),
            LocalReply::WrongPassword => reply::error(&mut self.output, WRONG_PASSWORD),
            LocalReply::BadHello => self.refuse_hello(),
            LocalReply::RightPassword if self.session.acts_as_other_user() => {
                reply::error(&mut self.output, OTHER_USER);
            }
            LocalReply::RightPassword => {
                self.accept_password();
                reply::simple(&mut self.output, b"OK");
            }
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

    /// Names the option that is not understood in the HELLO at the head of the input.
    fn refuse_hello(&mut self) {
        let Ok(decoded) = self.decoder.decode(&self.input) else { return };
        if let Some(Err(option)) = decoded.command.as_ref().map(Hello::parse) {
            let text = [b"ERR Syntax error in HELLO option '", option, b"'"].concat();
            reply::error(&mut self.output, &text);
        }
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

const NO_AUTH: &[u8] = b"NOAUTH Authentication required.";
const NO_AUTH_HELLO: &[u8] = b"NOAUTH HELLO must be called with the client already authenticated, \
    otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client \
    and select the RESP protocol version at the same time";
const OTHER_USER: &[u8] = b"ERR this connection acts as another user: send RESET first";
const WRONG_PASSWORD: &[u8] = b"WRONGPASS invalid username-password pair or user is disabled.";
