//! Waiting for a condition instead of a fixed time.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// Pause between two checks: short compared with the limits that tests set, long enough to leave
/// the CPU to the servers under test.
const POLL_INTERVAL: Duration = Duration::from_millis(3);

/// Returns as soon as `holds` returns true.
///
/// # Panics
/// If it still returns false after `within`. The message contains `what`.
pub fn eventually(within: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let found = poll(within, || holds().then_some(()));
    assert!(found.is_some(), "timed out after {within:?} waiting for: {what}");
}

/// Calls `check` until it returns `Some`, or until `within` has passed, at least once.
pub(crate) fn poll<T>(within: Duration, mut check: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        let found = check();
        if found.is_some() || start.elapsed() >= within {
            return found;
        }
        sleep(POLL_INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_until_the_condition_holds() {
        let mut checks = 0;
        eventually(Duration::from_secs(30), "the third check", || {
            checks += 1;
            checks == 3
        });
        assert_eq!(checks, 3);
    }

    #[test]
    #[should_panic(expected = "a condition that never holds")]
    fn the_panic_message_names_the_condition() {
        eventually(Duration::from_millis(10), "a condition that never holds", || false);
    }

    #[test]
    fn checks_once_with_a_zero_limit() {
        assert_eq!(poll(Duration::ZERO, || Some(7)), Some(7));
    }
}
