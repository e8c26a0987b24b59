//! The feed as the near cache sees it: which epoch counts, and until when it may be trusted.

use crate::{
    clock::Moment,
    near::ReadView,
    outcome::Bypass,
    sync::{
        Mutex,
        atomic::{
            AtomicBool, AtomicU32, AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
};
use std::{sync::Arc, time::Duration};

/// The number of one epoch: one lifetime of one feed's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch(pub(crate) u32);

/// Numbers the epochs of an engine's feeds. No two feeds that share a counter ever have an epoch of
/// the same number, so an entry that carries the number of its epoch names its feed as well.
#[derive(Default)]
pub(crate) struct EpochCounter(AtomicU32);

impl EpochCounter {
    fn next(&self) -> u32 {
        self.0.fetch_add(1, Relaxed).wrapping_add(1)
    }
}

/// The epochs and the freshness of a feed. A reader takes two atomic loads; every change takes a
/// lock.
pub struct Feed {
    bound: Duration,
    /// The [`Moment`] until which the current epoch may be trusted, in nanoseconds; 0 for not at
    /// all.
    fresh_until: AtomicU64,
    /// The current epoch. It takes a new number at each beginning and at each end, so that no entry
    /// of an ended epoch carries the current number.
    epoch: AtomicU32,
    numbers: Arc<EpochCounter>,
    begun: AtomicU64,
    /// While set, nothing is served from memory, however fresh the feed is.
    passthrough: AtomicBool,
    control: Mutex<()>,
}

impl Feed {
    /// Creates a feed that has not begun. `bound` is the staleness bound.
    pub(crate) fn new(bound: Duration, numbers: Arc<EpochCounter>) -> Self {
        Self {
            bound,
            fresh_until: AtomicU64::new(0),
            epoch: AtomicU32::new(0),
            numbers,
            begun: AtomicU64::new(0),
            passthrough: AtomicBool::new(false),
            control: Mutex::new(()),
        }
    }

    /// Returns the staleness bound.
    pub fn bound(&self) -> Duration {
        self.bound
    }

    /// Begins an epoch: the connection is open, and no heartbeat has been answered on it.
    pub(crate) fn begin(&self) -> Epoch {
        let _control = self.control.lock();
        let epoch = self.numbers.next();
        self.fresh_until.store(0, Release);
        self.begun.fetch_add(1, Relaxed);
        self.epoch.store(epoch, Release);
        Epoch(epoch)
    }

    /// Records that a heartbeat sent at `sent` was answered. Has no effect once the epoch is over.
    pub fn heartbeat(&self, epoch: Epoch, sent: Moment) {
        let _control = self.control.lock();
        if self.is_current(epoch) {
            let until = sent.plus(self.bound).as_nanos();
            self.fresh_until.store(until.max(self.fresh_until.load(Relaxed)), Release);
        }
    }

    /// Declares that the feed cannot be cut, because every change passes through this process.
    pub fn always_fresh(&self, epoch: Epoch) {
        self.heartbeat(epoch, Moment::NEVER);
    }

    /// Ends an epoch: nothing filled in it is served again. Returns false if it had ended before.
    pub(crate) fn end(&self, epoch: Epoch) -> bool {
        let _control = self.control.lock();
        let is_current = self.is_current(epoch);
        if is_current {
            self.fresh_until.store(0, Release);
            self.epoch.store(self.numbers.next(), Release);
        }
        is_current
    }

    /// Returns the current epoch, if a heartbeat has been answered in it.
    pub(crate) fn current(&self) -> Option<Epoch> {
        self.is_live().then(|| Epoch(self.epoch.load(Acquire)))
    }

    /// Whether a heartbeat has been answered in the current epoch. Otherwise nothing is cached, and
    /// nothing that was cached is served.
    pub fn is_live(&self) -> bool {
        self.fresh_until.load(Acquire) != 0
    }

    /// Whether `epoch` is the current one.
    pub fn is_current(&self, epoch: Epoch) -> bool {
        self.epoch.load(Acquire) == epoch.0
    }

    /// Returns the view from which entries are judged at `now`; `None` when the feed is older than
    /// the bound or pass-through is on, and nothing may be served from memory.
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

    /// Returns why there is no [`Feed::read_view`].
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

    /// Returns the view from which the sweep judges entries, whether the feed is fresh or not.
    pub(crate) fn sweep_view(&self, now: Moment) -> ReadView {
        ReadView { now, epoch: self.epoch.load(Acquire) }
    }

    /// Returns the time since the newest answered heartbeat was sent; `None` when none was answered
    /// in this epoch.
    pub fn age(&self, now: Moment) -> Option<Duration> {
        let fresh_until = Moment::from_nanos(self.fresh_until.load(Acquire));
        match fresh_until {
            Moment::START => None,
            Moment::NEVER => Some(Duration::ZERO),
            until => Some(now.since(until.minus(self.bound))),
        }
    }

    /// Returns how many epochs have begun.
    pub fn epochs_begun(&self) -> u64 {
        self.begun.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    const BOUND: Duration = Duration::from_secs(1);
    const TICK: Duration = Duration::from_nanos(1);

    fn feed() -> Feed {
        Feed::new(BOUND, Arc::default())
    }

    #[test]
    fn freshness_lasts_from_the_sending_of_a_heartbeat_until_the_bound() {
        let (feed, clock) = (feed(), Clock::manual());
        let sent = clock.now();
        let epoch = feed.begin();
        assert!(feed.read_view(sent).is_none(), "no heartbeat was answered");
        feed.heartbeat(epoch, sent);
        assert!(feed.read_view(sent.plus(BOUND).minus(TICK)).is_some());
        assert!(feed.read_view(sent.plus(BOUND)).is_none());
        assert_eq!(feed.age(sent.plus(BOUND)), Some(BOUND));
    }

    #[test]
    fn a_late_heartbeat_suspends_the_epoch_and_does_not_end_it() {
        let (feed, clock) = (feed(), Clock::manual());
        let epoch = feed.begin();
        feed.heartbeat(epoch, clock.now());
        clock.advance(BOUND * 3);
        assert!(feed.read_view(clock.now()).is_none());
        feed.heartbeat(epoch, clock.now().minus(BOUND / 2));
        assert!(feed.read_view(clock.now()).is_some());
        assert!(feed.is_current(epoch));
    }

    #[test]
    fn answers_out_of_order_do_not_shorten_freshness() {
        let (feed, clock) = (feed(), Clock::manual());
        let epoch = feed.begin();
        feed.heartbeat(epoch, clock.now());
        feed.heartbeat(epoch, clock.now().minus(BOUND));
        assert!(feed.read_view(clock.now()).is_some());
    }

    #[test]
    fn an_ended_epoch_is_not_revived() {
        let (feed, clock) = (feed(), Clock::manual());
        let first = feed.begin();
        feed.heartbeat(first, clock.now());
        assert!(feed.end(first));
        assert!(!feed.end(first), "it had ended");
        feed.heartbeat(first, clock.now());
        assert!(feed.read_view(clock.now()).is_none());
        let second = feed.begin();
        assert_ne!(first, second);
        feed.heartbeat(first, clock.now());
        assert!(
            feed.read_view(clock.now()).is_none(),
            "a heartbeat of the old epoch has no effect"
        );
        feed.heartbeat(second, clock.now());
        assert_eq!(feed.read_view(clock.now()).map(|view| view.epoch), Some(second.0));
        assert_eq!(feed.epochs_begun(), 2);
    }

    #[test]
    fn a_feed_that_cannot_be_cut_is_always_fresh() {
        let feed = feed();
        let epoch = feed.begin();
        feed.always_fresh(epoch);
        let late = Clock::manual().now().plus(Duration::from_secs(1 << 30));
        assert!(feed.read_view(late).is_some());
        assert_eq!(feed.age(late), Some(Duration::ZERO));
    }

    #[test]
    fn feeds_that_share_a_counter_never_share_an_epoch() {
        let (numbers, now) = (Arc::default(), Clock::manual().now());
        let feeds = [Feed::new(BOUND, Arc::clone(&numbers)), Feed::new(BOUND, numbers)];
        let begin = |feed: &Feed| {
            let epoch = feed.begin();
            feed.heartbeat(epoch, now);
            epoch
        };
        let [one, other] = feeds.each_ref().map(begin);
        assert_ne!(one, other);
        assert!(
            !feeds[1].is_current(one) && !feeds[1].end(one),
            "it is an epoch of the other feed"
        );
        assert!(feeds[0].end(one));
        assert_eq!(feeds[1].read_view(now).map(|view| view.epoch), Some(other.0));
        let again = begin(&feeds[0]);
        assert!(again != one && again != other && !feeds[1].is_current(again));
    }
}
