//! The feed's life as the near tier sees it: which epoch counts, and until when it may be trusted.

use crate::{
    Bypass, Moment,
    near::ReadView,
    sync::{
        Mutex,
        atomic::{
            AtomicBool, AtomicU32, AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
};
use std::time::Duration;

/// The number of one feed connection's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch(pub(crate) u32);

/// Epochs and freshness. Readers take two atomic loads; every change goes through one lock.
pub struct Feed {
    bound: Duration,
    /// Nanoseconds of the [`Moment`] until which the current epoch may be trusted; 0: not at all.
    fresh_until: AtomicU64,
    /// The current epoch; counts up at each beginning and at each end, so that no entry of an ended
    /// epoch carries the current number.
    epoch: AtomicU32,
    begun: AtomicU64,
    /// Nothing is to be served from memory, however fresh the feed is.
    passthrough: AtomicBool,
    control: Mutex<()>,
}

impl Feed {
    /// A feed that has not begun. `bound` is the staleness bound.
    pub fn new(bound: Duration) -> Self {
        Self {
            bound,
            fresh_until: AtomicU64::new(0),
            epoch: AtomicU32::new(0),
            begun: AtomicU64::new(0),
            passthrough: AtomicBool::new(false),
            control: Mutex::new(()),
        }
    }

    /// The staleness bound.
    pub fn bound(&self) -> Duration {
        self.bound
    }

    /// Begins an epoch: the connection is there, nothing has been heard on it yet.
    pub(crate) fn begin(&self) -> Epoch {
        let _control = self.control.lock();
        self.fresh_until.store(0, Release);
        self.begun.fetch_add(1, Relaxed);
        Epoch(self.epoch.fetch_add(1, Release).wrapping_add(1))
    }

    /// A heartbeat sent at `sent` was answered. Says nothing when its epoch is over.
    pub fn beat(&self, epoch: Epoch, sent: Moment) {
        let _control = self.control.lock();
        if self.is_current(epoch) {
            let until = sent.plus(self.bound).as_nanos();
            self.fresh_until.store(until.max(self.fresh_until.load(Relaxed)), Release);
        }
    }

    /// The feed cannot be cut: what changes the store passes through this process.
    pub fn always_fresh(&self, epoch: Epoch) {
        self.beat(epoch, Moment::NEVER);
    }

    /// Ends an epoch: nothing filled in it is served again. False when it had ended before.
    pub(crate) fn end(&self, epoch: Epoch) -> bool {
        let _control = self.control.lock();
        let current = self.is_current(epoch);
        if current {
            self.fresh_until.store(0, Release);
            self.epoch.fetch_add(1, Release);
        }
        current
    }

    /// The epoch that is under way and has been heard of.
    pub(crate) fn current(&self) -> Option<Epoch> {
        self.is_live().then(|| Epoch(self.epoch.load(Acquire)))
    }

    /// Whether an epoch is under way and has been heard of. While not, nothing is kept and nothing
    /// that was kept counts.
    pub fn is_live(&self) -> bool {
        self.fresh_until.load(Acquire) != 0
    }

    /// Whether `epoch` is the current one.
    pub fn is_current(&self, epoch: Epoch) -> bool {
        self.epoch.load(Acquire) == epoch.0
    }

    /// From where entries may be judged at `now`; `None` when the feed is older than the bound or
    /// pass-through is on, and nothing may be served from memory.
    ///
    /// `fresh_until` is read before the epoch. If an epoch begins in between, the freshness of the
    /// earlier one is applied to entries of the later one, which were filled after it.
    pub fn read_view(&self, now: Moment) -> Option<ReadView> {
        let fresh_until = Moment::from_nanos(self.fresh_until.load(Acquire));
        let epoch = self.epoch.load(Acquire);
        (now < fresh_until && !self.is_passthrough()).then_some(ReadView { now, epoch })
    }

    /// Whether the feed is younger than the bound.
    pub fn is_fresh(&self, now: Moment) -> bool {
        now < Moment::from_nanos(self.fresh_until.load(Acquire))
    }

    /// Why there is no [`Feed::read_view`].
    pub fn bypass_reason(&self) -> Bypass {
        if self.is_passthrough() { Bypass::Passthrough } else { Bypass::NotCoherent }
    }

    /// Whether an operator turned pass-through on.
    pub fn is_passthrough(&self) -> bool {
        self.passthrough.load(Relaxed)
    }

    pub(crate) fn set_passthrough(&self, on: bool) {
        self.passthrough.store(on, Relaxed);
    }

    /// From where the sweep judges: as [`Feed::read_view`], fresh or not.
    pub(crate) fn sweep_view(&self, now: Moment) -> ReadView {
        ReadView { now, epoch: self.epoch.load(Acquire) }
    }

    /// Time since the sending of the newest heartbeat that was answered, `None` when there is none
    /// in this epoch.
    pub fn age(&self, now: Moment) -> Option<Duration> {
        let fresh_until = Moment::from_nanos(self.fresh_until.load(Acquire));
        match fresh_until {
            Moment::START => None,
            Moment::NEVER => Some(Duration::ZERO),
            until => Some(now.since(until.minus(self.bound))),
        }
    }

    /// How many epochs have begun.
    pub fn epochs_begun(&self) -> u64 {
        self.begun.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Clock;

    const BOUND: Duration = Duration::from_secs(1);
    const TICK: Duration = Duration::from_nanos(1);

    #[test]
    fn fresh_from_the_sending_of_an_answered_heartbeat_until_the_bound() {
        let (feed, clock) = (Feed::new(BOUND), Clock::manual());
        let sent = clock.now();
        let epoch = feed.begin();
        assert!(feed.read_view(sent).is_none(), "nothing heard yet");
        feed.beat(epoch, sent);
        assert!(feed.read_view(sent.plus(BOUND).minus(TICK)).is_some());
        assert!(feed.read_view(sent.plus(BOUND)).is_none());
        assert_eq!(feed.age(sent.plus(BOUND)), Some(BOUND));
    }

    #[test]
    fn a_late_heartbeat_suspends_and_does_not_end() {
        let (feed, clock) = (Feed::new(BOUND), Clock::manual());
        let epoch = feed.begin();
        feed.beat(epoch, clock.now());
        clock.advance(BOUND * 3);
        assert!(feed.read_view(clock.now()).is_none());
        feed.beat(epoch, clock.now().minus(BOUND / 2));
        assert!(feed.read_view(clock.now()).is_some());
        assert!(feed.is_current(epoch));
    }

    #[test]
    fn answers_out_of_order_do_not_shorten() {
        let (feed, clock) = (Feed::new(BOUND), Clock::manual());
        let epoch = feed.begin();
        feed.beat(epoch, clock.now());
        feed.beat(epoch, clock.now().minus(BOUND));
        assert!(feed.read_view(clock.now()).is_some());
    }

    #[test]
    fn an_ended_epoch_is_not_revived() {
        let (feed, clock) = (Feed::new(BOUND), Clock::manual());
        let first = feed.begin();
        feed.beat(first, clock.now());
        assert!(feed.end(first));
        assert!(!feed.end(first), "ended once");
        feed.beat(first, clock.now());
        assert!(feed.read_view(clock.now()).is_none());
        let second = feed.begin();
        assert_ne!(first, second);
        feed.beat(first, clock.now());
        assert!(feed.read_view(clock.now()).is_none(), "the old epoch's heartbeat says nothing");
        feed.beat(second, clock.now());
        assert_eq!(feed.read_view(clock.now()).map(|view| view.epoch), Some(second.0));
        assert_eq!(feed.epochs_begun(), 2);
    }

    #[test]
    fn a_feed_that_cannot_be_cut_is_always_fresh() {
        let feed = Feed::new(BOUND);
        let epoch = feed.begin();
        feed.always_fresh(epoch);
        let late = Clock::manual().now().plus(Duration::from_secs(1 << 30));
        assert!(feed.read_view(late).is_some());
        assert_eq!(feed.age(late), Some(Duration::ZERO));
    }
}
