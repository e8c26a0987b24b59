//! Names whose values were too large to be cached. They are read on a connection other than the
//! feed's, where one huge reply would delay every invalidation behind it.

use crate::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering::Relaxed},
};
use hashbrown::HashSet;

/// Past this many names the set is emptied. Each name then costs one more large reply.
const NAMES_MAX: usize = 4096;

pub(super) struct Oversized {
    names: Mutex<HashSet<Box<[u8]>, foldhash::fast::RandomState>>,
    /// How many names there are, so that the usual look-up, in an empty set, takes no lock.
    count: AtomicUsize,
}

impl Default for Oversized {
    fn default() -> Self {
        Self { names: Mutex::new(HashSet::default()), count: AtomicUsize::new(0) }
    }
}

impl Oversized {
    pub(super) fn insert(&self, name: &[u8]) {
        let mut names = self.names.lock();
        if names.len() >= NAMES_MAX {
            names.clear();
        }
        names.insert(name.into());
        self.count.store(names.len(), Relaxed);
    }

    pub(super) fn contains(&self, name: &[u8]) -> bool {
        self.count.load(Relaxed) > 0 && self.names.lock().contains(name)
    }

    pub(super) fn remove(&self, name: &[u8]) {
        if self.count.load(Relaxed) > 0 {
            let mut names = self.names.lock();
            names.remove(name);
            self.count.store(names.len(), Relaxed);
        }
    }

    pub(super) fn clear(&self) {
        let mut names = self.names.lock();
        names.clear();
        self.count.store(0, Relaxed);
    }
}
