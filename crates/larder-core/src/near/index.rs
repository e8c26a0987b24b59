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
    words: Vec<Word>,
    /// Where searches begin: below this.
    homes: usize,
    taken: usize,
}

/// The lower half is the place, the upper one the tag.
type Word = u64;

/// No place is that far.
const GAP: Word = Word::MAX;
/// Homes of the smallest table.
const HOMES_MIN: usize = 16;
/// Words that are compared at once: half a cache line.
const AT_ONCE: usize = 4;
/// Words behind the homes, at first.
const WORDS_BEHIND: usize = 8;

impl Index {
    pub(super) fn new() -> Self {
        Self { words: vec![GAP], homes: 0, taken: 0 }
    }

    #[inline]
    pub(super) fn get(&self, tag: u32) -> Option<u32> {
        self.find(tag).map(|(_, word)| place_of(word))
    }

    /// Where the search for a tag begins: what is there, for a look-up that comes soon.
    #[inline]
    pub(super) fn first_word(&self, tag: u32) -> u64 {
        self.word(self.home(tag))
    }

    /// Says that what has this tag stands elsewhere now, if anything has.
    pub(super) fn change(&mut self, tag: u32, place: u32) {
        if let Some((at, _)) = self.find(tag) {
            self.put(at, word_of(tag, place));
        }
    }

    /// Says where what has this tag stands. Nothing else may have it.
    pub(super) fn insert(&mut self, tag: u32, place: u32) {
        // Two thirds full at most: a look-up then takes two steps on average, and an insertion moves
        // few others.
        if self.taken * 3 >= self.homes * 2 {
            self.grow();
        }
        self.taken += 1;
        let mut word = word_of(tag, place);
        let mut at = self.from(word);
        // Those up to the next gap make room.
        while word != GAP {
            word = self.put(at, word);
            at += 1;
        }
        if at == self.words.len() {
            self.words.reserve_exact(WORDS_BEHIND);
            self.words.push(GAP);
        }
    }

    pub(super) fn remove(&mut self, tag: u32) {
        if let Some((at, _)) = self.find(tag) {
            self.remove_at(at);
        }
    }

    /// Removes a tag if it stands there. Says whether it did.
    pub(super) fn remove_from(&mut self, tag: u32, place: u32) -> bool {
        let found = self.find(tag).filter(|&(_, word)| place_of(word) == place);
        if let Some((at, _)) = found {
            self.remove_at(at);
        }
        found.is_some()
    }

    /// Those behind it move up as far as to their homes.
    fn remove_at(&mut self, mut hole: usize) {
        self.taken -= 1;
        loop {
            let word = self.word(hole + 1);
            if word == GAP || self.home(tag_of(word)) > hole {
                break;
            }
            self.put(hole, word);
            hole += 1;
        }
        self.put(hole, GAP);
    }

    #[inline]
    fn find(&self, tag: u32) -> Option<(usize, Word)> {
        let at = self.from(word_of(tag, 0));
        let word = self.word(at);
        (tag_of(word) == tag && word != GAP).then_some((at, word))
    }

    /// The first that is no smaller than a word.
    ///
    /// From its home on smaller ones come first, so that they can be counted, a few at once: which of
    /// them ends the search is more than a processor can guess.
    #[inline]
    fn from(&self, word: Word) -> usize {
        let mut at = self.home(tag_of(word));
        while let Some(few) = self.words.get(at..).and_then(<[Word]>::first_chunk::<AT_ONCE>) {
            let smaller = few.iter().filter(|&&other| other < word).count();
            at += smaller;
            if smaller < AT_ONCE {
                return at;
            }
        }
        while self.word(at) < word {
            at += 1;
        }
        at
    }

    fn grow(&mut self) {
        let taken = self.words.iter().copied().filter(|&word| word != GAP);
        self.homes = (self.homes / 2 * 3).max(HOMES_MIN);
        let mut words = Vec::with_capacity(self.homes + WORDS_BEHIND);
        for word in taken {
            let at = words.len().max(home(tag_of(word), self.homes));
            words.resize(at, GAP);
            words.push(word);
        }
        words.resize((self.homes + WORDS_BEHIND).max(words.len() + 1), GAP);
        self.words = words;
    }

    #[inline]
    fn home(&self, tag: u32) -> usize {
        home(tag, self.homes)
    }

    #[inline]
    fn word(&self, at: usize) -> Word {
        self.words.get(at).copied().unwrap_or(GAP)
    }

    fn put(&mut self, at: usize, word: Word) -> Word {
        self.words.get_mut(at).map_or(GAP, |old| std::mem::replace(old, word))
    }
}

/// Where the search for a tag begins: tags in order, spread over the table.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "it is less than the length")]
fn home(tag: u32, homes: usize) -> usize {
    ((u128::from(tag) * homes as u128) >> 32) as usize
}

fn word_of(tag: u32, place: u32) -> Word {
    Word::from(tag) << 32 | Word::from(place)
}

fn tag_of(word: Word) -> u32 {
    (word >> 32) as u32
}

#[allow(clippy::cast_possible_truncation, reason = "the lower half is wanted")]
fn place_of(word: Word) -> u32 {
    word as u32
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
            for (place, (tag, is_set)) in ops.into_iter().enumerate() {
                // Many at the end, so that words stand behind all homes.
                let tag = if tag % 2 == 0 { u32::MAX - tag } else { tag << 20 };
                if is_set {
                    let place = u32::try_from(place).unwrap();
                    match model.insert(tag, place) {
                        None => index.insert(tag, place),
                        Some(_) => index.change(tag, place),
                    }
                } else if let Some(place) = model.get(&tag).filter(|place| *place % 2 == 0) {
                    prop_assert!(!index.remove_from(tag, place + 1));
                    prop_assert!(index.remove_from(tag, *place));
                    model.remove(&tag);
                } else {
                    index.remove(tag);
                    model.remove(&tag);
                }
                prop_assert_eq!(index.get(tag), model.get(&tag).copied());
                prop_assert_eq!(index.taken, model.len());
            }
            for (tag, place) in model {
                prop_assert_eq!(index.get(tag), Some(place));
            }
        }
    }
}
