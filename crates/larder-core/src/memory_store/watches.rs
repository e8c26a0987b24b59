//! Watched keys, and how often each has changed.

use hashbrown::HashMap;

/// See the [module](self).
#[derive(Default)]
pub(super) struct Watches {
    keyspaces: HashMap<u32, Names, foldhash::fast::RandomState>,
}

type Names = HashMap<Box<[u8]>, Watched, foldhash::fast::RandomState>;

#[derive(Default)]
struct Watched {
    watchers: usize,
    changes: u64,
}

/// A key as it was when the watch began. Its changes are counted until [`Txn::unwatch`].
///
/// [`Txn::unwatch`]: super::Txn::unwatch
#[derive(Debug)]
pub struct Watch {
    pub(super) keyspace: u32,
    pub(super) name: Box<[u8]>,
    pub(super) changes: u64,
    pub(super) existed: bool,
}

impl Watches {
    /// Begins to count the changes of a key. Returns the count so far.
    pub(super) fn add(&mut self, keyspace: u32, name: &[u8]) -> u64 {
        let watched = self.keyspaces.entry(keyspace).or_default().entry(name.into()).or_default();
        watched.watchers += 1;
        watched.changes
    }

    pub(super) fn remove(&mut self, watch: &Watch) {
        let Some(names) = self.keyspaces.get_mut(&watch.keyspace) else { return };
        if let Some(watched) = names.get_mut(&watch.name) {
            watched.watchers -= 1;
            if watched.watchers == 0 {
                names.remove(&watch.name);
            }
        }
        if names.is_empty() {
            self.keyspaces.remove(&watch.keyspace);
        }
    }

    /// Counts a change of a key. Returns whether the key is watched.
    pub(super) fn count(&mut self, keyspace: u32, name: &[u8]) -> bool {
        let watched = self.watched(keyspace, name);
        watched.map(|watched| watched.changes = watched.changes.wrapping_add(1)).is_some()
    }

    /// Takes back what [`Watches::count`] counted.
    pub(super) fn uncount(&mut self, keyspace: u32, name: &[u8]) {
        if let Some(watched) = self.watched(keyspace, name) {
            watched.changes = watched.changes.wrapping_sub(1);
        }
    }

    /// Returns the watched names of a keyspace.
    pub(super) fn names(&self, keyspace: u32) -> impl Iterator<Item = &[u8]> {
        self.keyspaces.get(&keyspace).into_iter().flatten().map(|(name, _)| &**name)
    }

    pub(super) fn changes(&self, watch: &Watch) -> Option<u64> {
        Some(self.keyspaces.get(&watch.keyspace)?.get(&watch.name)?.changes)
    }

    fn watched(&mut self, keyspace: u32, name: &[u8]) -> Option<&mut Watched> {
        self.keyspaces.get_mut(&keyspace)?.get_mut(name)
    }
}
