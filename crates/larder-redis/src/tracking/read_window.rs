//! How many reads may be sent before their replies have arrived.
//!
//! Invalidations, fences and heartbeats wait behind every reply that Redis has still to send, and
//! without an answer to a heartbeat within the staleness bound nothing is served from memory. So only
//! as many reads are sent as have, together, replies of about [`OUTSTANDING_BYTES_MAX`]. How large a
//! reply will be is not known before it arrives: the estimate follows the replies that have arrived,
//! and is pessimistic after a pause.

/// Bytes of replies that may be outstanding: a third of a second on a network of 100 Mbit/s.
const OUTSTANDING_BYTES_MAX: usize = 4 << 20;
/// The least estimate after a pause: it lets 32 reads go out.
const FIRST_ESTIMATE_MIN: usize = OUTSTANDING_BYTES_MAX / 32;
/// The least estimate: it lets 1024 reads go out, which is enough for 100,000 reads a second at a
/// round trip of ten milliseconds. Were there more, they might all turn out to be large.
const ESTIMATE_MIN: usize = OUTSTANDING_BYTES_MAX / 1024;
/// Each reply moves the estimate towards its size by this part of the difference.
const WEIGHT: usize = 8;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct ReadWindow {
    /// Keys whose values have not arrived.
    outstanding: usize,
    /// The expected size of a value, in bytes.
    estimate: usize,
}

impl ReadWindow {
    pub(super) fn new() -> Self {
        Self { outstanding: 0, estimate: FIRST_ESTIMATE_MIN }
    }

    /// Returns whether another read, of this many keys, may be sent. One always may.
    pub(super) fn has_room(&self, keys: usize) -> bool {
        self.outstanding == 0
            || (self.outstanding + keys).saturating_mul(self.estimate) <= OUTSTANDING_BYTES_MAX
    }

    pub(super) fn sent(&mut self, keys: usize) {
        self.outstanding += keys;
    }

    /// Forgets that replies were small, if none is outstanding. To be called now and then: after
    /// every reply would halve the reads per write of clients that all wait for one reply each.
    pub(super) fn rest(&mut self) {
        if self.outstanding == 0 {
            self.estimate = self.estimate.max(FIRST_ESTIMATE_MIN);
        }
    }

    /// Records a reply of this size to a read of this many keys.
    pub(super) fn answered(&mut self, keys: usize, bytes: usize) {
        self.outstanding = self.outstanding.saturating_sub(keys);
        let estimate = self.estimate - self.estimate / WEIGHT + bytes / keys.max(1) / WEIGHT;
        self.estimate = estimate.max(ESTIMATE_MIN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends as many reads as there is room for. Returns how many are outstanding.
    fn fill(window: &mut ReadWindow) -> usize {
        while window.has_room(1) {
            window.sent(1);
        }
        window.outstanding
    }

    fn answer(window: &mut ReadWindow, replies: usize, bytes: usize) {
        (0..replies).for_each(|_| window.answered(1, bytes));
    }

    #[test]
    fn replies_that_are_outstanding_stay_within_the_limit() {
        let mut window = ReadWindow::new();
        assert_eq!(fill(&mut window), 32);
        answer(&mut window, 31, 1 << 20);
        assert_eq!(fill(&mut window), 4);
        answer(&mut window, 3, 100 << 20);
        assert_eq!(fill(&mut window), 1, "one read is always sent");
        answer(&mut window, 1, 100 << 20);
        assert_eq!(fill(&mut window), 1);
    }

    #[test]
    fn small_replies_open_the_window_within_one_round_trip() {
        let mut window = ReadWindow::new();
        fill(&mut window);
        answer(&mut window, 31, 100);
        assert_eq!(fill(&mut window), 1024);
    }

    #[test]
    fn after_a_pause_few_reads_are_sent_at_first() {
        let mut window = ReadWindow::new();
        fill(&mut window);
        answer(&mut window, 31, 100);
        window.rest();
        answer(&mut window, 1, 100);
        assert_eq!(fill(&mut window), 1024, "a reply was outstanding");
        answer(&mut window, 1024, 100);
        window.rest();
        assert_eq!(fill(&mut window), 32);
    }

    #[test]
    fn a_read_of_several_keys_counts_as_several_reads() {
        let mut window = ReadWindow::new();
        window.sent(20);
        assert!(window.has_room(12) && !window.has_room(13));
        window.answered(20, 20 * FIRST_ESTIMATE_MIN);
        assert!(window.has_room(1000), "one is always sent");
        window.sent(1000);
        assert!(!window.has_room(1));
    }
}
