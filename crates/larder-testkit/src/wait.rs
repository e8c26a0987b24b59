//! Waiting for a fact, not for a time.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// Time between two looks: short against any limit a test sets, long enough to leave the
/// processors to the servers under test.
const POLL_INTERVAL: Duration = Duration::from_millis(3);

/// Returns as soon as `holds` does.
///
/// # Panics
/// When it still does not hold after `within`; the message says `what` was awaited.
pub fn eventually(within: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let found = poll(within, || holds().then_some(()));
    assert!(found.is_some(), "not within {within:?}: {what}");
}

/// The first `Some` that `look` gives, or `None` when there was none `within` that time. Looks at
/// least once.
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
    fn looks_until_it_holds() {
        let mut checks = 0;
        eventually(Duration::from_secs(30), "the third look", || {
            checks += 1;
            checks == 3
        });
        assert_eq!(checks, 3);
    }

    #[test]
    #[should_panic(expected = "the moon to fall")]
    fn the_panic_message_names_the_condition() {
        eventually(Duration::from_millis(10), "the moon to fall", || false);
    }

    #[test]
    fn looks_once_even_without_time() {
        assert_eq!(poll(Duration::ZERO, || Some(7)), Some(7));
    }
}
