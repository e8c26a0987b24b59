//! What one of the servers cannot do, or does unlike Redis 7.0: the only reasons for which a test
//! leaves something out because of its server.

use crate::TestServer;

/// Something that a test leaves out with one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exception {
    /// A TLS listener.
    Tls,
    /// The error of a failed AUTH behind commands whose replies are not sent yet.
    FailedAuthInPipeline,
    /// That a command is unknown, before AUTH.
    UnknownCommandBeforeAuth,
    /// Inline commands with quotes inside a word, or with the byte 0xff.
    InlineWords,
}

const REDIS_8: &[TestServer] = &[TestServer::Redis8];
const VALKEY_9: &[TestServer] = &[TestServer::Valkey9];
const BOTH: &[TestServer] = &[TestServer::Redis8, TestServer::Valkey9];

impl Exception {
    /// Returns whether it applies to the server that `LARDER_TEST_SERVER` names, and logs the
    /// reason.
    #[must_use]
    pub fn applies(self) -> bool {
        let server = TestServer::from_environment();
        let (servers, reason) = self.servers_and_reason();
        let applies = servers.contains(&server);
        if applies {
            eprintln!("left out with {server:?}: {self:?}: {reason}");
        }
        applies
    }

    fn servers_and_reason(self) -> (&'static [TestServer], &'static str) {
        match self {
            Self::Tls => (BOTH, "their wheels are built without TLS"),
            Self::FailedAuthInPipeline => (
                REDIS_8,
                "Redis since 7.2 does not send it, and all later replies are one too early: \
                 redis/redis#15640",
            ),
            Self::UnknownCommandBeforeAuth => {
                (VALKEY_9, "Valkey answers NOAUTH to whatever comes first")
            }
            Self::InlineWords => (
                VALKEY_9,
                "Valkey joins quoted parts of a word and skips that byte; Larder splits inline \
                 commands itself, as Redis does",
            ),
        }
    }
}
