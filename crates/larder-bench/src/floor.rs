//! The floor: the smallest program that answers a fixed reply.
//!
//! It looks nothing up and understands nothing; it counts the requests in what it reads. What it
//! costs is what the kernel costs, so no server that answers one read with one write can be
//! cheaper. It is written for that: one thread, level-triggered epoll, one buffer in, one out.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;

use crate::keys::FILLER;

/// How many events are taken at a time.
const EVENTS_MAX: usize = 256;
/// How many bytes are read at a time.
const READ_BYTES_MAX: usize = 64 << 10;
/// How many replies leave in one write, as far as they are small. A read may hold more commands.
const REPLIES_MAX: usize = 4096;
/// How many bytes leave in one write, unless a single reply is larger.
const REPLY_BYTES_MAX: usize = 1 << 20;
/// The number of the TCP listener among the events; clients come after the two listeners.
const TCP: u64 = 0;
const UNIX: u64 = 1;

/// What the floor is asked in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// The protocol of Redis.
    Resp,
    /// HTTP/1.1, each request in one piece.
    Http,
}

impl Language {
    /// A value of that length as a reply.
    pub(crate) fn reply(self, value_bytes: usize) -> Vec<u8> {
        let (head, end) = match self {
            Self::Resp => (format!("${value_bytes}\r\n"), "\r\n"),
            Self::Http => (format!("HTTP/1.1 200 OK\r\nContent-Length: {value_bytes}\r\n\r\n"), ""),
        };
        let mut reply = head.into_bytes();
        reply.resize(reply.len() + value_bytes, FILLER);
        reply.extend_from_slice(end.as_bytes());
        reply
    }

    /// How many requests there are in what was read.
    fn requests(self, input: &[u8]) -> usize {
        match self {
            // Keys have no star, so each one begins a command.
            Self::Resp => input.split(|byte| *byte == b'*').skip(1).count(),
            Self::Http => input.windows(4).filter(|bytes| bytes == b"\r\n\r\n").count(),
        }
    }
}

/// Where the floor listens.
pub struct Floor {
    tcp: TcpListener,
    unix: Option<UnixListener>,
    language: Language,
    value_bytes: usize,
}

impl Floor {
    /// Listens on a port of 127.0.0.1, 0 for any, and on a unix socket if there is a path for it.
    /// Every answer will be a value of `value_bytes`.
    pub fn bind(port: u16, unix: Option<&Path>, value_bytes: usize) -> io::Result<Self> {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let unix = unix.map(UnixListener::bind).transpose()?;
        Ok(Self { tcp, unix, language: Language::Resp, value_bytes })
    }

    /// The same in another language.
    #[must_use]
    pub fn speaking(self, language: Language) -> Self {
        Self { language, ..self }
    }

    /// The TCP port.
    pub fn port(&self) -> io::Result<u16> {
        Ok(self.tcp.local_addr()?.port())
    }

    /// Serves until something breaks.
    pub fn serve(&self) -> io::Result<()> {
        let mut service = Service::new(self.language, self.value_bytes)?;
        listen_to(&service.queue, &self.tcp, TCP)?;
        if let Some(unix) = &self.unix {
            listen_to(&service.queue, unix, UNIX)?;
        }
        let mut events = Vec::with_capacity(EVENTS_MAX);
        loop {
            match epoll::wait(&service.queue, spare_capacity(&mut events), None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in events.drain(..) {
                let who = event.data.u64();
                match self.accept(who)? {
                    Some(client) => service.welcome(client)?,
                    None => service.answer(who),
                }
            }
        }
    }

    /// The new client, if this is a listener.
    fn accept(&self, who: u64) -> io::Result<Option<Client>> {
        Ok(match (who, &self.unix) {
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

fn listen_to(queue: impl AsFd, source: impl AsFd, number: u64) -> io::Result<()> {
    Ok(epoll::add(queue, source, EventData::new_u64(number), EventFlags::IN)?)
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
    queue: OwnedFd,
    /// By number: the first two are the listeners'. Numbers of those who left are not given again.
    clients: Vec<Option<Client>>,
    answers: Answers,
}

impl Service {
    fn new(language: Language, value_bytes: usize) -> io::Result<Self> {
        let reply = language.reply(value_bytes);
        let count = (REPLY_BYTES_MAX / reply.len()).clamp(1, REPLIES_MAX);
        let (one, all) = (reply.len(), reply.repeat(count));
        let answers = Answers { language, input: vec![0; READ_BYTES_MAX], one, all };
        let queue = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Self { queue, clients: vec![None, None], answers })
    }

    fn welcome(&mut self, client: Client) -> io::Result<()> {
        listen_to(&self.queue, client.as_fd(), self.clients.len() as u64)?;
        self.clients.push(Some(client));
        Ok(())
    }

    fn answer(&mut self, who: u64) {
        let place = usize::try_from(who).ok().and_then(|who| self.clients.get_mut(who));
        let Some(place) = place else { return };
        if let Some(client) = place
            && !self.answers.give(client)
        {
            *place = None;
        }
    }
}

struct Answers {
    language: Language,
    input: Vec<u8>,
    one: usize,
    all: Vec<u8>,
}

impl Answers {
    /// Answers what one read gives; false when the client is gone.
    fn give(&mut self, client: &mut Client) -> bool {
        match client {
            Client::Tcp(socket) => self.exchange(socket),
            Client::Unix(socket) => self.exchange(socket),
        }
        .unwrap_or(false)
    }

    fn exchange(&mut self, socket: &mut (impl Read + Write)) -> io::Result<bool> {
        let count = socket.read(&mut self.input)?;
        let requests = self.language.requests(self.input.get(..count).unwrap_or_default());
        let replies = self.all.get(..requests * self.one).ok_or(io::ErrorKind::InvalidInput)?;
        socket.write_all(replies)?;
        Ok(count > 0)
    }
}
