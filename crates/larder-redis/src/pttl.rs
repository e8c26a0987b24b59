//! The reply to `PTTL`.

use larder_core::expiry::Ttl;
use std::time::Duration;

/// Reads a reply to `PTTL`: milliseconds left, -1 for no expiry, -2 for no such key.
pub(crate) fn to_ttl(reply: i64) -> Ttl {
    match reply {
        -1 => Ttl::Forever,
        left => u64::try_from(left).map_or(Ttl::NoKey, |ms| Ttl::Left(Duration::from_millis(ms))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_replies_mean_no_expiry_or_no_key() {
        assert_eq!(to_ttl(-1), Ttl::Forever);
        assert_eq!(to_ttl(-2), Ttl::NoKey);
        assert_eq!(to_ttl(-77), Ttl::NoKey);
        assert_eq!(to_ttl(1500), Ttl::Left(Duration::from_millis(1500)));
    }
}
