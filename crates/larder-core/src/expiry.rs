//! When an entry must leave the near tier.

use crate::Moment;
use std::time::Duration;

/// What the store says about a key's time to live, in the words of `PTTL`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// The key leaves after this long.
    Left(Duration),
    /// The key has no expiry.
    Forever,
    /// There is no such key.
    NoKey,
}

impl Ttl {
    /// Reads the answer to `PTTL`: milliseconds left, -1 for no expiry, -2 for no key.
    pub fn from_pttl(reply: i64) -> Self {
        match reply {
            -1 => Self::Forever,
            left => {
                u64::try_from(left).map_or(Self::NoKey, |ms| Self::Left(Duration::from_millis(ms)))
            }
        }
    }
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

    #[test]
    fn pttl_is_read_as_redis_means_it() {
        assert_eq!(Ttl::from_pttl(-1), Ttl::Forever);
        assert_eq!(Ttl::from_pttl(-2), Ttl::NoKey);
        assert_eq!(Ttl::from_pttl(-77), Ttl::NoKey);
        assert_eq!(Ttl::from_pttl(1500), Ttl::Left(Duration::from_millis(1500)));
    }
}
