//! How a server is loaded: its address, the requests, and the check of the replies.

use std::io;
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use crate::generator::protocol::Protocol;
use crate::keys::KeySpace;

/// The address of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A port of 127.0.0.1.
    Tcp(u16),
    /// The path of a unix socket.
    Unix(PathBuf),
}

impl Target {
    pub(super) fn connect(&self) -> io::Result<OwnedFd> {
        match self {
            Self::Tcp(port) => {
                let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, *port))?;
                socket.set_nodelay(true)?;
                Ok(socket.into())
            }
            Self::Unix(path) => Ok(UnixStream::connect(path)?.into()),
        }
    }
}

/// How replies are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyCheck {
    /// They must be the value of the requested key.
    Value,
    /// They must be a value of the right length, which is all that the baseline can return.
    Length,
}

/// How a server is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadConfig {
    /// The number of connections.
    pub connections: usize,
    /// The number of requests per write.
    pub pipeline: usize,
    /// The protocol of the requests.
    pub protocol: Protocol,
    /// The keys that are requested.
    pub key_space: KeySpace,
    /// How replies are checked.
    pub check: ReplyCheck,
}
