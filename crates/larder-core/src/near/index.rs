//! Where things stand, by the tag of a name: a hash table of eight-byte words, so that the usual
//! look-up touches one cache line of it.
//!
//! A word is a tag and a place. The tag is all that is known of a name here, and each stands here
//! once: two names with one tag take turns. Who looks compares the name itself.
//!
//! Open addressing with linear steps; what is removed leaves no mark, those behind it move up.

pub(super) struct Index {
    words: Vec<Word>,
    taken: usize,
}

/// The lower half is the place, the upper one the tag.
type Word = u64;

/// No place is that far.
const EMPTY: Word = Word::MAX;
/// Words of the smallest table.
const WORDS_MIN: usize = 16;

impl Index {
    pub(super) fn new() -> Self {
        Self { words: Vec::new(), taken: 0 }
    }

    #[inline]
    pub(super) fn get(&self, tag: u32) -> Option<u32> {
        let at = self.find(tag)?;
        self.words.get(at).map(|&word| place_of(word))
    }

    /// Where the search for a tag begins: what is there, for a look-up that comes soon.
    #[inline]
    pub(super) fn first_word(&self, tag: u32) -> u64 {
        self.word(self.home(word_of(tag, 0)))
    }

    /// Says that what has this tag stands there now, whatever was said of it before.
    pub(super) fn set(&mut self, tag: u32, place: u32) {
        if let Some(word) = self.find(tag).and_then(|at| self.words.get_mut(at)) {
            *word = word_of(tag, place);
            return;
        }
        // Four fifths full at most: a look-up for what is there then takes three steps on average.
        if self.taken * 5 >= self.words.len() * 4 {
            self.grow();
        }
        self.add(word_of(tag, place));
        self.taken += 1;
    }

    pub(super) fn remove(&mut self, tag: u32) {
        let Some(mut hole) = self.find(tag) else { return };
        self.taken -= 1;
        let mut at = hole;
        loop {
            at = self.next(at);
            let word = self.word(at);
            if word == EMPTY {
                break;
            }
            // It may move up if its search begins at the hole or before.
            if self.distance(self.home(word), at) >= self.distance(hole, at) {
                self.put(hole, word);
                hole = at;
            }
        }
        self.put(hole, EMPTY);
    }

    #[inline]
    fn find(&self, tag: u32) -> Option<usize> {
        let mut at = self.home(word_of(tag, 0));
        loop {
            let word = *self.words.get(at)?;
            if tag_of(word) == tag && word != EMPTY {
                return Some(at);
            }
            if word == EMPTY {
                return None;
            }
            at = self.next(at);
        }
    }

    fn add(&mut self, word: Word) {
        let mut at = self.home(word);
        while self.word(at) != EMPTY {
            at = self.next(at);
        }
        self.put(at, word);
    }

    fn grow(&mut self) {
        let words = (self.words.len() / 2 * 3).max(WORDS_MIN);
        let old = std::mem::replace(&mut self.words, vec![EMPTY; words]);
        old.into_iter().filter(|&word| word != EMPTY).for_each(|word| self.add(word));
    }

    /// Where the search for a word begins: tags in order, spread over the table.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "it is less than the length")]
    fn home(&self, word: Word) -> usize {
        ((u128::from(tag_of(word)) * self.words.len() as u128) >> 32) as usize
    }

    #[inline]
    fn next(&self, at: usize) -> usize {
        if at + 1 < self.words.len() { at + 1 } else { 0 }
    }

    /// Steps from one place forward to another.
    fn distance(&self, from: usize, to: usize) -> usize {
        if from <= to { to - from } else { to + self.words.len() - from }
    }

    fn word(&self, at: usize) -> Word {
        self.words.get(at).copied().unwrap_or(EMPTY)
    }

    fn put(&mut self, at: usize, word: Word) {
        if let Some(place) = self.words.get_mut(at) {
            *place = word;
        }
    }
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
                // Many at the end, so that searches run over it.
                let tag = if tag % 2 == 0 { u32::MAX - tag } else { tag << 20 };
                if is_set {
                    index.set(tag, u32::try_from(place).unwrap());
                    model.insert(tag, u32::try_from(place).unwrap());
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
