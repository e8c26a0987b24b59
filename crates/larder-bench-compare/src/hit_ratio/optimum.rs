//! The optimal policy, which knows the future: Belady's MIN (1966), which may also skip an
//! insertion.

use std::collections::{BTreeSet, HashMap};

/// The position of the next read of a key that is never read again.
const NEVER: usize = usize::MAX;

/// Returns the maximum number of hits that a cache with `entries` entries can have.
pub(super) fn optimum(numbers: &[u32], entries: usize) -> u64 {
    let mut cached = Cached::default();
    let mut hits = 0;
    for ((at, number), next) in numbers.iter().enumerate().zip(next_reads(numbers)) {
        hits += u64::from(cached.take(at, *number));
        // Evicts the key whose next read is the latest, and never inserts one without a next read.
        if next != NEVER {
            cached.0.insert((next, *number));
        }
        if cached.0.len() > entries {
            cached.0.pop_last();
        }
    }
    hits
}

/// The cached keys, ordered by the position of their next read.
#[derive(Default)]
struct Cached(BTreeSet<(usize, u32)>);

impl Cached {
    /// Removes the key that is read now, if it is cached.
    fn take(&mut self, now: usize, number: u32) -> bool {
        self.0.remove(&(now, number))
    }
}

/// Returns, for each read, the position of the next read of the same key.
fn next_reads(numbers: &[u32]) -> Vec<usize> {
    let mut last = HashMap::new();
    let backwards = numbers.iter().enumerate().rev();
    let mut next: Vec<_> =
        backwards.map(|(at, number)| last.insert(*number, at).unwrap_or(NEVER)).collect();
    next.reverse();
    next
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_bench::keys::KeySequence;

    /// Tries every eviction at each miss, that of the new key included.
    fn brute_force(numbers: &[u32], entries: usize, cached: &[u32]) -> u64 {
        let Some((number, rest)) = numbers.split_first() else { return 0 };
        if cached.contains(number) {
            return 1 + brute_force(rest, entries, cached);
        }
        let all: Vec<u32> = cached.iter().chain([number]).copied().collect();
        if all.len() <= entries {
            return brute_force(rest, entries, &all);
        }
        let without = |evicted: u32| all.iter().copied().filter(|it| *it != evicted).collect();
        let choices = all
            .iter()
            .map(|key| brute_force(rest, entries, &Vec::<u32>::from_iter::<Vec<_>>(without(*key))));
        choices.max().unwrap_or_default()
    }

    #[test]
    fn the_optimum_equals_that_of_brute_force() {
        let mut random = KeySequence::random(1 << 20, 3);
        for case in 0..400_u32 {
            let (entries, keys) = (1 + case as usize % 3, 3 + u64::from(case) % 4);
            let mut number = || u32::try_from(random.next().unwrap() % keys).unwrap();
            let numbers: Vec<u32> = (0..10).map(|_| number()).collect();
            let (found, expected) =
                (optimum(&numbers, entries), brute_force(&numbers, entries, &[]));
            assert_eq!(found, expected, "{numbers:?} with {entries} entries");
        }
    }

    #[test]
    fn an_insertion_may_be_skipped() {
        // With one entry, 1 stays cached while 2 and 3 are read.
        assert_eq!(optimum(&[1, 2, 1, 3, 1], 1), 2);
        assert_eq!(optimum(&[1, 2, 3, 1, 2, 3], 2), 2);
        assert_eq!(optimum(&[1, 1, 1], 0), 0);
    }
}
