//! The order in which the keys of a family are asked for, and which of them are written.

use std::ops::Range;
use std::sync::Arc;

/// Numbers of keys, one after the other, and what is done with each.
#[derive(Clone, Debug)]
pub struct Order {
    numbers: Numbers,
    writes_percent: u64,
    /// Draws which ones are written. Of their own, so that the keys are the same without writes.
    draws: Random,
}

#[derive(Clone, Debug)]
enum Numbers {
    /// Any of the first so many, each as likely as the others.
    Random(u64, Random),
    /// These in turn, from this place on, and then from the beginning.
    Again(Arc<[u32]>, usize),
    /// Each of these once.
    Once(Range<u64>),
}

impl Order {
    /// Random ones of the first `count`, in a sequence that depends on `seed` alone.
    pub const fn random(count: u64, seed: u64) -> Self {
        Self::of(Numbers::Random(count, Random(seed)), seed)
    }

    /// These over and over, beginning at a place among them.
    pub const fn again(numbers: Arc<[u32]>, place: usize) -> Self {
        Self::of(Numbers::Again(numbers, place), place as u64)
    }

    /// Each of these once.
    pub const fn once(numbers: Range<u64>) -> Self {
        Self::of(Numbers::Once(numbers), 0)
    }

    const fn of(numbers: Numbers, seed: u64) -> Self {
        Self { numbers, writes_percent: 0, draws: Random(!seed) }
    }

    /// The same keys, of which so many in a hundred are written instead of read, drawn by lot.
    #[must_use]
    pub fn writing(self, percent: u64) -> Self {
        Self { writes_percent: percent, ..self }
    }

    /// The next number, or `None` when all had their turn.
    pub(crate) fn next(&mut self) -> Option<u64> {
        match &mut self.numbers {
            Numbers::Random(count, random) => Some(random.below(*count)),
            Numbers::Again(numbers, place) => {
                *place = if *place < numbers.len() { *place } else { 0 };
                let number = numbers.get(*place).copied();
                *place += 1;
                number.map(u64::from)
            }
            Numbers::Once(numbers) => numbers.next(),
        }
    }

    /// Whether the next one is written.
    pub(crate) fn is_write(&mut self) -> bool {
        self.writes_percent > 0 && self.draws.below(100) < self.writes_percent
    }

    /// How many are left, as far as there is an end.
    pub(crate) fn left(&self) -> u64 {
        match &self.numbers {
            Numbers::Once(numbers) => numbers.end.saturating_sub(numbers.start),
            Numbers::Random(..) | Numbers::Again(..) => u64::MAX,
        }
    }
}

/// `SplitMix64`: every seed is good, and it costs next to nothing.
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
        let mut order = Order::random(10, 1);
        let mut seen = [0_u32; 10];
        for _ in 0..10_000 {
            seen[usize::try_from(order.next().unwrap()).unwrap()] += 1;
        }
        assert!(seen.iter().all(|count| (850..1150).contains(count)), "{seen:?}");
    }

    #[test]
    fn each_key_has_one_turn() {
        let mut order = Order::once(4..6);
        assert_eq!([order.next(), order.next(), order.next()], [Some(4), Some(5), None]);
        assert_eq!(order.left(), 0);
    }

    #[test]
    fn a_list_begins_anew() {
        let mut order = Order::again([7, 8, 9].into(), 2);
        let seen: Vec<_> = (0..5).filter_map(|_| order.next()).collect();
        assert_eq!(seen, [9, 7, 8, 9, 7]);
    }

    #[test]
    fn one_in_ten_is_written_and_not_always_the_same_one() {
        let mut order = Order::random(10, 3).writing(10);
        let mut writes = [0_u32; 10];
        for _ in 0..10_000 {
            let number = usize::try_from(order.next().unwrap()).unwrap();
            writes[number] += u32::from(order.is_write());
        }
        assert!(writes.iter().all(|count| (60..140).contains(count)), "{writes:?}");
        assert!((900..1100).contains(&writes.iter().sum::<u32>()), "{writes:?}");
        let mut reads = Order::random(10, 3);
        assert!((0..1000).all(|_| !reads.is_write()));
    }
}
