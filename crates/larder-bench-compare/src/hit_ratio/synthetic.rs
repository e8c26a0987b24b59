//! Synthetic traces, for runs without real ones. Each shows one strength or weakness of a policy.

use larder_bench::keys::Distribution;

use crate::hit_ratio::trace::Trace;

/// The keys of the zipf distribution.
const KEYS: u32 = 50_000;
const READS: usize = 300_000;
/// How many reads pass before other keys become popular, and the distance to those.
const READS_PER_SHIFT: usize = 30_000;
const SHIFT: u32 = 7_919;
/// How many reads pass between two scans, and how many keys a scan has, which are read once.
const READS_PER_SCAN: usize = 20_000;
const SCAN_KEYS: u32 = 5_000;
/// The keys of the loop.
const LOOP_KEYS: u32 = 1_000;
const LOOP_READS: usize = 100_000;

/// A synthetic trace.
#[derive(Debug)]
pub(super) struct SyntheticTrace {
    name: &'static str,
    /// The capacities to replay it with.
    sizes: &'static [u32],
    generate: fn() -> Vec<u32>,
}

const SIZES: &[u32] = &[500, 2000, 8000];

/// All synthetic traces.
pub(super) const SYNTHETIC: [SyntheticTrace; 4] = [
    SyntheticTrace { name: "zipf", sizes: SIZES, generate: zipf },
    SyntheticTrace { name: "zipf, shifting", sizes: SIZES, generate: shifting },
    SyntheticTrace { name: "zipf, scans", sizes: SIZES, generate: scans },
    SyntheticTrace { name: "loop", sizes: &[250, 500, 750], generate: repeated_loop },
];

impl SyntheticTrace {
    /// Generates the trace.
    pub(super) fn generate(&self) -> Trace {
        Trace { name: self.name, sizes: self.sizes, reads: (self.generate)() }
    }
}

fn zipf() -> Vec<u32> {
    let mut reads = Distribution::Zipf.sequence(KEYS, 0);
    reads.truncate(READS);
    reads
}

fn shifting() -> Vec<u32> {
    let shifted = |(number, keys): (u32, &[u32])| {
        let offset = number * SHIFT;
        keys.iter().map(move |key| (key + offset) % KEYS).collect::<Vec<_>>()
    };
    (0..).zip(zipf().chunks(READS_PER_SHIFT)).flat_map(shifted).collect()
}

fn scans() -> Vec<u32> {
    let scanned = |(number, keys): (u32, &[u32])| {
        let first = KEYS + number * SCAN_KEYS;
        keys.iter().copied().chain(first..first + SCAN_KEYS).collect::<Vec<_>>()
    };
    (0..).zip(zipf().chunks(READS_PER_SCAN)).flat_map(scanned).collect()
}

fn repeated_loop() -> Vec<u32> {
    (0..LOOP_KEYS).cycle().take(LOOP_READS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_trace_has_its_shape() {
        let [zipf, shifting, scans, repeated] = SYNTHETIC.map(|trace| trace.generate().reads);
        assert_eq!(zipf.len(), READS);
        assert_eq!(zipf[..READS_PER_SHIFT], shifting[..READS_PER_SHIFT]);
        assert_ne!(zipf[READS_PER_SHIFT..], shifting[READS_PER_SHIFT..]);
        assert!(shifting.iter().all(|key| *key < KEYS));
        let scanned: Vec<_> = scans.iter().filter(|key| **key >= KEYS).collect();
        assert_eq!(scanned.len(), READS / READS_PER_SCAN * SCAN_KEYS as usize);
        assert_eq!(scanned.iter().collect::<HashSet<_>>().len(), scanned.len(), "once each");
        assert_eq!(repeated[..3], [0, 1, 2]);
        assert_eq!(repeated[LOOP_KEYS as usize], 0);
    }
}
