//! How often each key is asked for.

use serde::{Deserialize, Serialize};

use crate::keys::Order;

/// How many reads there are before the same ones come again.
pub(crate) const ORDER_READS: usize = 1 << 20;
/// How much more often the first key is asked for than the second one, and so on: YCSB's.
const ZIPF_EXPONENT: f64 = 0.99;
/// Has no divisor in common with the numbers of keys.
const STRIDE: u64 = 7_368_787;

/// How often each key is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pick {
    /// A few are asked for most of the time.
    Zipf,
    /// One as often as the other.
    #[default]
    Uniform,
}

impl Pick {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Zipf, Self::Uniform];

    /// The numbers that a thread asks for, in order: all below `keys`.
    pub(crate) fn order(self, keys: u32, thread: usize) -> Vec<u32> {
        let mut random = Order::random(u64::from(u32::MAX), thread as u64);
        let numbers = std::iter::from_fn(move || random.next());
        match self {
            Self::Uniform => {
                let scaled = |part: u64| (part * u64::from(keys)) >> 32;
                numbers.map(scaled).map(narrow).take(ORDER_READS).collect()
            }
            Self::Zipf => {
                let zipf = Zipf::new(keys);
                numbers.map(|part| zipf.number(part)).take(ORDER_READS).collect()
            }
        }
    }
}

/// Ranks whose chances fall as their powers, each with the key that has the rank.
struct Zipf {
    /// The chance of a rank or one before it.
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

    /// The key for a random number of 32 bits. Neighbours in rank are none in memory: the ranks go
    /// to the keys by a stride.
    fn number(&self, random: u64) -> u32 {
        let part = f64::from(narrow(random)) / f64::from(u32::MAX);
        let point = part * self.sums.last().copied().unwrap_or_default();
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

    fn counts(pick: Pick, keys: u32) -> Vec<u32> {
        let mut counts = vec![0; keys as usize];
        pick.order(keys, 1).into_iter().for_each(|number| counts[number as usize] += 1);
        counts
    }

    #[test]
    fn uniform_reads_are_spread_evenly() {
        let counts = counts(Pick::Uniform, 1000);
        assert!(counts.iter().all(|count| (800..1300).contains(count)), "{counts:?}");
    }

    #[test]
    fn the_second_key_has_half_the_reads_of_the_first() {
        let mut counts = counts(Pick::Zipf, 1000);
        counts.sort_by(|one, other| other.cmp(one));
        let part = |rank: usize| f64::from(counts[rank - 1]) / f64::from(counts[0]);
        for rank in [2_u32, 10, 100] {
            let (seen, due) = (part(rank as usize), f64::from(rank).powf(-ZIPF_EXPONENT));
            assert!((seen / due - 1.0).abs() < 0.1, "rank {rank}: {seen} instead of {due}");
        }
        assert_eq!(counts.len(), 1000);
        assert!(counts.iter().all(|count| *count > 0), "keys that are never read");
    }

    #[test]
    fn threads_ask_in_orders_of_their_own() {
        assert_ne!(Pick::Uniform.order(1000, 0), Pick::Uniform.order(1000, 1));
        assert_eq!(Pick::Zipf.order(1000, 1), Pick::Zipf.order(1000, 1));
    }
}
