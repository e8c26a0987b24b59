//! The interface through which caches are measured in one process, and Larder behind it.
//!
//! Each cache maps keys of any length to shared bytes. A read copies the value out, as a server
//! must before it sends it. `larder-bench-compare` implements [`Cache`] for other libraries, each
//! with the hasher, the locks and the shards that its authors chose.

mod cache;
mod engine;
mod entry;
mod near;

use std::ops::Range;

pub use cache::{Cache, Capacity, ReadCounts};
pub use engine::Larder;
pub use entry::{KEY_BYTES, Key, NUMBERS, Value, copy_value, key_of, value_of};
pub use near::NearCache;

/// How many keys [`fill`] inserts in one batch.
const FILL_BATCH: usize = 1024;

/// Inserts each of these keys, none of which is in the cache.
pub fn fill(cache: &dyn Cache, numbers: Range<u32>) {
    // In batches, not from a list of all: where memory is measured, nothing else may allocate.
    let mut batch = [0; FILL_BATCH];
    let mut next = numbers.start;
    while next < numbers.end {
        let filled = batch.iter_mut().zip(next..numbers.end);
        let count = filled.map(|(slot, number)| *slot = number).count();
        let batch = batch.get(..count).unwrap_or_default();
        cache.get_or_insert_batch(batch, &mut ReadCounts::default());
        next += u32::try_from(count).unwrap_or(u32::MAX);
    }
}

#[cfg(test)]
mod tests;
