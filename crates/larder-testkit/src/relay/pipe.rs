//! One direction of one connection: a queue of bytes with due times.
//!
//! A reader thread pushes what it reads, a writer thread takes what is due. A delay is a due time,
//! not a sleep, so that any number of bytes can be under way at once.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::rules::Treatment;

/// Bytes kept back in one direction before the relay stops reading, as a full network would.
const WAITING_BYTES_MAX: usize = 64 << 20;
/// The longest sleep of a writer with nothing due; any change wakes it.
const IDLE: Duration = Duration::from_hours(1);

/// What travels: bytes, or the news that the sender will send no more.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parcel {
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
    treatment: Treatment,
    queue: VecDeque<(Instant, Parcel)>,
    waiting_bytes: usize,
    swallowed_bytes: usize,
    closed: bool,
}

impl Pipe {
    /// From now on. Starting to swallow swallows what waits as well.
    pub(super) fn treat(&self, treatment: Treatment) {
        let mut state = self.lock();
        state.treatment = treatment;
        if treatment.swallowed {
            state.swallow_all();
        }
        self.changed.notify_all();
    }

    /// Takes in what was read. Waits while too much is kept back; never for an end.
    pub(super) fn push(&self, parcel: Parcel) {
        let mut state = self.lock();
        if matches!(parcel, Parcel::Bytes(_)) {
            state = self.changed.wait_while(state, |state| state.is_full()).expect("no panic");
        }
        state.push(parcel);
        self.changed.notify_all();
    }

    /// Waits for something to be due and takes it, at most one write's worth. `None` once closed.
    pub(super) fn next(&self) -> Option<Parcel> {
        let mut state = self.lock();
        while !state.closed {
            let pause = state.until_due();
            if pause.is_zero() {
                self.changed.notify_all();
                return state.take();
            }
            (state, _) = self.changed.wait_timeout(state, pause).expect("no panic");
        }
        None
    }

    /// Ends both threads; what waits is lost.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.queue.clear();
        state.waiting_bytes = 0;
        self.changed.notify_all();
    }

    /// Bytes read and not yet delivered.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.lock().waiting_bytes
    }

    /// Bytes swallowed since the connection began.
    pub(super) fn swallowed_bytes(&self) -> usize {
        self.lock().swallowed_bytes
    }

    /// Whether writes are cut short.
    pub(super) fn trickles(&self) -> bool {
        self.lock().treatment.bytes_per_write != usize::MAX
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic under this lock")
    }
}

impl State {
    fn is_full(&self) -> bool {
        self.waiting_bytes >= WAITING_BYTES_MAX && !self.closed
    }

    fn push(&mut self, parcel: Parcel) {
        if self.closed {
            return;
        }
        if let Parcel::Bytes(bytes) = &parcel {
            self.waiting_bytes += bytes.len();
        }
        self.queue.push_back((Instant::now() + self.treatment.delay, parcel));
        if self.treatment.swallowed {
            self.swallow_all();
        }
    }

    fn swallow_all(&mut self) {
        self.queue.clear();
        self.swallowed_bytes += self.waiting_bytes;
        self.waiting_bytes = 0;
    }

    /// Zero when the front of the queue may go. Only the front counts: a shorter delay set later
    /// overtakes nothing.
    fn until_due(&self) -> Duration {
        match self.queue.front() {
            Some((due, _)) if !self.treatment.held => due.saturating_duration_since(Instant::now()),
            _ => IDLE,
        }
    }

    fn take(&mut self) -> Option<Parcel> {
        let at_most = self.treatment.bytes_per_write;
        match self.queue.front_mut() {
            Some((_, Parcel::Bytes(bytes))) if bytes.len() > at_most => {
                self.waiting_bytes -= at_most;
                Some(Parcel::Bytes(bytes.drain(..at_most).collect()))
            }
            _ => self.take_whole(),
        }
    }

    fn take_whole(&mut self) -> Option<Parcel> {
        let (_, parcel) = self.queue.pop_front()?;
        if let Parcel::Bytes(bytes) = &parcel {
            self.waiting_bytes -= bytes.len();
        }
        Some(parcel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Parcel {
        Parcel::Bytes(text.into())
    }

    #[test]
    fn trickling_takes_no_more_than_asked_and_loses_nothing() {
        let pipe = Pipe::default();
        pipe.treat(Treatment { bytes_per_write: 2, ..Treatment::default() });
        pipe.push(bytes("abcde"));
        pipe.push(Parcel::End);
        let taken = std::iter::from_fn(|| pipe.next().filter(|parcel| *parcel != Parcel::End));
        assert_eq!(taken.collect::<Vec<_>>(), [bytes("ab"), bytes("cd"), bytes("e")]);
        assert_eq!(pipe.waiting_bytes(), 0);
    }

    #[test]
    fn a_shorter_delay_overtakes_nothing() {
        let pipe = Pipe::default();
        let delay = Duration::from_millis(100);
        pipe.treat(Treatment { delay, ..Treatment::default() });
        let start = Instant::now();
        pipe.push(bytes("first"));
        pipe.treat(Treatment::default());
        pipe.push(bytes("second"));
        assert_eq!(pipe.next(), Some(bytes("first")));
        assert!(start.elapsed() >= delay);
        assert_eq!(pipe.next(), Some(bytes("second")));
    }

    #[test]
    fn a_full_queue_stops_the_reader_until_there_is_room() {
        let pipe = Pipe::default();
        pipe.treat(Treatment { held: true, ..Treatment::default() });
        pipe.push(Parcel::Bytes(vec![0; WAITING_BYTES_MAX]));
        std::thread::scope(|threads| {
            let reader = threads.spawn(|| pipe.push(bytes("more")));
            std::thread::sleep(Duration::from_millis(20));
            assert!(!reader.is_finished());
            pipe.treat(Treatment::default());
            assert!(pipe.next().is_some());
            assert_eq!(pipe.next(), Some(bytes("more")));
        });
    }

    #[test]
    fn closing_ends_a_waiting_writer() {
        let pipe = Pipe::default();
        std::thread::scope(|threads| {
            let writer = threads.spawn(|| pipe.next());
            pipe.close();
            assert_eq!(writer.join().unwrap(), None);
        });
    }
}
