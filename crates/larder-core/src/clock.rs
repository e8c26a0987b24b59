//! The clock. It is passed in, and it counts the time that the machine was suspended, so that entries
//! do not seem fresh after it wakes up.

use std::time::Duration;

#[cfg(any(test, feature = "testing"))]
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// A point in time: nanoseconds since the machine booted, including time in suspension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    /// Before every other moment.
    pub const START: Self = Self(0);
    /// After every other moment: the deadline of what does not expire.
    pub const NEVER: Self = Self(u64::MAX);

    /// Returns the moment `span` later, at most [`Moment::NEVER`].
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(nanos(span)))
    }

    /// Returns the moment `span` earlier, at least [`Moment::START`].
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(span)))
    }

    /// Returns the time since `earlier`; zero if that lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    pub(crate) fn as_millis(self) -> i64 {
        i64::try_from(self.0 / 1_000_000).unwrap_or(i64::MAX)
    }

    pub(crate) fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    pub(crate) fn as_nanos(self) -> u64 {
        self.0
    }
}

/// (`Duration::as_nanos` computes in 128 bits.)
#[inline]
fn nanos(span: Duration) -> u64 {
    span.as_secs().saturating_mul(NANOS_PER_SECOND).saturating_add(span.subsec_nanos().into())
}

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// A source of [`Moment`]s.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The machine's clock that counts suspension.
    #[default]
    System,
    /// A clock that tests advance.
    #[cfg(any(test, feature = "testing"))]
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// Returns the time now.
    pub fn now(&self) -> Moment {
        match self {
            Self::System => Moment(system_nanos()),
            #[cfg(any(test, feature = "testing"))]
            Self::Manual(nanos) => Moment(nanos.load(Ordering::SeqCst)),
        }
    }

    /// Returns the time of day as the time since 1970, for deadlines that users set and read as dates.
    /// It may jump. A [`Moment`] never does.
    pub fn unix(&self) -> Duration {
        match self {
            Self::System => duration(rustix::time::clock_gettime(rustix::time::ClockId::Realtime)),
            #[cfg(any(test, feature = "testing"))]
            Self::Manual(nanos) => Duration::from_nanos(nanos.load(Ordering::SeqCst)),
        }
    }

    /// Creates a clock that stands at one hour until [`Clock::advance`].
    #[cfg(any(test, feature = "testing"))]
    pub fn manual() -> Self {
        Self::Manual(Arc::new(AtomicU64::new(nanos(Duration::from_hours(1)))))
    }

    /// Advances a manual clock. Has no effect on the machine's clock.
    #[cfg(any(test, feature = "testing"))]
    pub fn advance(&self, span: Duration) {
        if let Self::Manual(now) = self {
            now.fetch_add(nanos(span), Ordering::SeqCst);
        }
    }
}

#[cfg(target_os = "linux")]
const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Boottime;
// Elsewhere (macOS) the monotonic clock counts suspension.
#[cfg(not(target_os = "linux"))]
const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Monotonic;

/// Computes without a [`Duration`] in between, because each hit reads the clock.
fn system_nanos() -> u64 {
    let time = rustix::time::clock_gettime(CLOCK);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(NANOS_PER_SECOND).saturating_add(nanos)
}

fn duration(time: rustix::time::Timespec) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_clock_moves_forward() {
        let before = Clock::System.now();
        assert!(before > Moment::START);
        while Clock::System.now() == before {}
        assert!(Clock::System.now() > before);
    }

    #[test]
    fn the_time_of_day_is_plausible_and_advances() {
        assert!(Clock::System.unix() > Duration::from_secs(1_700_000_000));
        let clock = Clock::manual();
        let before = clock.unix();
        clock.advance(Duration::from_millis(5));
        assert_eq!(clock.unix().saturating_sub(before), Duration::from_millis(5));
    }

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        assert_eq!(Moment::NEVER.plus(Duration::from_secs(1)), Moment::NEVER);
        assert_eq!(Moment::START.minus(Duration::from_secs(1)), Moment::START);
        assert_eq!(Moment::START.since(Moment::NEVER), Duration::ZERO);
        assert_eq!(
            Moment::START.plus(Duration::from_millis(5)).since(Moment::START),
            Duration::from_millis(5)
        );
    }

    #[test]
    fn a_manual_clock_moves_when_advanced() {
        let clock = Clock::manual();
        let before = clock.now();
        clock.advance(Duration::from_secs(31));
        assert_eq!(clock.now().since(before), Duration::from_secs(31));
    }
}
