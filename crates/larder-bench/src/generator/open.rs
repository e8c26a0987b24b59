//! The open loop: requests are due at a fixed rate, whether earlier ones were answered or not.
//!
//! Latency counts from the moment at which a request was due. A server that stalls makes all wait
//! that are due meanwhile, and all of them are counted; a closed loop, which asks no more until it
//! has an answer, would count one. A request goes to the connection that was free for the longest
//! time, or waits for one, as in a pool of connections.
//!
//! Between two requests the generator spins: a thread that sleeps wakes up too late for that. What
//! it is late by nevertheless is counted apart, as it is no server's fault.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustix::event::Timespec;

use crate::clock::now;
use crate::generator::{EVENTS_MAX, Generator, SILENCE_MAX, Seen, histogram, nanos};
use crate::keys::Order;

const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// What an open loop has seen.
#[derive(Debug)]
pub struct Paced {
    /// The requests; their latencies since they were due, in nanoseconds.
    pub seen: Seen,
    /// How long each was kept back by the generator itself, in nanoseconds.
    pub late: Histogram<u64>,
}

impl Paced {
    /// An error if any reply held another value.
    pub fn all_right(self) -> io::Result<Self> {
        Ok(Self { seen: self.seen.all_right()?, ..self })
    }
}

/// When requests are due.
struct Schedule {
    start: Instant,
    per_second: u64,
    /// The number of the next one.
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

    /// When the next one is due, if that is not later than now. It is taken.
    fn take(&mut self, now: Instant) -> Option<Instant> {
        let nanos = u128::from(self.next) * 1_000_000_000 / u128::from(self.per_second);
        let due = self.start + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let is_due = !self.is_over() && due <= now;
        self.next += u64::from(is_due);
        is_due.then_some(due)
    }
}

/// How long a request was kept back by nobody but the generator: since it was due, or since there
/// was a connection for it.
fn own_delay(due: Instant, free_since: Instant, sent: Instant) -> Duration {
    sent.saturating_duration_since(due.max(free_since))
}

/// A loop under way.
struct Open {
    schedule: Schedule,
    /// Connections that wait for work, and since when.
    free: VecDeque<(usize, Instant)>,
    /// When the request on its way was due, by connection.
    due: Vec<Instant>,
    paced: Paced,
}

impl Generator {
    /// Sends so many batches per second for `time`, and then waits for those on their way.
    ///
    /// # Errors
    /// When a connection breaks or falls silent, or a reply is none.
    pub fn run_open(
        &mut self,
        order: &mut Order,
        per_second: u64,
        time: Duration,
    ) -> io::Result<Paced> {
        let (start, count) = (now(), self.connections.len());
        let mut open = Open {
            schedule: Schedule::new(start, per_second, time),
            free: (0..count).map(|number| (number, start)).collect(),
            due: vec![start; count],
            paced: Paced { seen: Seen::new()?, late: histogram()? },
        };
        let mut events = Vec::with_capacity(EVENTS_MAX);
        while !open.schedule.is_over() || open.free.len() < count {
            self.stop.check()?;
            self.send_due(order, &mut open)?;
            let is_waiting = open.schedule.is_over() || open.free.is_empty();
            self.wait(&mut events, if is_waiting { SILENCE_MAX } else { AT_ONCE })?;
            for event in events.drain(..) {
                let Some((number, batch)) = self.receive(event)? else { continue };
                let due = open.due.get(number).copied().unwrap_or(batch.at);
                open.paced.seen.add(&batch, self.pipeline, batch.at.saturating_duration_since(due));
                open.free.push_back((number, batch.at));
            }
        }
        open.paced.seen.elapsed = start.elapsed();
        Ok(open.paced)
    }

    /// Sends what is due, as long as there are connections for it.
    fn send_due(&mut self, order: &mut Order, open: &mut Open) -> io::Result<()> {
        while let Some(&(number, free_since)) = open.free.front() {
            let sent = now();
            let Some(due) = open.schedule.take(sent) else { break };
            open.free.pop_front();
            open.paced.late.saturating_record(nanos(own_delay(due, free_since, sent)));
            open.due.get_mut(number).into_iter().for_each(|place| *place = due);
            if !self.connection(number)?.send(order)? {
                open.free.push_back((number, sent));
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
    fn requests_are_due_at_equal_distances() {
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

    /// What nobody could send in time is due when it was due, not when it is sent.
    #[test]
    fn a_stall_moves_no_due_time() {
        let start = now();
        let mut schedule = Schedule::new(start, 100, millis(100));
        let after = start + millis(75);
        let due: Vec<_> = std::iter::from_fn(|| schedule.take(after)).collect();
        let wanted: Vec<_> = (0..8).map(|number| start + millis(10 * number)).collect();
        assert_eq!(due, wanted);
    }

    #[test]
    fn the_generator_is_late_by_what_nobody_else_held_back() {
        let start = now();
        let at = |count| start + millis(count);
        // There was a connection all the time.
        assert_eq!(own_delay(at(10), at(2), at(13)), millis(3));
        // There was none until later: the server's fault.
        assert_eq!(own_delay(at(10), at(50), at(51)), millis(1));
        assert_eq!(own_delay(at(10), at(2), at(10)), Duration::ZERO);
    }
}
