//! Watched keys, and the last change of each.
//!
//! Changes are numbered, and no number is used twice: a change that was rolled back cannot be
//! mistaken for one that comes later.

use hashbrown::HashMap;

/// See the [module](self).
#[derive(Default)]
pub(super) struct Watches {
    keyspaces: HashMap<u32, Names, foldhash::fast::RandomState>,
    /// The number of the newest change of any watched key.
    newest: u64,
}

type Names = HashMap<Box<[u8]>, Watched, foldhash::fast::RandomState>;

#[derive(Default)]
struct Watched {
    watchers: usize,
    /// The number of its newest change.
    change: u64,
}

/// A key as it was when the watch began. Its changes are recorded until [`Txn::unwatch`].
///
/// [`Txn::unwatch`]: super::Txn::unwatch
#[derive(Debug)]
pub struct Watch {
    pub(super) keyspace: u32,
    pub(super) name: Box<[u8]>,
    pub(super) change: u64,
    pub(super) existed: bool,
}

impl Watches {
    /// Begins to record the changes of a key. Returns the number of the last one.
    pub(super) fn add(&mut self, keyspace: u32, name: &[u8]) -> u64 {
        let watched = self.keyspaces.entry(keyspace).or_default().entry(name.into()).or_default();
        watched.watchers += 1;
        watched.change
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

    /// Records a change of a key, if it is watched. Returns the number of the change before it.
    pub(super) fn record(&mut self, keyspace: u32, name: &[u8]) -> Option<u64> {
        let watched = self.keyspaces.get_mut(&keyspace)?.get_mut(name)?;
        self.newest += 1;
        Some(std::mem::replace(&mut watched.change, self.newest))
    }

    /// Takes back a change that [`Watches::record`] recorded, given what it returned.
    pub(super) fn restore(&mut self, keyspace: u32, name: &[u8], before: u64) {
        let names = self.keyspaces.get_mut(&keyspace);
        if let Some(watched) = names.and_then(|names| names.get_mut(name)) {
            watched.change = before;
        }
    }

    /// Returns the watched names of a keyspace.
    pub(super) fn names(&self, keyspace: u32) -> impl Iterator<Item = &[u8]> {
        self.keyspaces.get(&keyspace).into_iter().flatten().map(|(name, _)| &**name)
    }

    /// Returns the number of the newest change of a watched key.
    pub(super) fn change(&self, watch: &Watch) -> Option<u64> {
        Some(self.keyspaces.get(&watch.keyspace)?.get(&watch.name)?.change)
    }
}
