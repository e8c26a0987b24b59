//! How many reads of a client are fetched before it has the replies to earlier ones. Their replies
//! wait in memory, so this bounds what one client can make Larder hold.

/// Keys fetched before any reply has shown how large the replies are.
const KEYS_FIRST: usize = 32;
/// Further keys for each that was answered: a long pipeline waits for two round trips, not for one.
const KEYS_PER_ANSWER: usize = 16;
/// Keys fetched at a time. What is in memory is looked up again when a reply before it arrives, so the
/// longer that takes, the more often it was invalidated meanwhile.
const KEYS_MAX: usize = 512;
/// Bytes of replies that may wait. One reply more may be larger, and so may those to the first keys.
const BYTES_SOFT_MAX: usize = 4 << 20;

#[derive(Default)]
pub(super) struct ReadAhead {
    /// Keys that are being fetched, or whose replies wait.
    pending: usize,
    /// Keys answered since none was pending.
    answered: usize,
    /// Bytes of the largest recent reply, for each of its keys.
    largest: usize,
}

impl ReadAhead {
    /// Returns whether it is time to start more reads: half of the room is free. So they are sent
    /// many at a time.
    pub(super) fn wants_more(&self) -> bool {
        self.pending <= self.keys_max() / 2
    }

    pub(super) fn has_room(&self) -> bool {
        self.pending < self.keys_max()
    }

    pub(super) fn started(&mut self, keys: usize) {
        self.pending += keys;
    }

    /// Records a reply of this size.
    pub(super) fn answered(&mut self, keys: usize, bytes: usize) {
        self.pending = self.pending.saturating_sub(keys);
        // The next ones may be of another kind.
        self.answered = if self.pending == 0 { 0 } else { self.answered + keys };
        self.largest = (self.largest - self.largest / 8).max(bytes / keys.max(1));
    }

    fn keys_max(&self) -> usize {
        let by_bytes = BYTES_SOFT_MAX.checked_div(self.largest).unwrap_or(usize::MAX);
        (KEYS_FIRST + KEYS_PER_ANSWER * self.answered).min(KEYS_MAX).min(by_bytes).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Starts and answers reads with replies of this size. Returns the most that were pending.
    fn most_pending(reads: usize, bytes: usize) -> usize {
        let (mut ahead, mut started, mut most) = (ReadAhead::default(), 0, 0);
        for _ in 0..reads {
            while started < reads && ahead.has_room() {
                ahead.started(1);
                started += 1;
            }
            most = most.max(ahead.pending);
            ahead.answered(1, bytes);
        }
        most
    }

    #[test]
    fn large_replies_are_fetched_few_at_a_time() {
        assert!(most_pending(1000, 2 << 20) <= KEYS_FIRST);
        let mut ahead = ReadAhead::default();
        ahead.answered(1, 2 << 20);
        assert_eq!(ahead.keys_max(), 2);
        ahead.answered(1, 512 << 20);
        assert_eq!(ahead.keys_max(), 1, "the next is fetched however large it may be");
    }

    #[test]
    fn small_replies_are_fetched_many_at_a_time() {
        assert_eq!(most_pending(1000, 100), KEYS_MAX);
    }
}
