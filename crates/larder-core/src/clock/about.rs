//! What time it is, roughly and at a fifth of the price.
//!
//! The kernel notes the time at each of its ticks, and whoever asks for that note need not wait for
//! the processor's counter. There is none of the clock that counts suspension, but of the monotonic
//! one, which stands still meanwhile, and of the time of day, which does not. How far the latter
//! two lie apart changes with each suspension (and when somebody sets the clock). So as long as they
//! lie as far apart as when the exact clocks were last compared, the machine has not been asleep
//! since, and the one clock tells the other.

use super::{About, CLOCK, Moment, nanos_of};
use rustix::time::ClockId;
use std::{cell::Cell, time::Duration};

/// How old the kernel's note may be. A tick is at most 10 ms; where the processor that keeps the
/// time is held up, as in a busy virtual machine, another one takes over after five ticks (Linux
/// 5.18).
const LAG: Duration = Duration::from_millis(60);
/// Longer than the exact clocks take to be read; what they give after a longer pause is not used.
const COMPARED_IN_NANOS: u64 = 1_000_000;

/// How two clocks lay apart when they were compared.
#[derive(Clone, Copy)]
struct Apart {
    /// By how much the time of day was ahead of the monotonic clock.
    wall: u64,
    /// By how much the clock that counts suspension was, at least.
    asleep: u64,
}

thread_local! {
    static APART: Cell<Option<Apart>> = const { Cell::new(None) };
}

pub(super) fn about() -> About {
    let monotonic = nanos_of(ClockId::MonotonicCoarse);
    let wall = nanos_of(ClockId::RealtimeCoarse).wrapping_sub(monotonic);
    match APART.get() {
        Some(apart) if apart.wall == wall => {
            let earliest = Moment(monotonic.saturating_add(apart.asleep));
            About { earliest, latest: earliest.plus(LAG) }
        }
        _ => {
            APART.set(compare());
            About::exactly(Moment(nanos_of(CLOCK)))
        }
    }
}

/// `None` when a tick or something longer came between.
fn compare() -> Option<Apart> {
    // This first: after a suspension between the two comparisons it is out of date, and who sees
    // that compares anew.
    let monotonic = nanos_of(ClockId::MonotonicCoarse);
    let wall = nanos_of(ClockId::RealtimeCoarse).wrapping_sub(monotonic);
    let is_same_tick = nanos_of(ClockId::MonotonicCoarse) == monotonic;
    let before = nanos_of(ClockId::Monotonic);
    let boot = nanos_of(CLOCK);
    let after = nanos_of(ClockId::Monotonic);
    let asleep = boot.saturating_sub(after);
    (is_same_tick && after.saturating_sub(before) < COMPARED_IN_NANOS)
        .then_some(Apart { wall, asleep })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::{sleep, spawn};

    #[test]
    fn the_exact_time_lies_between() {
        let threads = (0..4).map(|_| {
            spawn(|| {
                let (mut rough, end) = (0, Moment(nanos_of(CLOCK)).plus(LAG * 2));
                let mut before = Moment::START;
                while before < end {
                    before = Moment(nanos_of(CLOCK));
                    let About { earliest, latest } = about();
                    let after = Moment(nanos_of(CLOCK));
                    assert!(earliest <= after, "{earliest:?} after {after:?}");
                    assert!(before <= latest, "{before:?} after {latest:?}");
                    rough += u32::from(earliest < latest);
                }
                assert!(rough > 0, "never by the kernel's note");
            })
        });
        threads.collect::<Vec<_>>().into_iter().for_each(|thread| thread.join().unwrap());
    }

    #[test]
    fn after_a_suspension_it_is_asked_anew() {
        while APART.get().is_none() {
            about();
        }
        // As if the machine had slept for an hour: the time of day went on, nobody has compared.
        let hour = 3_600_000_000_000;
        APART.set(APART.get().map(|apart| Apart {
            wall: apart.wall.wrapping_sub(hour),
            asleep: apart.asleep.saturating_sub(hour),
        }));
        let before = Moment(nanos_of(CLOCK));
        let found = about();
        assert!(before <= found.earliest && found.earliest == found.latest);
        sleep(Duration::from_millis(1));
        assert!(before <= about().latest);
    }
}
