//! Traces for where there are no real ones: each shows one thing that policies do well or badly.

use crate::hit_ratio::Play;
use crate::keys::Pick;

/// Keys that are asked for unevenly.
const KEYS: u32 = 50_000;
const READS: usize = 300_000;
/// Reads before other keys are the ones most asked for, and how far they lie.
const READS_PER_MOVE: usize = 30_000;
const MOVE: u32 = 7_919;
/// Reads between two scans, and keys in one, which nobody asks for again.
const READS_PER_SCAN: usize = 20_000;
const SCAN_KEYS: u32 = 5_000;
/// Keys that are asked for one after the other, again and again.
const LOOP_KEYS: u32 = 1_000;
const LOOP_READS: usize = 100_000;

/// A trace that is made here.
#[derive(Debug)]
pub(super) struct MadeUp {
    name: &'static str,
    /// Entries with which caches are compared.
    sizes: &'static [u32],
    make: fn() -> Vec<u32>,
}

const SIZES: &[u32] = &[500, 2000, 8000];

/// All of them.
pub(super) const MADE_UP: [MadeUp; 4] = [
    MadeUp { name: "zipf", sizes: SIZES, make: zipf },
    MadeUp { name: "zipf, moving", sizes: SIZES, make: moving },
    MadeUp { name: "zipf, scans", sizes: SIZES, make: scans },
    MadeUp { name: "loop", sizes: &[250, 500, 750], make: turns },
];

impl MadeUp {
    /// To be played.
    pub(super) fn play(&self) -> Play {
        Play { name: self.name, sizes: self.sizes, reads: (self.make)() }
    }
}

fn zipf() -> Vec<u32> {
    let mut reads = Pick::Zipf.order(KEYS, 0);
    reads.truncate(READS);
    reads
}

fn moving() -> Vec<u32> {
    let moved = |(number, keys): (u32, &[u32])| {
        let by = number * MOVE;
        keys.iter().map(move |key| (key + by) % KEYS).collect::<Vec<_>>()
    };
    (0..).zip(zipf().chunks(READS_PER_MOVE)).flat_map(moved).collect()
}

fn scans() -> Vec<u32> {
    let scanned = |(number, keys): (u32, &[u32])| {
        let first = KEYS + number * SCAN_KEYS;
        keys.iter().copied().chain(first..first + SCAN_KEYS).collect::<Vec<_>>()
    };
    (0..).zip(zipf().chunks(READS_PER_SCAN)).flat_map(scanned).collect()
}

fn turns() -> Vec<u32> {
    (0..LOOP_KEYS).cycle().take(LOOP_READS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_is_what_its_name_says() {
        let [zipf, moving, scans, turns] = MADE_UP.map(|trace| trace.play().reads);
        assert_eq!(zipf.len(), READS);
        assert_eq!(zipf[..READS_PER_MOVE], moving[..READS_PER_MOVE]);
        assert_ne!(zipf[READS_PER_MOVE..], moving[READS_PER_MOVE..]);
        assert!(moving.iter().all(|key| *key < KEYS));
        let scanned: Vec<_> = scans.iter().filter(|key| **key >= KEYS).collect();
        assert_eq!(scanned.len(), READS / READS_PER_SCAN * SCAN_KEYS as usize);
        assert_eq!(scanned.iter().collect::<HashSet<_>>().len(), scanned.len(), "once each");
        assert_eq!(turns[..3], [0, 1, 2]);
        assert_eq!(turns[LOOP_KEYS as usize], 0);
    }
}
