//! The listeners, and how their ports are opened.

pub(crate) mod http;
pub(crate) mod resp;

use std::{io, net::SocketAddr};
use tokio::net::{TcpListener, TcpSocket};

/// Maximum connections that wait to be accepted. Beyond it the client retries after a second.
const BACKLOG: u32 = 1024;

/// Opens a TCP port.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Without it, connections of an earlier run block the port for a minute.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
