//! What Larder itself answers: its own password, a new beginning, goodbye, and what is no command.

use super::{
    classify::LocalReply,
    connection::{Close, Connection},
    hello::Hello,
};
use crate::listeners::resp::embedded::Embedded;
use larder_resp::{ProtocolError, reply, request::write_command};

impl Connection {
    /// Answers what Larder itself must.
    pub(super) fn answer_locally(&mut self, local: LocalReply) -> Result<(), Close> {
        match local {
            LocalReply::Http => return Err(Close::Client),
            LocalReply::NoAuth => reply::error(&mut self.output, NO_AUTH),
            LocalReply::NoAuthHello => reply::error(&mut self.output, NO_AUTH_HELLO),
            LocalReply::WrongPassword => reply::error(&mut self.output, WRONG_PASSWORD),
            LocalReply::OddHello => self.refuse_hello(),
            LocalReply::RightPassword if self.session.acts_as_other_user() => {
                reply::error(&mut self.output, OTHER_USER);
            }
            LocalReply::RightPassword => {
                self.authenticated = true;
                self.decoder.set_auth_required(false);
                reply::simple(&mut self.output, b"OK");
            }
            LocalReply::Reset => self.begin_reset(),
            LocalReply::Quit => {
                if self.wants_reply() {
                    reply::simple(&mut self.output, b"OK");
                }
                self.leaving = Some(Close::Client);
            }
        }
        Ok(())
    }

    /// Names the option of the HELLO at the head of the input that is not understood.
    fn refuse_hello(&mut self) {
        let Ok(decoded) = self.decoder.decode(&self.input) else { return };
        if let Some(Err(odd)) = decoded.command.as_ref().map(Hello::of) {
            let text = [b"ERR Syntax error in HELLO option '", odd, b"'"].concat();
            reply::error(&mut self.output, &text);
        }
    }

    /// A client starts anew with another upstream connection. What the old one has yet to do must
    /// come first, so where that cannot be told from replies Redis is asked to reset it too.
    fn begin_reset(&mut self) {
        let Some(upstream) = self.upstream.as_mut().filter(|_| self.session.is_detached()) else {
            let is_told = self.embedded.as_mut().is_none_or(Embedded::reset);
            return self.reset(is_told);
        };
        write_command(upstream.output(), &[b"RESET"]);
        if !self.session.wants_replies() {
            // Only Redis knows whether it answers that. It answers the next, and then this.
            write_command(upstream.output(), &[b"RESET"]);
            write_command(upstream.output(), &[b"PING"]);
        }
        self.session.reset_sent();
    }

    pub(super) fn reset(&mut self, is_told: bool) {
        self.drop_upstream();
        if is_told {
            reply::simple(&mut self.output, b"RESET");
        }
        self.session.reset();
        self.authenticated = self.app.config().resp.requirepass.is_none();
        self.decoder.set_auth_required(!self.authenticated);
    }

    /// What is no command gets an error in Redis's words, and the connection ends.
    pub(super) fn refuse(&mut self, error: ProtocolError) {
        if self.wants_reply() {
            reply::error(&mut self.output, format!("ERR {error}").as_bytes());
        }
        self.leaving = Some(Close::Client);
    }

    /// Whether the client wants an answer to what it sent last.
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
