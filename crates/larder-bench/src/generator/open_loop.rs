//! The open loop: requests are due at a fixed rate, whether or not earlier ones were answered.
//!
//! Latency is measured from the moment at which a request was due. When a server stalls, every
//! request that falls due meanwhile waits and is counted as slow. A closed loop, which sends
//! nothing until it has a reply, would count a single slow request. A request takes the connection
//! that has been idle the longest, or waits for one, as in a connection pool.
//!
//! Between requests the generator spins, as a sleeping thread wakes up too late. The delay that the
//! generator still causes is recorded separately, as no server is responsible for it.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use rustix::event::Timespec;

use crate::clock::now;
use crate::generator::stats::{LoadStats, OpenLoopStats, histogram, nanos};
use crate::generator::{EVENTS_MAX, Generator, SILENCE_MAX};
use crate::keys::KeySequence;

const NO_WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// When requests are due.
struct Schedule {
    start: Instant,
    per_second: u64,
    /// The number of the next request.
    next: u64,
    count: u64,
}

impl Schedule {
    fn new(start: Instant, per_second: u64, time: Duration) -> Self {
        let count = u128::from(per_second) * time.as_nanos() / 1_000_000_000;
        Self { start, per_second, next: 0, count: u64::try_from(count).unwrap_or(u64::MAX) }
    }

    fn is_over(&self) -> bool {
        self.next >= self.count
    }

    /// Takes the next request if it is due by now, and returns when it was due.
    fn take(&mut self, now: Instant) -> Option<Instant> {
        let nanos = u128::from(self.next) * 1_000_000_000 / u128::from(self.per_second);
        let due = self.start + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let is_due = !self.is_over() && due <= now;
        self.next += u64::from(is_due);
        is_due.then_some(due)
    }
}

/// Returns how long the generator itself delayed a request: since it was due, or since a connection
/// was idle, whichever is later.
fn own_delay(due: Instant, idle_since: Instant, sent: Instant) -> Duration {
    sent.saturating_duration_since(due.max(idle_since))
}

/// The state of a running loop.
struct Open {
    schedule: Schedule,
    /// The idle connections, and since when each is idle.
    idle: VecDeque<(usize, Instant)>,
    /// When the request in flight was due, by connection.
    due: Vec<Instant>,
    stats: OpenLoopStats,
}

impl Generator {
    /// Sends `per_second` batches per second for `time`, and then waits for the replies in flight.
    ///
    /// # Errors
    /// When a connection breaks or times out, or a reply is malformed.
    pub fn run_open_loop(
        &mut self,
        sequence: &mut KeySequence,
        per_second: u64,
        time: Duration,
    ) -> io::Result<OpenLoopStats> {
        let (start, count) = (now(), self.connections.len());
        let mut open = Open {
            schedule: Schedule::new(start, per_second, time),
            idle: (0..count).map(|number| (number, start)).collect(),
            due: vec![start; count],
            stats: OpenLoopStats { load: LoadStats::new()?, late: histogram()? },
        };
        let mut events = Vec::with_capacity(EVENTS_MAX);
        while !open.schedule.is_over() || open.idle.len() < count {
            self.stop.check()?;
            self.send_due(sequence, &mut open)?;
            let is_waiting = open.schedule.is_over() || open.idle.is_empty();
            self.wait(&mut events, if is_waiting { SILENCE_MAX } else { NO_WAIT })?;
            for event in events.drain(..) {
                let Some((number, batch)) = self.receive(event)? else { continue };
                let due = open.due.get(number).copied().unwrap_or(batch.at);
                open.stats.load.add(&batch, self.pipeline, batch.at.saturating_duration_since(due));
                open.idle.push_back((number, batch.at));
            }
        }
        open.stats.load.elapsed = start.elapsed();
        Ok(open.stats)
    }

    /// Sends the requests that are due, while there are idle connections.
    fn send_due(&mut self, sequence: &mut KeySequence, open: &mut Open) -> io::Result<()> {
        while let Some(&(number, idle_since)) = open.idle.front() {
            let sent = now();
            let Some(due) = open.schedule.take(sent) else { break };
            open.idle.pop_front();
            open.stats.late.saturating_record(nanos(own_delay(due, idle_since, sent)));
            open.due.get_mut(number).into_iter().for_each(|slot| *slot = due);
            if !self.connection(number)?.send(sequence)? {
                open.idle.push_back((number, sent));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn millis(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn requests_are_due_at_equal_intervals() {
        let start = now();
        let mut schedule = Schedule::new(start, 1000, millis(3));
        assert_eq!(schedule.take(start), Some(start));
        assert_eq!(schedule.take(start + Duration::from_micros(999)), None);
        assert_eq!(schedule.take(start + millis(1)), Some(start + millis(1)));
        assert!(!schedule.is_over());
        assert_eq!(schedule.take(start + millis(9)), Some(start + millis(2)));
        assert!(schedule.is_over());
        assert_eq!(schedule.take(start + millis(9)), None);
    }

    /// A request that could not be sent in time keeps the time at which it was due.
    #[test]
    fn a_stall_does_not_move_due_times() {
        let start = now();
        let mut schedule = Schedule::new(start, 100, millis(100));
        let after = start + millis(75);
        let due: Vec<_> = std::iter::from_fn(|| schedule.take(after)).collect();
        let wanted: Vec<_> = (0..8).map(|number| start + millis(10 * number)).collect();
        assert_eq!(due, wanted);
    }

    #[test]
    fn the_wait_for_a_connection_is_not_the_generators_delay() {
        let start = now();
        let at = |count| start + millis(count);
        // A connection was idle all the time.
        assert_eq!(own_delay(at(10), at(2), at(13)), millis(3));
        // No connection was idle until later, for which the server is responsible.
        assert_eq!(own_delay(at(10), at(50), at(51)), millis(1));
        assert_eq!(own_delay(at(10), at(2), at(10)), Duration::ZERO);
    }
}
