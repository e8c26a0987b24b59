//! Commands that would lead a client past Larder: they ask for the addresses of other servers, or
//! that the server sends some. They are answered as a server without them answers.
//!
//! They go upstream all the same, because only Redis knows whether it answers the next command
//! (`CLIENT REPLY`) and whether a transaction is open.

use bytes::BytesMut;
use larder_resp::{
    reply::{self, Frame},
    request::{Command, write_command},
};

/// A subcommand that no server has. Its error is that of an unknown subcommand.
const NO_SUBCOMMAND: &[u8] = b"LARDER-WITHHELD";
/// What a server without cluster mode answers to `CLUSTER`.
const NO_CLUSTER: &[u8] = b"ERR This instance has cluster support disabled";

/// A command that Larder withholds from the store, or the reply to it from the client.
#[derive(Clone, Debug)]
pub(super) enum Withheld {
    /// A subcommand of `CLIENT` with this name, as the client wrote it.
    Subcommand(Box<[u8]>),
    /// `CLUSTER SLOTS` and the like.
    Topology,
}

impl Withheld {
    /// Writes what is sent in place of the command.
    pub(super) fn write(&self, command: &Command<'_>, out: &mut BytesMut) {
        match self {
            Self::Subcommand(_) => write_command(out, &[command.name(), NO_SUBCOMMAND]),
            Self::Topology => command.write_to(out),
        }
    }

    /// Returns the reply in place of `frame`, or `None` if that may pass.
    pub(super) fn replace(&self, frame: &Frame<'_>) -> Option<BytesMut> {
        let text = match (self, frame.as_error()) {
            (Self::Subcommand(name), Some(error)) => with_name(error, name)?,
            (Self::Topology, None) if !matches!(frame, Frame::Simple(b"QUEUED")) => {
                NO_CLUSTER.to_vec()
            }
            (Self::Subcommand(_) | Self::Topology, _) => return None,
        };
        let mut reply = BytesMut::new();
        reply::error(&mut reply, &text);
        Some(reply)
    }
}

/// Replaces [`NO_SUBCOMMAND`] in an error. Like Redis, quotes at most 128 bytes of the name.
fn with_name(error: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let at = error.windows(NO_SUBCOMMAND.len()).position(|part| part == NO_SUBCOMMAND)?;
    let (before, rest) = error.split_at_checked(at)?;
    let name = name.get(..128).unwrap_or(name);
    Some([before, name, rest.get(NO_SUBCOMMAND.len()..)?].concat())
}
