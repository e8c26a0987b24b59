//! The circuit breaker of a cache: after several failures in a row no load is tried for a while,
//! then one at a time until one succeeds.

use larder_core::Moment;
use parking_lot::Mutex;
use std::time::Duration;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Breaker {
    limits: Option<BreakerLimits>,
    state: Mutex<State>,
}

/// When the breaker opens, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BreakerLimits {
    /// Failures in a row.
    pub(crate) failures: u32,
    pub(crate) pause: Duration,
}

#[derive(Debug)]
struct State {
    /// Failures in a row.
    failures: u32,
    /// No load before this moment.
    open_until: Moment,
    /// Whether a load is under way that decides whether the breaker closes.
    is_probing: bool,
}

/// The permission for one load. Dropped without an outcome, it counts as neither.
pub(crate) struct Permit<'a> {
    breaker: &'a Breaker,
    is_probe: bool,
}

impl Breaker {
    pub(crate) fn new(limits: Option<BreakerLimits>) -> Self {
        let state = State { failures: 0, open_until: Moment::START, is_probing: false };
        Self { limits, state: Mutex::new(state) }
    }

    /// Returns the permission for a load that runs whatever happened to others.
    pub(crate) fn permit_always(&self) -> Permit<'_> {
        self.permitted(false)
    }

    /// Returns the permission for a load now, or `None`.
    pub(crate) fn permit(&self, now: Moment) -> Option<Permit<'_>> {
        let Some(limits) = self.limits else { return Some(self.permitted(false)) };
        let mut state = self.state.lock();
        if state.failures < limits.failures {
            return Some(self.permitted(false));
        }
        let is_due = now >= state.open_until && !state.is_probing;
        state.is_probing |= is_due;
        is_due.then(|| self.permitted(true))
    }

    fn permitted(&self, is_probe: bool) -> Permit<'_> {
        Permit { breaker: self, is_probe }
    }
}

impl Permit<'_> {
    /// Reports that the load brought an answer.
    pub(crate) fn succeeded(self) {
        if self.breaker.limits.is_some() {
            self.breaker.state.lock().failures = 0;
        }
    }

    /// Reports that the load failed at `now`.
    pub(crate) fn failed(self, now: Moment) {
        if let Some(limits) = self.breaker.limits {
            let mut state = self.breaker.state.lock();
            state.failures = state.failures.saturating_add(1);
            state.open_until = now.plus(limits.pause);
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.is_probe {
            self.breaker.state.lock().is_probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const NOW: Moment = Moment::START;

    fn breaker() -> Breaker {
        let breaker = Breaker::new(Some(BreakerLimits { failures: 2, pause: SECOND }));
        breaker.permit(NOW).unwrap().failed(NOW);
        breaker.permit(NOW).unwrap().failed(NOW);
        breaker
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_then_lets_one_load_pass() {
        let breaker = breaker();
        assert!(breaker.permit(NOW).is_none());
        let later = NOW.plus(SECOND);
        let probe = breaker.permit(later).unwrap();
        assert!(breaker.permit(later).is_none(), "one at a time");
        probe.failed(later);
        assert!(breaker.permit(later).is_none());
        breaker.permit(later.plus(SECOND)).unwrap().succeeded();
        assert!(breaker.permit(later).is_some() && breaker.permit(later).is_some());
    }

    #[test]
    fn a_success_between_failures_keeps_it_closed() {
        let breaker = Breaker::new(Some(BreakerLimits { failures: 2, pause: SECOND }));
        for _ in 0..3 {
            breaker.permit(NOW).unwrap().failed(NOW);
            breaker.permit(NOW).unwrap().succeeded();
        }
        assert!(breaker.permit(NOW).is_some());
    }

    #[test]
    fn a_dropped_probe_makes_way_for_the_next() {
        let breaker = breaker();
        let later = NOW.plus(SECOND);
        drop(breaker.permit(later).unwrap());
        assert!(breaker.permit(later).is_some());
    }
}
