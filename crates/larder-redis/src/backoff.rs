//! The pause before the next attempt to connect.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    time::Duration,
};

const MIN: Duration = Duration::from_millis(25);
const MAX: Duration = Duration::from_secs(1);

/// Exponential backoff with jitter, so that many Larders do not reconnect at the same moment.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    attempts: u32,
}

impl Backoff {
    pub(crate) fn next(&mut self) -> Duration {
        let longest = MIN.saturating_mul(1 << self.attempts.min(16)).min(MAX);
        self.attempts = self.attempts.saturating_add(1);
        longest / 2 + longest.mul_f64(random() / 2.0)
    }

    pub(crate) fn reset(&mut self) {
        self.attempts = 0;
    }
}

/// Returns a random number from 0 to 1. The standard library seeds `RandomState` from the system.
fn random() -> f64 {
    let bits = RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(bits >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_maximum_and_reset() {
        let mut backoff = Backoff::default();
        let first = backoff.next();
        assert!(first >= MIN / 2 && first <= MIN);
        for _ in 0..20 {
            backoff.next();
        }
        let late = backoff.next();
        assert!(late >= MAX / 2 && late <= MAX);
        backoff.reset();
        assert!(backoff.next() <= MIN);
    }
}
