//! Until when an entry may be served.

use crate::clock::Moment;
use std::time::Duration;

/// What the store says about a key's time to live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// The key expires after this long.
    Left(Duration),
    /// The key has no expiry.
    Forever,
    /// There is no such key.
    NoKey,
}

/// Returns the moment from which a value read at `sent` must not be served: when the near TTL or the
/// key's own time to live ends, whichever is first. Both count from *before* the read was sent, and
/// the key's own is shortened by the millisecond that a store may round up, so that no entry
/// outlives its key (R6).
pub fn deadline(sent: Moment, near_ttl: Duration, left: Ttl) -> Moment {
    let near = sent.plus(near_ttl);
    match left {
        Ttl::Left(left) => near.min(sent.plus(left).minus(Duration::from_millis(1))),
        Ttl::Forever | Ttl::NoKey => near,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: Moment = Moment::START;

    #[test]
    fn the_shorter_time_to_live_counts() {
        let minute = Duration::from_mins(1);
        assert_eq!(deadline(SENT, minute, Ttl::Forever), SENT.plus(minute));
        assert_eq!(deadline(SENT, minute, Ttl::NoKey), SENT.plus(minute));
        assert_eq!(deadline(SENT, minute, Ttl::Left(minute * 2)), SENT.plus(minute));
        assert_eq!(
            deadline(SENT, minute, Ttl::Left(Duration::from_millis(10))),
            SENT.plus(Duration::from_millis(9))
        );
        assert_eq!(deadline(SENT, minute, Ttl::Left(Duration::ZERO)), SENT);
    }
}
