//! The best that anybody could do who knew the future: Belady's MIN (1966), which may also pass a
//! value by without keeping it.

use std::collections::{BTreeSet, HashMap};

/// That far away is a read that never comes.
const NEVER: usize = usize::MAX;

/// The most hits that so many entries can give in these reads.
pub(super) fn optimum(numbers: &[u32], entries: usize) -> u64 {
    let mut kept = Kept::default();
    let mut hits = 0;
    for ((at, number), next) in numbers.iter().enumerate().zip(next_reads(numbers)) {
        hits += u64::from(kept.take(at, *number));
        // Whoever is read again latest, or never, is not worth a place.
        if next != NEVER {
            kept.0.insert((next, *number));
        }
        if kept.0.len() > entries {
            kept.0.pop_last();
        }
    }
    hits
}

/// Keys with the time of their next read.
#[derive(Default)]
struct Kept(BTreeSet<(usize, u32)>);

impl Kept {
    /// Takes out what is read now, if it is there.
    fn take(&mut self, now: usize, number: u32) -> bool {
        self.0.remove(&(now, number))
    }
}

/// For each read, when the same key is read again.
fn next_reads(numbers: &[u32]) -> Vec<usize> {
    let mut seen = HashMap::new();
    let backwards = numbers.iter().enumerate().rev();
    let mut next: Vec<_> =
        backwards.map(|(at, number)| seen.insert(*number, at).unwrap_or(NEVER)).collect();
    next.reverse();
    next
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Order;

    /// Tries everything: which one leaves at each miss, the newcomer among them.
    fn best(numbers: &[u32], entries: usize, kept: &[u32]) -> u64 {
        let Some((number, rest)) = numbers.split_first() else { return 0 };
        if kept.contains(number) {
            return 1 + best(rest, entries, kept);
        }
        let all: Vec<u32> = kept.iter().chain([number]).copied().collect();
        if all.len() <= entries {
            return best(rest, entries, &all);
        }
        let without = |left: u32| all.iter().copied().filter(|other| *other != left).collect();
        let choices = all
            .iter()
            .map(|left| best(rest, entries, &Vec::<u32>::from_iter::<Vec<_>>(without(*left))));
        choices.max().unwrap_or_default()
    }

    #[test]
    fn nothing_that_can_be_tried_is_better() {
        let mut random = Order::random(1 << 20, 3);
        for case in 0..400_u32 {
            let (entries, keys) = (1 + case as usize % 3, 3 + u64::from(case) % 4);
            let mut number = || u32::try_from(random.next().unwrap() % keys).unwrap();
            let numbers: Vec<u32> = (0..10).map(|_| number()).collect();
            let (found, due) = (optimum(&numbers, entries), best(&numbers, entries, &[]));
            assert_eq!(found, due, "{numbers:?} with {entries} entries");
        }
    }

    #[test]
    fn a_newcomer_may_be_passed_by() {
        // With one place: 1 stays while 2 and 3 pass.
        assert_eq!(optimum(&[1, 2, 1, 3, 1], 1), 2);
        assert_eq!(optimum(&[1, 2, 3, 1, 2, 3], 2), 2);
        assert_eq!(optimum(&[1, 1, 1], 0), 0);
    }
}
