//! How reads are spread over the keys.

use serde::{Deserialize, Serialize};

use crate::keys::KeySequence;

/// The length of a sequence of reads, which is then repeated.
pub const SEQUENCE_READS: usize = 1 << 20;
/// The exponent of the zipf distribution, the same as in YCSB.
const ZIPF_EXPONENT: f64 = 0.99;
/// Coprime to the numbers of keys.
const STRIDE: u64 = 7_368_787;

/// How reads are spread over the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Distribution {
    /// A few keys have most of the reads.
    Zipf,
    /// All keys have equally many reads.
    #[default]
    Uniform,
}

impl Distribution {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Zipf, Self::Uniform];

    /// Returns the key numbers that a thread reads, in order. All are below `keys`.
    pub fn sequence(self, keys: u32, thread: usize) -> Vec<u32> {
        let mut random = KeySequence::random(u64::from(u32::MAX), thread as u64);
        let numbers = std::iter::from_fn(move || random.next());
        match self {
            Self::Uniform => {
                let scaled = |part: u64| (part * u64::from(keys)) >> 32;
                numbers.map(scaled).map(narrow).take(SEQUENCE_READS).collect()
            }
            Self::Zipf => {
                let zipf = Zipf::new(keys);
                numbers.map(|part| zipf.number(part)).take(SEQUENCE_READS).collect()
            }
        }
    }
}

/// Key numbers whose probability falls with a power of their rank.
struct Zipf {
    /// The cumulative weight of each rank.
    sums: Vec<f64>,
}

impl Zipf {
    fn new(keys: u32) -> Self {
        let mut sum = 0.0;
        let sums = (1..=keys).map(|rank| {
            sum += f64::from(rank).powf(-ZIPF_EXPONENT);
            sum
        });
        Self { sums: sums.collect() }
    }

    /// Maps a random number of 32 bits to a key. A stride maps ranks to keys, so that keys of
    /// neighbouring ranks are not neighbours in memory.
    fn number(&self, random: u64) -> u32 {
        let fraction = f64::from(narrow(random)) / f64::from(u32::MAX);
        let point = fraction * self.sums.last().copied().unwrap_or_default();
        let rank = self.sums.partition_point(|sum| *sum < point).min(self.sums.len() - 1);
        narrow(rank as u64 * STRIDE % self.sums.len() as u64)
    }
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(distribution: Distribution, keys: u32) -> Vec<u32> {
        let mut counts = vec![0; keys as usize];
        distribution.sequence(keys, 1).into_iter().for_each(|number| counts[number as usize] += 1);
        counts
    }

    #[test]
    fn uniform_reads_are_spread_evenly() {
        let counts = counts(Distribution::Uniform, 1000);
        assert!(counts.iter().all(|count| (800..1300).contains(count)), "{counts:?}");
    }

    #[test]
    fn the_second_key_has_half_the_reads_of_the_first() {
        let mut counts = counts(Distribution::Zipf, 1000);
        counts.sort_by(|one, other| other.cmp(one));
        let part = |rank: usize| f64::from(counts[rank - 1]) / f64::from(counts[0]);
        for rank in [2_u32, 10, 100] {
            let (seen, due) = (part(rank as usize), f64::from(rank).powf(-ZIPF_EXPONENT));
            assert!((seen / due - 1.0).abs() < 0.1, "rank {rank}: {seen} instead of {due}");
        }
        assert_eq!(counts.len(), 1000);
        assert!(counts.iter().all(|count| *count > 0), "some keys are never read");
    }

    #[test]
    fn every_thread_has_its_own_sequence() {
        assert_ne!(
            Distribution::Uniform.sequence(1000, 0),
            Distribution::Uniform.sequence(1000, 1)
        );
        assert_eq!(Distribution::Zipf.sequence(1000, 1), Distribution::Zipf.sequence(1000, 1));
    }
}
