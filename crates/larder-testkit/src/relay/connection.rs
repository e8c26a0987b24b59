//! One connection through the relay: two sockets, two pipes, four threads.
//!
//! The end of a stream is forwarded like bytes. When one side stops sending, the other side sees
//! the end after the same delay, after a hold is released, or never if it was dropped, as in a
//! network that lost the packet. When one side is closed entirely, writes to it fail. The relay
//! then forwards that end in the opposite direction, under the rules of that direction.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::pipe::{Chunk, Pipe};
use super::rules::{ConnectionFilter, Direction, Rules};
use super::transcript::Transcript;

/// Maximum bytes per read.
const READ_BYTES_MAX: usize = 16 << 10;
/// Pause between the writes of a trickle, so that the receiver mostly gets them one by one.
const TRICKLE_PAUSE: Duration = Duration::from_micros(50);

pub(super) struct Connection {
    client: TcpStream,
    server: TcpStream,
    to_server: Pipe,
    to_client: Pipe,
    sent: Mutex<Transcript>,
    client_closed: AtomicBool,
    writers_done: AtomicUsize,
}

impl Connection {
    pub(super) fn between(client: TcpStream, server: TcpStream) -> io::Result<Self> {
        // Without this the kernel would merge the small writes of a trickle.
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        Ok(Self {
            client,
            server,
            to_server: Pipe::default(),
            to_client: Pipe::default(),
            sent: Mutex::default(),
            client_closed: AtomicBool::new(false),
            writers_done: AtomicUsize::new(0),
        })
    }

    /// Forwards bytes until both directions have ended. Calls `on_sent` with the client's bytes
    /// before they are forwarded.
    pub(super) fn run(&self, on_sent: impl Fn(&[u8]) + Sync) {
        thread::scope(|threads| {
            threads.spawn(|| {
                read_all(&self.client, &self.to_server, &on_sent);
                self.client_closed.store(true, Ordering::Release);
            });
            threads.spawn(|| read_all(&self.server, &self.to_client, |_| {}));
            threads.spawn(|| self.write_all(&self.to_server, &self.server, &self.to_client));
            threads.spawn(|| self.write_all(&self.to_client, &self.client, &self.to_server));
        });
    }

    /// Closes both ends.
    pub(super) fn cut(&self) {
        self.client_closed.store(true, Ordering::Release);
        for pipe in [&self.to_server, &self.to_client] {
            pipe.close();
        }
        for socket in [&self.client, &self.server] {
            // An error means that it is closed already.
            socket.shutdown(Shutdown::Both).ok();
        }
    }

    /// Applies the rules to both directions.
    pub(super) fn impair(&self, rules: &Rules) {
        let impairments = |direction| rules.impairments(direction, |filter| self.is(filter));
        self.to_server.impair(impairments(Direction::ToServer));
        self.to_client.impair(impairments(Direction::ToClient));
    }

    /// Records what the client sent.
    pub(super) fn record_sent(&self, bytes: &[u8]) {
        self.sent.lock().expect("no thread panicked while holding the lock").extend(bytes);
    }

    pub(super) fn is(&self, filter: ConnectionFilter) -> bool {
        let sent = |text| {
            self.sent.lock().expect("no thread panicked while holding the lock").contains(text)
        };
        match filter {
            ConnectionFilter::All => true,
            ConnectionFilter::Sent(text) => sent(text),
            ConnectionFilter::NotSent(text) => !sent(text),
        }
    }

    /// Returns whether the client's end is open.
    pub(super) fn is_open(&self) -> bool {
        !self.client_closed.load(Ordering::Acquire)
    }

    pub(super) fn buffered_bytes(&self, direction: Direction) -> usize {
        self.pipes(direction).map(Pipe::buffered_bytes).sum()
    }

    pub(super) fn dropped_bytes(&self, direction: Direction) -> usize {
        self.pipes(direction).map(Pipe::dropped_bytes).sum()
    }

    fn pipes(&self, direction: Direction) -> impl Iterator<Item = &Pipe> {
        let both = [(Direction::ToServer, &self.to_server), (Direction::ToClient, &self.to_client)];
        both.into_iter().filter(move |(of, _)| direction.covers(*of)).map(|(_, pipe)| pipe)
    }

    /// Delivers until this direction ends. The second direction to end closes the sockets.
    fn write_all(&self, pipe: &Pipe, mut to: &TcpStream, back: &Pipe) {
        while let Some(Chunk::Bytes(bytes)) = pipe.next() {
            if to.write_all(&bytes).is_err() {
                back.push(Chunk::End);
            } else if pipe.is_trickling() {
                thread::sleep(TRICKLE_PAUSE);
            }
        }
        to.shutdown(Shutdown::Write).ok();
        if self.writers_done.fetch_add(1, Ordering::AcqRel) == 1 {
            self.cut();
        }
    }
}

fn read_all(mut from: &TcpStream, into: &Pipe, on_read: impl Fn(&[u8])) {
    let mut buffer = vec![0; READ_BYTES_MAX];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        on_read(&buffer[..count]);
        into.push(Chunk::Bytes(buffer[..count].to_vec()));
    }
    into.push(Chunk::End);
}
