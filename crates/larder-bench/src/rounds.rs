//! Interleaved rounds, and the statistics over them.
//!
//! Within a round all subjects run the same load within the same few seconds, so that other work on
//! the machine affects all of them. Ratios are computed within a round. The order rotates by one
//! position per round, so that no subject always follows the same neighbour.

use std::io;

use serde::{Deserialize, Serialize};

use crate::numbers::{median, spread};

/// The samples of one subject under one load.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Row<C, S, M> {
    /// The load.
    pub case: C,
    /// The server or cache that was measured.
    pub subject: S,
    /// One sample per round, in order.
    pub samples: Vec<M>,
}

impl<C: PartialEq, S: Copy + PartialEq, M> Row<C, S, M> {
    /// Returns the median of a figure over the rounds.
    pub fn median(&self, figure: impl Fn(&M) -> f64) -> f64 {
        median(self.samples.iter().map(figure))
    }

    /// Returns the median of the ratios, round by round, of a figure to that of another row.
    pub fn ratio_to(&self, other: &Self, figure: impl Fn(&M) -> f64) -> f64 {
        let pairs = self.samples.iter().zip(&other.samples);
        median(pairs.map(|(own, others)| figure(own) / figure(others)))
    }

    /// Returns the distance of the extreme rounds in a figure, as a fraction of the median.
    pub fn spread_of(&self, figure: impl Fn(&M) -> f64) -> f64 {
        spread(&self.samples.iter().map(figure).collect::<Vec<_>>())
    }

    /// Finds the row of another subject under the same load.
    pub(crate) fn row_of<'a>(&self, rows: &[&'a Self], subject: S) -> Option<&'a Self> {
        rows.iter().copied().find(|other| other.subject == subject && other.case == self.case)
    }
}

/// The subjects of a case, each with what is needed to measure it.
pub type Members<S, T> = Vec<(S, T)>;

/// Measures every subject of every case, round by round. Drops the first round, which warms up
/// caches, connections and allocators.
pub fn interleave<C: Copy, S: Copy, T, M>(
    rounds: usize,
    cases: &[C],
    members: impl Fn(C) -> Members<S, T>,
    mut sample: impl FnMut(S, &T, C, usize) -> io::Result<M>,
) -> io::Result<Vec<Row<C, S, M>>> {
    let mut all = Vec::new();
    for &case in cases {
        let rows = members(case)
            .into_iter()
            .map(|(subject, member)| (member, Row { case, subject, samples: Vec::new() }));
        all.push(rows.collect::<Vec<_>>());
    }
    for round in 0..=rounds {
        for rows in &mut all {
            let offset = round % rows.len().max(1);
            let (last, first) = rows.split_at_mut(offset);
            for (member, row) in first.iter_mut().chain(last) {
                let sample = sample(row.subject, member, row.case, round)?;
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
    fn ratios_are_computed_within_a_round() {
        // The machine was slow in the second round, for both subjects.
        let slow = Row { case: (), subject: "slow", samples: vec![5.0, 9.0, 5.0] };
        let fast = Row { case: (), subject: "fast", samples: vec![4.0, 7.2, 4.0] };
        assert_close(fast.ratio_to(&slow, |figure| *figure), 0.8);
        assert_close(slow.median(|figure| *figure), 5.0);
        assert_close(slow.spread_of(|figure| *figure), 0.8);
        assert_eq!(fast.row_of(&[&fast, &slow], "slow").map(|row| row.subject), Some("slow"));
    }

    #[test]
    fn every_subject_is_measured_in_each_round_and_the_first_round_is_dropped() {
        let mut calls = Vec::new();
        let members = |case: char| match case {
            'a' => vec![(1, ()), (2, ())],
            _ => vec![(2, ())],
        };
        let rows = interleave(2, &['a', 'b'], members, |subject, (), case, round| {
            calls.push((round, case, subject));
            Ok(round)
        });
        let first = [(0, 'a', 1), (0, 'a', 2), (0, 'b', 2)];
        let second = [(1, 'a', 2), (1, 'a', 1), (1, 'b', 2)];
        assert_eq!(calls[..6], [first, second].concat());
        let rows = rows.unwrap();
        let seen: Vec<_> =
            rows.iter().map(|row| (row.case, row.subject, &row.samples[..])).collect();
        assert_eq!(seen, [('a', 1, &[1, 2][..]), ('a', 2, &[1, 2]), ('b', 2, &[1, 2])]);
    }
}
