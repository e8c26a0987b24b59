//! The load generator: a closed loop over many connections, in one thread.
//!
//! Each connection sends a batch of GET and SET in one write, waits for all replies, checks each
//! one, and sends the next batch. The generator must be cheaper than any server it measures, so it
//! makes requests by overwriting the digits of earlier ones, and compares replies in the buffer
//! into which they were read. [`http`] holds what differs over HTTP, `open_loop` the loop at a
//! fixed rate.

mod batch;
mod connection;
pub mod http;
mod open_loop;
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
use crate::generator::connection::{CompletedBatch, Connection};
use crate::generator::http::Exchange;
use crate::generator::template::Template;
use crate::keys::{KeySequence, KeySpace};
use crate::stop::Stop;

pub use open_loop::OpenLoopStats;
pub use protocol::Protocol;

/// How many events one wait returns.
const EVENTS_MAX: usize = 1024;
/// How long the generator waits for any reply before it reports an error.
const SILENCE_MAX: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };
/// The range of the latency histogram, in which it is exact to a thousandth.
const LATENCY_NS: (u64, u64) = (1_000, 60_000_000_000);

/// The address of a server.
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

impl LoadConfig {
    fn batch(&self) -> Batch {
        let template = |request| Template::new(request, self.key_space);
        let read = template(self.protocol.get(&self.key_space.key(0)));
        Batch::new(read, self.pipeline).with_writes(template(self.protocol.set(self.key_space, 0)))
    }
}

/// The results of a load.
#[derive(Debug)]
pub struct LoadStats {
    /// The number of answered requests.
    pub requests: u64,
    /// How many of those were writes.
    pub writes: u64,
    /// The number of well-formed replies with another value.
    pub wrong: u64,
    /// The time from the first write to the last reply.
    pub elapsed: Duration,
    /// The time from the write of a batch, or from when it was due, to its last reply, in
    /// nanoseconds.
    pub latency: Histogram<u64>,
}

impl LoadStats {
    fn new() -> io::Result<Self> {
        let latency = histogram()?;
        Ok(Self { requests: 0, writes: 0, wrong: 0, elapsed: Duration::ZERO, latency })
    }

    /// Adds a completed batch.
    fn add(&mut self, batch: &CompletedBatch, requests: u64, latency: Duration) {
        self.latency.saturating_record(nanos(latency));
        self.requests += requests;
        self.writes += batch.writes;
        self.wrong += batch.wrong;
    }

    /// Returns an error if any reply had another value.
    pub fn checked(self) -> io::Result<Self> {
        match self.wrong {
            0 => Ok(self),
            wrong => {
                let text = format!("{wrong} of {} replies had another value", self.requests);
                Err(io::Error::other(text))
            }
        }
    }
}

/// Open connections to one server.
pub struct Generator {
    epoll: OwnedFd,
    connections: Vec<Connection>,
    pipeline: u64,
    stop: Stop,
}

impl Generator {
    /// Connects to a server.
    pub fn connect(target: &Target, config: LoadConfig, stop: &Stop) -> io::Result<Self> {
        let open = |socket| Connection::new(socket, config);
        Self::open(target, config.connections, config.pipeline, stop, open)
    }

    /// Connects to an HTTP server.
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
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut connections = Vec::with_capacity(count);
        for number in 0..count {
            let socket = target.connect()?;
            epoll::add(&epoll, &socket, EventData::new_u64(number as u64), EventFlags::IN)?;
            connections.push(open(socket));
        }
        Ok(Self { epoll, connections, pipeline: pipeline as u64, stop: stop.clone() })
    }

    /// Sends requests for `time`, or until `sequence` ends, and then waits for the replies in
    /// flight. Each connection sends at least one batch.
    ///
    /// # Errors
    /// When a connection breaks or times out, or a reply is malformed.
    pub fn run(&mut self, sequence: &mut KeySequence, time: Duration) -> io::Result<LoadStats> {
        let mut stats = LoadStats::new()?;
        let start = now();
        let mut waiting = 0_usize;
        for connection in &mut self.connections {
            waiting += usize::from(connection.send(sequence)?);
        }
        let mut events = Vec::with_capacity(EVENTS_MAX);
        while waiting > 0 {
            self.stop.check()?;
            self.wait(&mut events, SILENCE_MAX)?;
            for event in events.drain(..) {
                let deadline = start + time;
                waiting -= usize::from(self.advance(event, sequence, deadline, &mut stats)?);
            }
        }
        stats.elapsed = start.elapsed();
        Ok(stats)
    }

    /// Waits for events. Returns an error when none comes for too long.
    fn wait(&self, events: &mut Vec<epoll::Event>, at_most: Timespec) -> io::Result<()> {
        match epoll::wait(&self.epoll, spare_capacity(events), Some(&at_most)) {
            Ok(0) if at_most == SILENCE_MAX => {
                Err(io::Error::other(format!("no reply within {} s", SILENCE_MAX.tv_sec)))
            }
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads from a connection and, if that completes its batch, sends the next one. Returns true
    /// when the connection becomes idle: its batch is complete and no other follows.
    fn advance(
        &mut self,
        event: epoll::Event,
        sequence: &mut KeySequence,
        deadline: Instant,
        stats: &mut LoadStats,
    ) -> io::Result<bool> {
        let Some((number, batch)) = self.receive(event)? else { return Ok(false) };
        stats.add(&batch, self.pipeline, batch.latency);
        let continues = batch.at < deadline && self.connection(number)?.send(sequence)?;
        Ok(!continues)
    }

    /// Reads from the connection of an event. Returns its number and its batch if that is complete.
    fn receive(&mut self, event: epoll::Event) -> io::Result<Option<(usize, CompletedBatch)>> {
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
