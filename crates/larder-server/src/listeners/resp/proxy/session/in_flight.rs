//! The keys that the unanswered commands of a client touch. A read of any other key may be answered
//! before them, although its reply waits for theirs.

use std::collections::VecDeque;

/// Names that may be in flight. While there are more, reads go upstream.
const NAMES_MAX: usize = 256;

/// See the [module](self). A name is represented by its hash: a collision sends a read upstream in
/// vain.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    /// What the commands touch that were sent upstream, in their order.
    upstream: VecDeque<u64>,
    /// What the reads touch that are fetched, in their order.
    fetched: VecDeque<u64>,
    /// Commands that may touch any key, or change how the client reads.
    anything: usize,
}

/// What a command touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Touched {
    /// This many names.
    Names(usize),
    /// Any key, or the state of the client.
    Anything,
}

/// Whether a read may be fetched before earlier commands are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FetchTurn {
    /// Nothing in flight touches its names.
    Any,
    /// A name is being fetched already: the second reply must not be older than the first.
    AfterFetches,
    /// It has to go upstream, behind a command that touches a name, or because too many names are
    /// in flight.
    Upstream,
}

impl InFlight {
    /// Returns whether a read of any key may be answered from memory.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.upstream.is_empty() && self.fetched.is_empty()
    }

    /// Returns whether a read of some keys may be answered before earlier commands.
    #[inline]
    pub(super) fn permits_reads(&self) -> bool {
        self.anything == 0
    }

    /// Returns whether an unanswered command touches the name with this hash.
    pub(crate) fn touches(&self, name: u64) -> bool {
        self.upstream.contains(&name) || self.fetched.contains(&name)
    }

    /// Returns whether a read that touches the name with this hash is being fetched.
    pub(super) fn fetches(&self, name: u64) -> bool {
        self.fetched.contains(&name)
    }

    /// Returns whether any read is being fetched.
    pub(super) fn has_fetches(&self) -> bool {
        !self.fetched.is_empty()
    }

    /// Records a command that goes upstream; `None` if it may touch anything.
    pub(super) fn sent(&mut self, names: Option<impl Iterator<Item = u64>>) -> Touched {
        let before = self.upstream.len();
        if let Some(names) = names {
            self.upstream.extend(names.take(NAMES_MAX + 1 - before));
            if self.upstream.len() <= NAMES_MAX {
                return Touched::Names(self.upstream.len() - before);
            }
            self.upstream.truncate(before);
        }
        self.anything += 1;
        Touched::Anything
    }

    /// Records the reply to the oldest command that went upstream.
    pub(super) fn answered(&mut self, touched: Touched) {
        match touched {
            Touched::Names(names) => drop(self.upstream.drain(..names)),
            Touched::Anything => self.anything -= 1,
        }
    }

    /// Returns how a read of these names may be fetched.
    pub(super) fn fetch_turn(&self, names: &[u64]) -> FetchTurn {
        let has_room = self.fetched.len() + names.len() <= NAMES_MAX;
        if !self.permits_reads()
            || !has_room
            || names.iter().any(|name| self.upstream.contains(name))
        {
            return FetchTurn::Upstream;
        }
        match names.iter().any(|name| self.fetched.contains(name)) {
            true => FetchTurn::AfterFetches,
            false => FetchTurn::Any,
        }
    }

    /// Records a fetch of these names.
    pub(super) fn fetch_started(&mut self, names: &[u64]) {
        self.fetched.extend(names);
    }

    /// Records the end of the oldest fetch, which was of this many names.
    pub(super) fn fetch_ended(&mut self, names: usize) {
        self.fetched.drain(..names);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send(in_flight: &mut InFlight, names: &[u64]) -> Touched {
        in_flight.sent(Some(names.iter().copied()))
    }

    #[test]
    fn a_name_is_in_flight_until_its_last_command_is_answered() {
        let mut in_flight = InFlight::default();
        let sent = [&[1][..], &[], &[2, 1]].map(|names| send(&mut in_flight, names));
        assert!(in_flight.touches(1) && in_flight.touches(2) && !in_flight.touches(3));
        in_flight.answered(sent[0]);
        in_flight.answered(sent[1]);
        assert!(in_flight.touches(1) && in_flight.touches(2));
        in_flight.answered(sent[2]);
        assert!(in_flight.is_empty());
    }

    #[test]
    fn a_command_that_may_touch_anything_permits_no_reads() {
        let mut in_flight = InFlight::default();
        let sent = in_flight.sent(None::<std::iter::Empty<u64>>);
        assert!(!in_flight.permits_reads());
        assert_eq!(in_flight.fetch_turn(&[1]), FetchTurn::Upstream);
        in_flight.answered(sent);
        assert!(in_flight.permits_reads());
    }

    #[test]
    fn past_the_bound_reads_go_upstream() {
        let mut in_flight = InFlight::default();
        let names: Vec<u64> = (0..NAMES_MAX as u64).collect();
        let full = send(&mut in_flight, &names);
        assert!(in_flight.permits_reads());
        let beyond = send(&mut in_flight, &[7, 8]);
        assert!(!in_flight.permits_reads());
        assert_eq!(in_flight.upstream.len(), NAMES_MAX, "the names past the bound are not held");
        in_flight.answered(full);
        assert!(!in_flight.permits_reads());
        in_flight.answered(beyond);
        assert!(in_flight.permits_reads() && in_flight.is_empty());

        in_flight.fetch_started(&names);
        assert_eq!(in_flight.fetch_turn(&[1]), FetchTurn::Upstream);
        in_flight.fetch_ended(1);
        assert_eq!(in_flight.fetch_turn(&[0]), FetchTurn::Any);
        assert_eq!(in_flight.fetch_turn(&[1]), FetchTurn::AfterFetches);
        assert_eq!(in_flight.fetch_turn(&[300, 301]), FetchTurn::Upstream);
    }
}
