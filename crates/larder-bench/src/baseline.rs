//! The baseline: the smallest server that answers every request with one fixed reply.
//!
//! It parses and looks up nothing; it counts the requests in what it reads. Its cost is the cost of
//! the kernel, so no server that answers one read with one write can be cheaper. To keep its own
//! share small it has one thread, level-triggered epoll, one buffer for input and one for output.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;

use crate::keys::FILLER;

/// How many events one wait returns.
const EVENTS_MAX: usize = 256;
const READ_BYTES_MAX: usize = 64 << 10;
/// How many small replies one write holds. No read of [`READ_BYTES_MAX`] has more requests.
const REPLIES_MAX: usize = 4096;
/// How many bytes one write holds, unless a single reply is larger.
const REPLY_BYTES_MAX: usize = 1 << 20;
/// The tokens of the two listeners. Tokens of clients follow.
const TCP: u64 = 0;
const UNIX: u64 = 1;

/// The protocol that the baseline answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaselineProtocol {
    /// The protocol of Redis.
    Resp,
    /// HTTP/1.1, each request in one piece.
    Http,
}

impl BaselineProtocol {
    /// Returns the reply with a value of this length.
    pub(crate) fn reply(self, value_bytes: usize) -> Vec<u8> {
        let (header, end) = match self {
            Self::Resp => (format!("${value_bytes}\r\n"), "\r\n"),
            Self::Http => (format!("HTTP/1.1 200 OK\r\nContent-Length: {value_bytes}\r\n\r\n"), ""),
        };
        let mut reply = header.into_bytes();
        reply.resize(reply.len() + value_bytes, FILLER);
        reply.extend_from_slice(end.as_bytes());
        reply
    }

    /// Counts the requests in what was read.
    fn requests(self, input: &[u8]) -> usize {
        match self {
            // No key contains a star, so each star begins a command.
            Self::Resp => input.split(|byte| *byte == b'*').skip(1).count(),
            Self::Http => input.windows(4).filter(|bytes| bytes == b"\r\n\r\n").count(),
        }
    }
}

/// A baseline server with its listeners.
pub struct Baseline {
    tcp: TcpListener,
    unix: Option<UnixListener>,
    protocol: BaselineProtocol,
    value_bytes: usize,
}

impl Baseline {
    /// Listens on a port of 127.0.0.1 (0 for any free one), and on a unix socket if a path is
    /// given. Every reply will be a value of `value_bytes`.
    pub fn bind(port: u16, unix: Option<&Path>, value_bytes: usize) -> io::Result<Self> {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let unix = unix.map(UnixListener::bind).transpose()?;
        Ok(Self { tcp, unix, protocol: BaselineProtocol::Resp, value_bytes })
    }

    /// Changes the protocol, which is RESP otherwise.
    #[must_use]
    pub fn with_protocol(self, protocol: BaselineProtocol) -> Self {
        Self { protocol, ..self }
    }

    /// Returns the TCP port.
    pub fn port(&self) -> io::Result<u16> {
        Ok(self.tcp.local_addr()?.port())
    }

    /// Serves until an error occurs.
    pub fn serve(&self) -> io::Result<()> {
        let mut service = Service::new(self.protocol, self.value_bytes)?;
        register(&service.epoll, &self.tcp, TCP)?;
        if let Some(unix) = &self.unix {
            register(&service.epoll, unix, UNIX)?;
        }
        let mut events = Vec::with_capacity(EVENTS_MAX);
        loop {
            match epoll::wait(&service.epoll, spare_capacity(&mut events), None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in events.drain(..) {
                let token = event.data.u64();
                match self.accept(token)? {
                    Some(client) => service.add(client)?,
                    None => service.answer(token),
                }
            }
        }
    }

    /// Accepts a client if the token is that of a listener.
    fn accept(&self, token: u64) -> io::Result<Option<Client>> {
        Ok(match (token, &self.unix) {
            (TCP, _) => {
                let (client, _) = self.tcp.accept()?;
                client.set_nodelay(true)?;
                Some(Client::Tcp(client))
            }
            (UNIX, Some(unix)) => Some(Client::Unix(unix.accept()?.0)),
            _ => None,
        })
    }
}

fn register(epoll: impl AsFd, source: impl AsFd, token: u64) -> io::Result<()> {
    Ok(epoll::add(epoll, source, EventData::new_u64(token), EventFlags::IN)?)
}

enum Client {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(socket) => socket.as_fd(),
            Self::Unix(socket) => socket.as_fd(),
        }
    }
}

struct Service {
    epoll: OwnedFd,
    /// By token. The first two belong to the listeners. The token of a closed client is not reused.
    clients: Vec<Option<Client>>,
    responder: Responder,
}

impl Service {
    fn new(protocol: BaselineProtocol, value_bytes: usize) -> io::Result<Self> {
        let reply = protocol.reply(value_bytes);
        let count = (REPLY_BYTES_MAX / reply.len()).clamp(1, REPLIES_MAX);
        let (reply_bytes, replies) = (reply.len(), reply.repeat(count));
        let responder =
            Responder { protocol, input: vec![0; READ_BYTES_MAX], reply_bytes, replies };
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Self { epoll, clients: vec![None, None], responder })
    }

    fn add(&mut self, client: Client) -> io::Result<()> {
        register(&self.epoll, client.as_fd(), self.clients.len() as u64)?;
        self.clients.push(Some(client));
        Ok(())
    }

    fn answer(&mut self, token: u64) {
        let slot = usize::try_from(token).ok().and_then(|token| self.clients.get_mut(token));
        let Some(slot) = slot else { return };
        if let Some(client) = slot
            && !self.responder.answer(client)
        {
            *slot = None;
        }
    }
}

struct Responder {
    protocol: BaselineProtocol,
    input: Vec<u8>,
    reply_bytes: usize,
    /// Many copies of the reply, of which a write sends as many as there were requests.
    replies: Vec<u8>,
}

impl Responder {
    /// Reads once and answers. Returns false when the client has closed its connection.
    fn answer(&mut self, client: &mut Client) -> bool {
        match client {
            Client::Tcp(socket) => self.exchange(socket),
            Client::Unix(socket) => self.exchange(socket),
        }
        .unwrap_or(false)
    }

    fn exchange(&mut self, socket: &mut (impl Read + Write)) -> io::Result<bool> {
        let count = socket.read(&mut self.input)?;
        let requests = self.protocol.requests(self.input.get(..count).unwrap_or_default());
        let replies = self.replies.get(..requests * self.reply_bytes);
        socket.write_all(replies.ok_or(io::ErrorKind::InvalidInput)?)?;
        Ok(count > 0)
    }
}
