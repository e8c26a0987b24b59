//! The rules that a test has set, and the impairments that result for one direction of a
//! connection.

use std::mem::discriminant;
use std::time::Duration;

/// Selects the connections to which a rule applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionFilter {
    /// Every connection.
    All,
    /// Connections whose client has sent this text (case-sensitive), starting with the bytes that
    /// complete it. `Sent("TRACKING")` is Larder's tracked connection.
    Sent(&'static str),
    /// Connections whose client has not sent this text so far.
    NotSent(&'static str),
}

/// A direction of traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client (Larder) to the server (Redis).
    ToServer,
    /// From the server (Redis) to the client (Larder).
    ToClient,
    /// Both directions.
    Both,
}

impl Direction {
    pub(super) fn covers(self, other: Self) -> bool {
        self == Self::Both || self == other
    }
}

/// One change to the traffic.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    Delay(Duration),
    Hold(bool),
    Drop,
    Trickle(usize),
}

/// A change, and where it applies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    pub(super) filter: ConnectionFilter,
    pub(super) direction: Direction,
    pub(super) change: Change,
}

/// All rules in force, oldest first. If two contradict each other, the newer one wins.
#[derive(Debug, Default)]
pub(super) struct Rules(Vec<Rule>);

impl Rules {
    pub(super) fn add(&mut self, rule: Rule) {
        let same = |old: &Rule| {
            (old.filter, old.direction) == (rule.filter, rule.direction)
                && discriminant(&old.change) == discriminant(&rule.change)
        };
        self.0.retain(|old| !same(old));
        self.0.push(rule);
    }

    pub(super) fn heal(&mut self) {
        self.0.retain(|rule| !matches!(rule.change, Change::Drop));
    }

    /// Returns the impairments for `direction` of a connection, given which filters match it.
    pub(super) fn impairments(
        &self,
        direction: Direction,
        mut matched: impl FnMut(ConnectionFilter) -> bool,
    ) -> Impairments {
        let mut impairments = Impairments::default();
        for rule in self.0.iter().filter(|rule| rule.direction.covers(direction)) {
            if matched(rule.filter) {
                impairments.apply(rule.change);
            }
        }
        impairments
    }
}

/// What happens to the bytes of one direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Impairments {
    pub(super) delay: Duration,
    pub(super) held: bool,
    pub(super) dropped: bool,
    pub(super) bytes_per_write: usize,
}

impl Default for Impairments {
    fn default() -> Self {
        Self { delay: Duration::ZERO, held: false, dropped: false, bytes_per_write: usize::MAX }
    }
}

impl Impairments {
    fn apply(&mut self, change: Change) {
        match change {
            Change::Delay(delay) => self.delay = delay,
            Change::Hold(held) => self.held = held,
            Change::Drop => self.dropped = true,
            Change::Trickle(bytes) => self.bytes_per_write = bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(filter: ConnectionFilter, direction: Direction, held: bool) -> Rule {
        Rule { filter, direction, change: Change::Hold(held) }
    }

    fn held(rules: &Rules, direction: Direction, sent: &str) -> bool {
        let matched = |filter| match filter {
            ConnectionFilter::All => true,
            ConnectionFilter::Sent(text) => text == sent,
            ConnectionFilter::NotSent(text) => text != sent,
        };
        rules.impairments(direction, matched).held
    }

    #[test]
    fn the_newest_rule_that_matches_wins() {
        let mut rules = Rules::default();
        rules.add(hold(ConnectionFilter::All, Direction::Both, true));
        rules.add(hold(ConnectionFilter::Sent("a"), Direction::ToClient, false));
        assert!(!held(&rules, Direction::ToClient, "a"));
        assert!(held(&rules, Direction::ToServer, "a"));
        assert!(held(&rules, Direction::ToClient, "b"));

        rules.add(hold(ConnectionFilter::All, Direction::Both, true));
        assert!(held(&rules, Direction::ToClient, "a"), "a repeated rule becomes the newest");
    }

    #[test]
    fn heal_ends_only_black_holes() {
        let mut rules = Rules::default();
        rules.add(hold(ConnectionFilter::All, Direction::Both, true));
        rules.add(Rule {
            filter: ConnectionFilter::All,
            direction: Direction::Both,
            change: Change::Drop,
        });
        rules.heal();
        let impairments = rules.impairments(Direction::ToServer, |_| true);
        assert!(impairments.held && !impairments.dropped);
    }
}
