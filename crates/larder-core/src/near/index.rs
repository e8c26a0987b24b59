//! The index of a shard: a hash table from fingerprints to locations. A location is the number of a
//! node or of a ghost.
//!
//! A bucket has eight bytes, so that most lookups touch one cache line of the table. It holds the
//! fingerprint and nothing else of the name, and each fingerprint occurs once: a second name with
//! the same one replaces the first. The caller compares the name itself.
//!
//! Collisions are resolved by linear probing. The buckets are in the order of their fingerprints,
//! with empty ones between them: this is linear probing sort, and equals Robin Hood hashing. A
//! search therefore ends at the first bucket that is not smaller, whether or not it finds what it
//! seeks. An empty bucket is larger than every other one. A removal leaves no tombstone: the
//! buckets behind it shift back.

pub(super) struct Index {
    /// The home buckets, and a few more for the entries that overflow the last ones. The last
    /// bucket is always empty.
    buckets: Vec<Bucket>,
    /// The number of buckets at which a search can begin.
    homes: usize,
    /// The number of fingerprints.
    len: usize,
}

/// The fingerprint in the upper half, the location in the lower one.
type Bucket = u64;

/// No location is so large.
const EMPTY: Bucket = Bucket::MAX;
/// The home buckets of the smallest table.
const HOMES_MIN: usize = 16;
/// Buckets that a search compares in one step: half a cache line.
const BUCKETS_PER_STEP: usize = 4;
/// Buckets beyond the home buckets of a new table.
const OVERFLOW_BUCKETS: usize = 8;

impl Index {
    pub(super) fn new() -> Self {
        Self { buckets: vec![EMPTY], homes: 0, len: 0 }
    }

    #[inline]
    pub(super) fn get(&self, fingerprint: u32) -> Option<u32> {
        self.find(fingerprint).map(|(_, bucket)| location_of(bucket))
    }

    /// Reads the bucket at which the search for a fingerprint begins, so that it is in the
    /// processor's cache.
    #[inline]
    pub(super) fn home_bucket(&self, fingerprint: u32) -> u64 {
        self.bucket(self.home(fingerprint))
    }

    /// Changes the location of a fingerprint, if the index has it.
    pub(super) fn change(&mut self, fingerprint: u32, location: u32) {
        if let Some((at, _)) = self.find(fingerprint) {
            self.replace(at, bucket_of(fingerprint, location));
        }
    }

    /// Inserts a fingerprint that the index does not have.
    pub(super) fn insert(&mut self, fingerprint: u32, location: u32) {
        // At a load factor of two thirds at most, a lookup takes two steps on average, and an
        // insertion shifts few buckets.
        if self.len * 3 >= self.homes * 2 {
            self.grow();
        }
        self.len += 1;
        let mut bucket = bucket_of(fingerprint, location);
        let mut at = self.lower_bound(bucket);
        // The buckets up to the next empty one shift forward.
        while bucket != EMPTY {
            bucket = self.replace(at, bucket);
            at += 1;
        }
        if at == self.buckets.len() {
            self.buckets.reserve_exact(OVERFLOW_BUCKETS);
            self.buckets.push(EMPTY);
        }
    }

    pub(super) fn remove(&mut self, fingerprint: u32) {
        if let Some((at, _)) = self.find(fingerprint) {
            self.remove_at(at);
        }
    }

    /// Removes a fingerprint if this is its location. Returns whether it was.
    pub(super) fn remove_from(&mut self, fingerprint: u32, location: u32) -> bool {
        let found = self.find(fingerprint).filter(|&(_, bucket)| location_of(bucket) == location);
        if let Some((at, _)) = found {
            self.remove_at(at);
        }
        found.is_some()
    }

    /// Empties a bucket. The buckets behind it shift back, but not beyond their homes.
    fn remove_at(&mut self, mut hole: usize) {
        self.len -= 1;
        loop {
            let bucket = self.bucket(hole + 1);
            if bucket == EMPTY || self.home(fingerprint_of(bucket)) > hole {
                break;
            }
            self.replace(hole, bucket);
            hole += 1;
        }
        self.replace(hole, EMPTY);
    }

    #[inline]
    fn find(&self, fingerprint: u32) -> Option<(usize, Bucket)> {
        let at = self.lower_bound(bucket_of(fingerprint, 0));
        let bucket = self.bucket(at);
        (fingerprint_of(bucket) == fingerprint && bucket != EMPTY).then_some((at, bucket))
    }

    /// Returns the position of the first bucket that is not smaller than `bucket`.
    ///
    /// From its home on, the smaller buckets come first, so this counts them, several in one step.
    /// That avoids branches that a processor cannot predict.
    #[inline]
    fn lower_bound(&self, bucket: Bucket) -> usize {
        let mut at = self.home(fingerprint_of(bucket));
        while let Some(step) =
            self.buckets.get(at..).and_then(<[Bucket]>::first_chunk::<BUCKETS_PER_STEP>)
        {
            let smaller = step.iter().filter(|&&other| other < bucket).count();
            at += smaller;
            if smaller < BUCKETS_PER_STEP {
                return at;
            }
        }
        while self.bucket(at) < bucket {
            at += 1;
        }
        at
    }

    fn grow(&mut self) {
        let occupied = self.buckets.iter().copied().filter(|&bucket| bucket != EMPTY);
        self.homes = (self.homes / 2 * 3).max(HOMES_MIN);
        let mut buckets = Vec::with_capacity(self.homes + OVERFLOW_BUCKETS);
        for bucket in occupied {
            let at = buckets.len().max(home(fingerprint_of(bucket), self.homes));
            buckets.resize(at, EMPTY);
            buckets.push(bucket);
        }
        buckets.resize((self.homes + OVERFLOW_BUCKETS).max(buckets.len() + 1), EMPTY);
        self.buckets = buckets;
    }

    #[inline]
    fn home(&self, fingerprint: u32) -> usize {
        home(fingerprint, self.homes)
    }

    #[inline]
    fn bucket(&self, at: usize) -> Bucket {
        self.buckets.get(at).copied().unwrap_or(EMPTY)
    }

    /// Stores a bucket, and returns the one that was there.
    fn replace(&mut self, at: usize, bucket: Bucket) -> Bucket {
        self.buckets.get_mut(at).map_or(EMPTY, |old| std::mem::replace(old, bucket))
    }
}

/// Returns the position at which the search for a fingerprint begins. Homes are in the order of the
/// fingerprints, spread evenly over the table.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "it is less than the length")]
fn home(fingerprint: u32, homes: usize) -> usize {
    ((u128::from(fingerprint) * homes as u128) >> 32) as usize
}

fn bucket_of(fingerprint: u32, location: u32) -> Bucket {
    Bucket::from(fingerprint) << 32 | Bucket::from(location)
}

fn fingerprint_of(bucket: Bucket) -> u32 {
    (bucket >> 32) as u32
}

#[allow(clippy::cast_possible_truncation, reason = "the lower half is wanted")]
fn location_of(bucket: Bucket) -> u32 {
    bucket as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        #[test]
        fn it_behaves_like_a_map(
            ops in prop::collection::vec((0..200_u32, any::<bool>()), 0..600),
        ) {
            let (mut index, mut model) = (Index::new(), HashMap::new());
            for (location, (fingerprint, inserts)) in ops.into_iter().enumerate() {
                // Half of them at the end of the table, so that it overflows.
                let fingerprint = match fingerprint % 2 {
                    0 => u32::MAX - fingerprint,
                    _ => fingerprint << 20,
                };
                if inserts {
                    let location = u32::try_from(location).unwrap();
                    match model.insert(fingerprint, location) {
                        None => index.insert(fingerprint, location),
                        Some(_) => index.change(fingerprint, location),
                    }
                } else if let Some(location) = model.get(&fingerprint).filter(|it| *it % 2 == 0) {
                    prop_assert!(!index.remove_from(fingerprint, location + 1));
                    prop_assert!(index.remove_from(fingerprint, *location));
                    model.remove(&fingerprint);
                } else {
                    index.remove(fingerprint);
                    model.remove(&fingerprint);
                }
                prop_assert_eq!(index.get(fingerprint), model.get(&fingerprint).copied());
                prop_assert_eq!(index.len, model.len());
            }
            for (fingerprint, location) in model {
                prop_assert_eq!(index.get(fingerprint), Some(location));
            }
        }
    }
}
