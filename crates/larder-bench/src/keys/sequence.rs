//! The order in which keys are requested, and which of them are written.

use std::ops::Range;
use std::sync::Arc;

/// A sequence of key numbers, each to be read or written.
#[derive(Clone, Debug)]
pub struct KeySequence {
    numbers: Numbers,
    writes_percent: u64,
    /// Chooses which keys are written. Independent of the keys, which are the same without writes.
    write_choices: Random,
}

#[derive(Clone, Debug)]
enum Numbers {
    /// Random numbers below a bound, all equally likely.
    Random(u64, Random),
    /// A list that is repeated, and the next position in it.
    Repeat(Arc<[u32]>, usize),
    /// Each number of a range once.
    Once(Range<u64>),
}

impl KeySequence {
    /// Returns random numbers below `count`, which depend on `seed` alone.
    pub const fn random(count: u64, seed: u64) -> Self {
        Self::of(Numbers::Random(count, Random(seed)), seed)
    }

    /// Returns a list repeatedly, starting at a position in it.
    pub const fn repeat(numbers: Arc<[u32]>, position: usize) -> Self {
        Self::of(Numbers::Repeat(numbers, position), position as u64)
    }

    /// Returns each number of a range once.
    pub const fn once(numbers: Range<u64>) -> Self {
        Self::of(Numbers::Once(numbers), 0)
    }

    const fn of(numbers: Numbers, seed: u64) -> Self {
        Self { numbers, writes_percent: 0, write_choices: Random(!seed) }
    }

    /// Makes a random `percent` of the keys writes instead of reads.
    #[must_use]
    pub fn writing(self, percent: u64) -> Self {
        Self { writes_percent: percent, ..self }
    }

    /// Returns the next number, or `None` at the end.
    #[expect(clippy::should_implement_trait, reason = "a sequence is not iterated to its end")]
    pub fn next(&mut self) -> Option<u64> {
        match &mut self.numbers {
            Numbers::Random(count, random) => Some(random.below(*count)),
            Numbers::Repeat(numbers, position) => {
                *position = if *position < numbers.len() { *position } else { 0 };
                let number = numbers.get(*position).copied();
                *position += 1;
                number.map(u64::from)
            }
            Numbers::Once(numbers) => numbers.next(),
        }
    }

    /// Whether the next key is written.
    pub(crate) fn is_write(&mut self) -> bool {
        self.writes_percent > 0 && self.write_choices.below(100) < self.writes_percent
    }

    /// Returns how many numbers are left; `u64::MAX` without an end.
    pub(crate) fn left(&self) -> u64 {
        match &self.numbers {
            Numbers::Once(numbers) => numbers.end.saturating_sub(numbers.start),
            Numbers::Random(..) | Numbers::Repeat(..) => u64::MAX,
        }
    }
}

/// `SplitMix64`: cheap, and good with every seed.
#[derive(Clone, Debug)]
struct Random(u64);

impl Random {
    fn below(&mut self, count: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed >> 32) * count) >> 32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_keys_are_spread_evenly() {
        let mut sequence = KeySequence::random(10, 1);
        let mut seen = [0_u32; 10];
        for _ in 0..10_000 {
            seen[usize::try_from(sequence.next().unwrap()).unwrap()] += 1;
        }
        assert!(seen.iter().all(|count| (850..1150).contains(count)), "{seen:?}");
    }

    #[test]
    fn a_range_is_returned_once() {
        let mut sequence = KeySequence::once(4..6);
        assert_eq!([sequence.next(), sequence.next(), sequence.next()], [Some(4), Some(5), None]);
        assert_eq!(sequence.left(), 0);
    }

    #[test]
    fn a_list_repeats() {
        let mut sequence = KeySequence::repeat([7, 8, 9].into(), 2);
        let seen: Vec<_> = (0..5).filter_map(|_| sequence.next()).collect();
        assert_eq!(seen, [9, 7, 8, 9, 7]);
    }

    #[test]
    fn writes_are_spread_over_the_keys() {
        let mut sequence = KeySequence::random(10, 3).writing(10);
        let mut writes = [0_u32; 10];
        for _ in 0..10_000 {
            let number = usize::try_from(sequence.next().unwrap()).unwrap();
            writes[number] += u32::from(sequence.is_write());
        }
        assert!(writes.iter().all(|count| (60..140).contains(count)), "{writes:?}");
        assert!((900..1100).contains(&writes.iter().sum::<u32>()), "{writes:?}");
        let mut reads = KeySequence::random(10, 3);
        assert!((0..1000).all(|_| !reads.is_write()));
    }
}
