//! The load generator: a closed loop over many connections, in one thread.
//!
//! Each connection sends a batch of GET and SET in one write, waits for all replies, checks each
//! one, and sends the next batch. The generator must be cheaper than any server it measures, so it
//! makes requests by overwriting the digits of earlier ones, and compares replies in the buffer
//! into which they were read. [`http`] holds what differs over HTTP, `open_loop` the loop at a
//! fixed rate.

mod batch;
mod config;
mod connection;
pub mod http;
mod open_loop;
mod protocol;
mod replies;
mod stats;
mod template;

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;

use crate::clock::now;
use crate::generator::connection::{CompletedBatch, Connection};
use crate::generator::http::Exchange;
use crate::keys::KeySequence;
use crate::stop::Stop;

pub use config::{LoadConfig, ReplyCheck, Target};
pub use protocol::Protocol;
pub use stats::{LoadStats, OpenLoopStats};

/// How many events one wait returns.
const EVENTS_MAX: usize = 1024;
/// How long the generator waits for any reply before it reports an error.
const SILENCE_MAX: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

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
