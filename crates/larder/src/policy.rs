//! Until when values are fresh, and for how long they are served when they no longer are.

use crate::slot::Held;
use larder_core::{Moment, expiry::Ttl};
use larder_expiry::Expiry;
use std::{hash::BuildHasher, time::Duration};

/// See the [module](self). A window of zero turns a policy off.
#[derive(Debug)]
pub(crate) struct Policy {
    /// When a value expires.
    pub(crate) ttl: Expiry,
    /// At most this long after it was made.
    pub(crate) near_ttl: Option<Duration>,
    /// This long after it was last used.
    pub(crate) idle: Option<Duration>,
    /// How long it is remembered that there is no value.
    pub(crate) negative_ttl: Duration,
    /// The largest part of a time to live that is taken off at random.
    pub(crate) jitter: f64,
    /// How long a stale value is served while another caller loads.
    pub(crate) while_revalidate: Duration,
    /// How long a stale value is served when loads fail.
    pub(crate) if_error: Duration,
    /// The pause between loads while they fail and a stale value is served.
    pub(crate) throttle: Duration,
    /// The part of its time to live after which a value is loaded ahead.
    pub(crate) refresh_ahead: Option<f64>,
    /// How long a caller with a stale value waits for a load.
    pub(crate) soft_timeout: Option<Duration>,
    /// How long a load may take.
    pub(crate) hard_timeout: Option<Duration>,
    /// Chooses the jitter.
    pub(crate) random: foldhash::quality::RandomState,
}

/// When a value stops being fresh, and when it is dropped.
pub(crate) struct Deadlines {
    pub(crate) fresh_until: Moment,
    pub(crate) kept_until: Moment,
}

impl Policy {
    /// Returns the deadlines of a value made at `now`, which is `unix` on the calendar. A chosen
    /// time to live is that of the call or of the loader.
    pub(crate) fn deadlines(
        &self,
        chosen: Option<&Expiry>,
        name: &[u8],
        now: Moment,
        unix: Duration,
    ) -> Deadlines {
        let ttl = match (self.time_to_live(chosen, name, unix), self.near_ttl) {
            (Some(ttl), Some(near)) => Some(ttl.min(near)),
            (ttl, near) => ttl.or(near),
        };
        let Some(ttl) = ttl else {
            return Deadlines { fresh_until: Moment::NEVER, kept_until: Moment::NEVER };
        };
        let fresh_until = now.plus(ttl);
        Deadlines { fresh_until, kept_until: self.kept_until(fresh_until) }
    }

    /// Returns until when a value is kept that is fresh until then.
    pub(crate) fn kept_until(&self, fresh_until: Moment) -> Moment {
        fresh_until.plus(self.stale_window())
    }

    /// Returns the time to live of a value that is made at `unix`; `None` if it does not expire.
    pub(crate) fn time_to_live(
        &self,
        chosen: Option<&Expiry>,
        name: &[u8],
        unix: Duration,
    ) -> Option<Duration> {
        match chosen {
            Some(expiry) => expiry.ttl(unix),
            None => self.ttl.ttl(unix).map(|ttl| self.jittered(ttl, name, unix)),
        }
    }

    /// Returns how long a value is kept after it has expired.
    fn stale_window(&self) -> Duration {
        self.while_revalidate.max(self.if_error)
    }

    /// Shortens a time to live at random, so that values made together do not expire together.
    fn jittered(&self, ttl: Duration, name: &[u8], unix: Duration) -> Duration {
        if self.jitter <= 0.0 {
            return ttl;
        }
        let hash = self.random.hash_one((name, unix));
        #[allow(clippy::cast_precision_loss, reason = "53 bits are as many as it has")]
        let part = (hash >> 11) as f64 / (1_u64 << 53) as f64;
        ttl.mul_f64(1.0 - self.jitter * part)
    }

    #[inline]
    pub(crate) fn fresh_until<V>(&self, held: &Held<V>) -> Moment {
        held.fresh_until(self.idle)
    }

    /// Whether a fresh value is old enough to be loaded ahead of its end.
    pub(crate) fn is_refresh_due(&self, made: Moment, fresh_until: Moment, now: Moment) -> bool {
        self.refresh_ahead.is_some_and(|part| {
            fresh_until != Moment::NEVER && now.since(made) >= fresh_until.since(made).mul_f64(part)
        })
    }

    /// Whether a stale value may be served while another caller loads.
    pub(crate) fn serves_while_revalidating<V>(&self, held: &Held<V>, now: Moment) -> bool {
        now < self.fresh_until(held).plus(self.while_revalidate)
    }

    /// Whether a value may be served because a load failed.
    pub(crate) fn serves_on_error<V>(&self, held: &Held<V>, now: Moment) -> bool {
        now < self.fresh_until(held).plus(self.if_error)
    }

    /// Whether a stale value may be served to a caller that has waited for `soft_timeout`.
    pub(crate) fn serves_when_late<V>(&self, held: &Held<V>, now: Moment) -> bool {
        now < self.fresh_until(held).plus(self.stale_window())
    }
}

/// Returns the time to live with which a fill that was sent at `sent` is cached until `deadline`: the
/// engine takes a millisecond off, by which a store may have rounded up.
pub(crate) fn ttl_until(sent: Moment, deadline: Moment) -> Ttl {
    if deadline == Moment::NEVER {
        return Ttl::Forever;
    }
    Ttl::Left(deadline.since(sent) + Duration::from_millis(1))
}
