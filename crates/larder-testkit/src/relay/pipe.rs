//! One direction of one connection: a queue of bytes with due times.
//!
//! A reader thread pushes what it reads, and a writer thread takes what is due. A delay is a due
//! time and not a sleep, so that any number of bytes can be in transit.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::rules::Impairments;

/// Bytes buffered in one direction before the relay stops reading, as a network with full buffers
/// would.
const BUFFERED_BYTES_MAX: usize = 64 << 20;
/// Longest wait of a writer with nothing due. Any change wakes it.
const IDLE: Duration = Duration::from_hours(1);

/// Bytes, or the end of the stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    Bytes(Vec<u8>),
    End,
}

#[derive(Default)]
pub(super) struct Pipe {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    impairments: Impairments,
    queue: VecDeque<(Instant, Chunk)>,
    buffered_bytes: usize,
    dropped_bytes: usize,
    closed: bool,
}

impl Pipe {
    /// Sets the impairments from now on. Dropping also drops the buffered bytes.
    pub(super) fn impair(&self, impairments: Impairments) {
        let mut state = self.lock();
        state.impairments = impairments;
        if impairments.dropped {
            state.drop_all();
        }
        self.changed.notify_all();
    }

    /// Queues what was read. Blocks while the buffer is full, except for the end of the stream.
    pub(super) fn push(&self, chunk: Chunk) {
        let mut state = self.lock();
        if matches!(chunk, Chunk::Bytes(_)) {
            state = self
                .changed
                .wait_while(state, |state| state.is_full())
                .expect("no thread panicked while holding the lock");
        }
        state.push(chunk);
        self.changed.notify_all();
    }

    /// Blocks until something is due and returns it, at most one write's worth. Returns `None` once
    /// closed.
    pub(super) fn next(&self) -> Option<Chunk> {
        let mut state = self.lock();
        while !state.closed {
            let pause = state.until_due();
            if pause.is_zero() {
                self.changed.notify_all();
                return state.take();
            }
            (state, _) = self
                .changed
                .wait_timeout(state, pause)
                .expect("no thread panicked while holding the lock");
        }
        None
    }

    /// Ends both threads. Buffered bytes are lost.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.queue.clear();
        state.buffered_bytes = 0;
        self.changed.notify_all();
    }

    /// Returns the bytes read but not delivered.
    pub(super) fn buffered_bytes(&self) -> usize {
        self.lock().buffered_bytes
    }

    /// Returns the bytes dropped since the connection began.
    pub(super) fn dropped_bytes(&self) -> usize {
        self.lock().dropped_bytes
    }

    /// Returns whether writes are split.
    pub(super) fn is_trickling(&self) -> bool {
        self.lock().impairments.bytes_per_write != usize::MAX
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panicked while holding the lock")
    }
}

impl State {
    fn is_full(&self) -> bool {
        self.buffered_bytes >= BUFFERED_BYTES_MAX && !self.closed
    }

    fn push(&mut self, chunk: Chunk) {
        if self.closed {
            return;
        }
        if let Chunk::Bytes(bytes) = &chunk {
            self.buffered_bytes += bytes.len();
        }
        self.queue.push_back((Instant::now() + self.impairments.delay, chunk));
        if self.impairments.dropped {
            self.drop_all();
        }
    }

    fn drop_all(&mut self) {
        self.queue.clear();
        self.dropped_bytes += self.buffered_bytes;
        self.buffered_bytes = 0;
    }

    /// Returns zero if the front of the queue is due. Only the front counts, so that a shorter
    /// delay set later reorders nothing.
    fn until_due(&self) -> Duration {
        match self.queue.front() {
            Some((due, _)) if !self.impairments.held => {
                due.saturating_duration_since(Instant::now())
            }
            _ => IDLE,
        }
    }

    fn take(&mut self) -> Option<Chunk> {
        let at_most = self.impairments.bytes_per_write;
        match self.queue.front_mut() {
            Some((_, Chunk::Bytes(bytes))) if bytes.len() > at_most => {
                self.buffered_bytes -= at_most;
                Some(Chunk::Bytes(bytes.drain(..at_most).collect()))
            }
            _ => self.take_whole(),
        }
    }

    fn take_whole(&mut self) -> Option<Chunk> {
        let (_, chunk) = self.queue.pop_front()?;
        if let Chunk::Bytes(bytes) = &chunk {
            self.buffered_bytes -= bytes.len();
        }
        Some(chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Chunk {
        Chunk::Bytes(text.into())
    }

    #[test]
    fn trickling_takes_no_more_than_asked_and_loses_nothing() {
        let pipe = Pipe::default();
        pipe.impair(Impairments { bytes_per_write: 2, ..Impairments::default() });
        pipe.push(bytes("abcde"));
        pipe.push(Chunk::End);
        let taken = std::iter::from_fn(|| pipe.next().filter(|chunk| *chunk != Chunk::End));
        assert_eq!(taken.collect::<Vec<_>>(), [bytes("ab"), bytes("cd"), bytes("e")]);
        assert_eq!(pipe.buffered_bytes(), 0);
    }

    #[test]
    fn a_shorter_delay_does_not_reorder_bytes() {
        let pipe = Pipe::default();
        let delay = Duration::from_millis(100);
        pipe.impair(Impairments { delay, ..Impairments::default() });
        let start = Instant::now();
        pipe.push(bytes("first"));
        pipe.impair(Impairments::default());
        pipe.push(bytes("second"));
        assert_eq!(pipe.next(), Some(bytes("first")));
        assert!(start.elapsed() >= delay);
        assert_eq!(pipe.next(), Some(bytes("second")));
    }

    #[test]
    fn a_full_queue_stops_the_reader_until_there_is_room() {
        let pipe = Pipe::default();
        pipe.impair(Impairments { held: true, ..Impairments::default() });
        pipe.push(Chunk::Bytes(vec![0; BUFFERED_BYTES_MAX]));
        std::thread::scope(|threads| {
            let reader = threads.spawn(|| pipe.push(bytes("more")));
            std::thread::sleep(Duration::from_millis(20));
            assert!(!reader.is_finished());
            pipe.impair(Impairments::default());
            assert!(pipe.next().is_some());
            assert_eq!(pipe.next(), Some(bytes("more")));
        });
    }

    #[test]
    fn close_wakes_a_waiting_writer() {
        let pipe = Pipe::default();
        std::thread::scope(|threads| {
            let writer = threads.spawn(|| pipe.next());
            pipe.close();
            assert_eq!(writer.join().unwrap(), None);
        });
    }
}
