//! A client with one connection that stays open: quick enough to keep a key hot, and able to leave a
//! request in the socket of a Larder that does not read.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

/// How long an answer may take before the test has failed.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

pub(crate) struct Reader {
    socket: TcpStream,
    unread: Vec<u8>,
}

/// An answer, and when its request was sent.
#[derive(Debug)]
pub(crate) struct Read1 {
    pub(crate) asked: Instant,
    pub(crate) status: u16,
    pub(crate) cache_status: String,
    pub(crate) body: String,
}

impl Reader {
    pub(crate) fn connect(port: u16) -> Self {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(ANSWER_LIMIT)).unwrap();
        Self { socket, unread: Vec::new() }
    }
}
