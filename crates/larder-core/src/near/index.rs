//! Where things stand, by the tag of a name: a hash table of eight-byte words, so that the usual
//! look-up touches one cache line of it.
//!
//! A word is a tag and a place. The tag is all that is known of a name here, and each stands here
//! once: two names with one tag take turns. Who looks compares the name itself.
//!
//! Open addressing with linear steps, in which all words stand in the order of their tags, gaps
//! between them (linear probing sort; Robin Hood hashing comes to the same). So a search ends at
//! the first word that is no smaller, whether what it seeks is there or not, and a gap is larger
//! than every word. What is removed leaves no mark: those behind it move up.

pub(super) struct Index {
    /// The last one is always a gap. Some more than `homes`, for those that stand behind their own.
    buckets: Vec<Bucket>,
    /// Where searches begin: below this.
    homes: usize,
    len: usize,
}

/// The lower half is the place, the upper one the tag.
type Bucket = u64;

/// No place is that far.
const EMPTY: Bucket = Bucket::MAX;
/// Homes of the smallest table.
const HOMES_MIN: usize = 16;
/// Words that are compared at once: half a cache line.
const BUCKETS_PER_STEP: usize = 4;
/// Words behind the homes, at first.
const OVERFLOW_BUCKETS: usize = 8;

impl Index {
    pub(super) fn new() -> Self {
        Self { buckets: vec![EMPTY], homes: 0, len: 0 }
    }

    #[inline]
    pub(super) fn get(&self, fingerprint: u32) -> Option<u32> {
        self.find(fingerprint).map(|(_, bucket)| location_of(bucket))
    }

    /// Where the search for a tag begins: what is there, for a look-up that comes soon.
    #[inline]
    pub(super) fn home_bucket(&self, fingerprint: u32) -> u64 {
        self.bucket(self.home(fingerprint))
    }

    /// Says that what has this tag stands elsewhere now, if anything has.
    pub(super) fn change(&mut self, fingerprint: u32, location: u32) {
        if let Some((at, _)) = self.find(fingerprint) {
            self.put(at, bucket_of(fingerprint, location));
        }
    }

    /// Says where what has this tag stands. Nothing else may have it.
    pub(super) fn insert(&mut self, fingerprint: u32, location: u32) {
        // Two thirds full at most: a look-up then takes two steps on average, and an insertion moves
        // few others.
        if self.len * 3 >= self.homes * 2 {
            self.grow();
        }
        self.len += 1;
        let mut bucket = bucket_of(fingerprint, location);
        let mut at = self.lower_bound(bucket);
        // Those up to the next gap make room.
        while bucket != EMPTY {
            bucket = self.put(at, bucket);
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

    /// Removes a tag if it stands there. Says whether it did.
    pub(super) fn remove_from(&mut self, fingerprint: u32, location: u32) -> bool {
        let found = self.find(fingerprint).filter(|&(_, bucket)| location_of(bucket) == location);
        if let Some((at, _)) = found {
            self.remove_at(at);
        }
        found.is_some()
    }

    /// Those behind it move up as far as to their homes.
    fn remove_at(&mut self, mut hole: usize) {
        self.len -= 1;
        loop {
            let bucket = self.bucket(hole + 1);
            if bucket == EMPTY || self.home(fingerprint_of(bucket)) > hole {
                break;
            }
            self.put(hole, bucket);
            hole += 1;
        }
        self.put(hole, EMPTY);
    }

    #[inline]
    fn find(&self, fingerprint: u32) -> Option<(usize, Bucket)> {
        let at = self.lower_bound(bucket_of(fingerprint, 0));
        let bucket = self.bucket(at);
        (fingerprint_of(bucket) == fingerprint && bucket != EMPTY).then_some((at, bucket))
    }

    /// The first that is no smaller than a word.
    ///
    /// From its home on smaller ones come first, so that they can be counted, a few at once: which of
    /// them ends the search is more than a processor can guess.
    #[inline]
    fn lower_bound(&self, bucket: Bucket) -> usize {
        let mut at = self.home(fingerprint_of(bucket));
        while let Some(few) =
            self.buckets.get(at..).and_then(<[Bucket]>::first_chunk::<BUCKETS_PER_STEP>)
        {
            let smaller = few.iter().filter(|&&other| other < bucket).count();
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
        let len = self.buckets.iter().copied().filter(|&bucket| bucket != EMPTY);
        self.homes = (self.homes / 2 * 3).max(HOMES_MIN);
        let mut buckets = Vec::with_capacity(self.homes + OVERFLOW_BUCKETS);
        for bucket in len {
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

    fn put(&mut self, at: usize, bucket: Bucket) -> Bucket {
        self.buckets.get_mut(at).map_or(EMPTY, |old| std::mem::replace(old, bucket))
    }
}

/// Where the search for a tag begins: tags in order, spread over the table.
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
        fn it_is_a_map(ops in prop::collection::vec((0..200_u32, any::<bool>()), 0..600)) {
            let (mut index, mut model) = (Index::new(), HashMap::new());
            for (location, (fingerprint, is_set)) in ops.into_iter().enumerate() {
                // Many at the end, so that words stand behind all homes.
                let fingerprint = if fingerprint % 2 == 0 { u32::MAX - fingerprint } else { fingerprint << 20 };
                if is_set {
                    let location = u32::try_from(location).unwrap();
                    match model.insert(fingerprint, location) {
                        None => index.insert(fingerprint, location),
                        Some(_) => index.change(fingerprint, location),
                    }
                } else if let Some(location) = model.get(&fingerprint).filter(|location| *location % 2 == 0) {
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
