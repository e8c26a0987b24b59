//! The load: a closed loop over many connections, in one thread.
//!
//! Each connection sends a batch of GET and SET in one write, waits for all replies, checks each, and
//! sends the next. It has to be cheaper than any server it measures, so requests are made by
//! writing digits into bytes that are there already, and replies are compared where they land.
//! [`http`] says what changes where the server is asked over HTTP; the loop at a fixed rate is in
//! `open`.

mod batch;
mod connection;
pub mod http;
mod open;
mod protocol;
mod replies;
mod template;

use std::io;
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;

use crate::clock::now;
use crate::generator::batch::Batch;
use crate::generator::connection::{Answered, Connection};
use crate::generator::http::Exchange;
use crate::generator::template::Template;
use crate::keys::{Family, Order};
use crate::stop::Stop;

pub use open::Paced;
pub use protocol::Protocol;

/// How many events are taken at a time.
const EVENTS_MAX: usize = 1024;
/// A server that says nothing for this long is broken.
const SILENCE_MAX: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };
/// Latencies are told apart to a thousandth, from a microsecond to a minute.
const LATENCY_NS: (u64, u64) = (1_000, 60_000_000_000);

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A port of 127.0.0.1.
    Tcp(u16),
    /// The path of a unix socket.
    Unix(PathBuf),
}

impl Target {
    fn connect(&self) -> io::Result<OwnedFd> {
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

/// What the replies of a server must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// The value of the key that was asked for.
    OfKey,
    /// A value of the right length: all that the floor knows.
    OfLength,
}

/// The shape of a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// How many connections are open.
    pub connections: usize,
    /// How many requests each sends in one write.
    pub pipeline: usize,
    /// What they are written in.
    pub protocol: Protocol,
    /// Which keys are asked for.
    pub family: Family,
    /// What must come back.
    pub answers: Answers,
}

impl Shape {
    fn batch(&self) -> Batch {
        let template = |request| Template::new(request, self.family);
        let read = template(self.protocol.get(&self.family.key(0)));
        Batch::new(read, self.pipeline).with_writes(template(self.protocol.set(self.family, 0)))
    }
}

/// What a load has seen.
#[derive(Debug)]
pub struct Seen {
    /// Requests that were answered.
    pub requests: u64,
    /// How many of them were writes.
    pub writes: u64,
    /// Replies of the right form that held another value.
    pub wrong: u64,
    /// From the first write to the last reply.
    pub elapsed: Duration,
    /// From the write of a batch, or from when it was due, to its last reply, in nanoseconds.
    pub latency: Histogram<u64>,
}

impl Seen {
    fn new() -> io::Result<Self> {
        let latency = histogram()?;
        Ok(Self { requests: 0, writes: 0, wrong: 0, elapsed: Duration::ZERO, latency })
    }

    /// Adds a batch of so many requests.
    fn add(&mut self, batch: &Answered, requests: u64, latency: Duration) {
        self.latency.saturating_record(nanos(latency));
        self.requests += requests;
        self.writes += batch.writes;
        self.wrong += batch.wrong;
    }

    /// An error if any reply held another value.
    pub fn all_right(self) -> io::Result<Self> {
        match self.wrong {
            0 => Ok(self),
            wrong => {
                let text = format!("{wrong} of {} replies held another value", self.requests);
                Err(io::Error::other(text))
            }
        }
    }
}

/// Open connections to one server.
pub struct Generator {
    queue: OwnedFd,
    connections: Vec<Connection>,
    pipeline: u64,
    stop: Stop,
}

impl Generator {
    /// Connects.
    pub fn connect(target: &Target, shape: Shape, stop: &Stop) -> io::Result<Self> {
        let open = |socket| Connection::new(socket, shape);
        Self::open(target, shape.connections, shape.pipeline, stop, open)
    }

    /// Connects so many times, to ask over HTTP.
    pub fn connect_http(
        target: &Target,
        connections: usize,
        exchange: &Exchange,
        stop: &Stop,
    ) -> io::Result<Self> {
        let open = |socket| Connection::over_http(socket, exchange);
        Self::open(target, connections, 1, stop, open)
    }

    fn open(
        target: &Target,
        count: usize,
        pipeline: usize,
        stop: &Stop,
        open: impl Fn(OwnedFd) -> Connection,
    ) -> io::Result<Self> {
        let queue = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut connections = Vec::with_capacity(count);
        for number in 0..count {
            let socket = target.connect()?;
            epoll::add(&queue, &socket, EventData::new_u64(number as u64), EventFlags::IN)?;
            connections.push(open(socket));
        }
        Ok(Self { queue, connections, pipeline: pipeline as u64, stop: stop.clone() })
    }

    /// Asks for `time`, or until `order` ends, and then waits for what is on its way. Each
    /// connection sends one batch at least.
    ///
    /// # Errors
    /// When a connection breaks or falls silent, or a reply is none.
    pub fn run(&mut self, order: &mut Order, time: Duration) -> io::Result<Seen> {
        let mut seen = Seen::new()?;
        let start = now();
        let mut waiting = 0_usize;
        for connection in &mut self.connections {
            waiting += usize::from(connection.send(order)?);
        }
        let mut events = Vec::with_capacity(EVENTS_MAX);
        while waiting > 0 {
            self.stop.check()?;
            self.wait(&mut events, SILENCE_MAX)?;
            for event in events.drain(..) {
                waiting -= usize::from(self.turn(event, order, start + time, &mut seen)?);
            }
        }
        seen.elapsed = start.elapsed();
        Ok(seen)
    }

    /// Takes what has happened. An error when that is nothing for too long.
    fn wait(&self, events: &mut Vec<epoll::Event>, at_most: Timespec) -> io::Result<()> {
        match epoll::wait(&self.queue, spare_capacity(events), Some(&at_most)) {
            Ok(0) if at_most == SILENCE_MAX => {
                Err(io::Error::other(format!("no reply within {} s", SILENCE_MAX.tv_sec)))
            }
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes what a connection has for us, and sends its next batch. True when it rests: its batch
    /// is complete and there is no next one.
    fn turn(
        &mut self,
        event: epoll::Event,
        order: &mut Order,
        end: Instant,
        seen: &mut Seen,
    ) -> io::Result<bool> {
        let Some((number, batch)) = self.receive(event)? else { return Ok(false) };
        seen.add(&batch, self.pipeline, batch.took);
        let goes_on = batch.at < end && self.connection(number)?.send(order)?;
        Ok(!goes_on)
    }

    /// The connection that an event is about, and its batch, if that is complete now.
    fn receive(&mut self, event: epoll::Event) -> io::Result<Option<(usize, Answered)>> {
        let number = usize::try_from(event.data.u64()).map_err(io::Error::other)?;
        let batch = self.connection(number)?.receive()?;
        Ok(batch.map(|batch| (number, batch)))
    }

    fn connection(&mut self, number: usize) -> io::Result<&mut Connection> {
        self.connections.get_mut(number).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

fn histogram() -> io::Result<Histogram<u64>> {
    let (lowest, highest) = LATENCY_NS;
    Histogram::new_with_bounds(lowest, highest, 3).map_err(io::Error::other)
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
