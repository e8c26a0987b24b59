//! The real clock, which a benchmark measures with.

use std::time::Instant;

/// Returns the current time.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures the real clock")]
pub fn now() -> Instant {
    Instant::now()
}
