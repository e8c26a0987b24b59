//! Rounds in which everybody has a turn, and what is made of their figures.
//!
//! Within a round all answer the same load within the same few seconds, so what else the machine
//! does hits all of them, and figures are compared within the round. The order turns by one place
//! each time, so that nobody always follows the same neighbour.

use std::io;

use serde::{Deserialize, Serialize};

use crate::numbers::{median, spread};

/// One of those that are compared, under one load.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Row<C, W, S> {
    /// The load.
    pub case: C,
    /// Who was measured.
    #[serde(alias = "server")]
    pub who: W,
    /// One per round that counts, in order.
    pub samples: Vec<S>,
}

impl<C: PartialEq, W: Copy + PartialEq, S> Row<C, W, S> {
    /// The median of a figure over the rounds.
    pub fn median(&self, figure: impl Fn(&S) -> f64) -> f64 {
        median(self.samples.iter().map(figure))
    }

    /// The median of this figure against that of another one in the same round.
    pub fn against(&self, other: &Self, figure: impl Fn(&S) -> f64) -> f64 {
        let pairs = self.samples.iter().zip(&other.samples);
        median(pairs.map(|(own, others)| figure(own) / figure(others)))
    }

    /// How far the rounds lie apart in a figure, as a part of the median.
    pub fn spread_of(&self, figure: impl Fn(&S) -> f64) -> f64 {
        spread(&self.samples.iter().map(figure).collect::<Vec<_>>())
    }

    /// Somebody else's row under the same load.
    pub(crate) fn peer<'a>(&self, rows: &[&'a Self], who: W) -> Option<&'a Self> {
        rows.iter().copied().find(|other| other.who == who && other.case == self.case)
    }
}

/// Those that take part in a case, each with its name.
pub(crate) type Members<W, M> = Vec<(W, M)>;

/// Measures every member of every case, round by round. The first round is dropped: it warms up
/// everything that can be warm.
pub(crate) fn interleave<C: Copy, W: Copy, M, S>(
    rounds: usize,
    cases: &[C],
    members: impl Fn(C) -> Members<W, M>,
    mut sample: impl FnMut(W, &M, C, usize) -> io::Result<S>,
) -> io::Result<Vec<Row<C, W, S>>> {
    let mut all = Vec::new();
    for &case in cases {
        let rows = members(case)
            .into_iter()
            .map(|(who, member)| (member, Row { case, who, samples: Vec::new() }));
        all.push(rows.collect::<Vec<_>>());
    }
    for round in 0..=rounds {
        for rows in &mut all {
            let turn = round % rows.len().max(1);
            let (last, first) = rows.split_at_mut(turn);
            for (member, row) in first.iter_mut().chain(last) {
                let sample = sample(row.who, member, row.case, round)?;
                if round > 0 {
                    row.samples.push(sample);
                }
            }
        }
    }
    Ok(all.into_iter().flatten().map(|(_, row)| row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(left: f64, right: f64) {
        assert!((left - right).abs() < 1e-9, "{left} is not {right}");
    }

    #[test]
    fn figures_are_compared_within_a_round() {
        // The machine was slow in the second round, for both.
        let slow = Row { case: (), who: "slow", samples: vec![5.0, 9.0, 5.0] };
        let fast = Row { case: (), who: "fast", samples: vec![4.0, 7.2, 4.0] };
        assert_close(fast.against(&slow, |figure| *figure), 0.8);
        assert_close(slow.median(|figure| *figure), 5.0);
        assert_close(slow.spread_of(|figure| *figure), 0.8);
        assert_eq!(fast.peer(&[&fast, &slow], "slow").map(|row| row.who), Some("slow"));
    }

    #[test]
    fn everybody_has_a_turn_in_each_round_and_the_first_one_is_dropped() {
        let mut turns = Vec::new();
        let members = |case: char| match case {
            'a' => vec![(1, ()), (2, ())],
            _ => vec![(2, ())],
        };
        let rows = interleave(2, &['a', 'b'], members, |who, (), case, round| {
            turns.push((round, case, who));
            Ok(round)
        });
        let first = [(0, 'a', 1), (0, 'a', 2), (0, 'b', 2)];
        let second = [(1, 'a', 2), (1, 'a', 1), (1, 'b', 2)];
        assert_eq!(turns[..6], [first, second].concat());
        let rows = rows.unwrap();
        let seen: Vec<_> = rows.iter().map(|row| (row.case, row.who, &row.samples[..])).collect();
        assert_eq!(seen, [('a', 1, &[1, 2][..]), ('a', 2, &[1, 2]), ('b', 2, &[1, 2])]);
    }
}
