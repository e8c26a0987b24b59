//! When an entry must leave the near tier.

use crate::Moment;
use std::time::Duration;

/// What the store says about a key's time to live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// The key leaves after this long.
    Left(Duration),
    /// The key has no expiry.
    Forever,
    /// There is no such key.
    NoKey,
}

/// The last moment at which a value read at `sent` may be served: the near TTL, or the key's own,
/// whichever ends first. Counted from *before* the read was sent, less the millisecond that `PTTL`
/// rounds, so that no entry outlives its key (R6).
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
    fn the_shorter_life_counts() {
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
