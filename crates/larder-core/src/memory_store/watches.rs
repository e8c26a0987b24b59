//! Keys that somebody watches, and how often each has changed since.

use hashbrown::HashMap;

/// See the [module](self).
#[derive(Default)]
pub(super) struct Watches {
    dbs: HashMap<u32, Names, foldhash::fast::RandomState>,
}

type Names = HashMap<Box<[u8]>, Watched, foldhash::fast::RandomState>;

#[derive(Default)]
struct Watched {
    watchers: usize,
    changes: u64,
}

/// A key as it was when somebody began to watch it. Give it back with [`Txn::unwatch`]: until then
/// its changes are counted.
///
/// [`Txn::unwatch`]: super::Txn::unwatch
#[derive(Debug)]
pub struct Watch {
    pub(super) db: u32,
    pub(super) name: Box<[u8]>,
    pub(super) changes: u64,
    pub(super) was_there: bool,
}

impl Watches {
    /// Begins to count the changes of a key; returns how many there were.
    pub(super) fn add(&mut self, db: u32, name: &[u8]) -> u64 {
        let watched = self.dbs.entry(db).or_default().entry(name.into()).or_default();
        watched.watchers += 1;
        watched.changes
    }

    pub(super) fn remove(&mut self, watch: &Watch) {
        let Some(names) = self.dbs.get_mut(&watch.db) else { return };
        if let Some(watched) = names.get_mut(&watch.name) {
            watched.watchers -= 1;
            if watched.watchers == 0 {
                names.remove(&watch.name);
            }
        }
        if names.is_empty() {
            self.dbs.remove(&watch.db);
        }
    }

    /// A key changes.
    pub(super) fn changed(&mut self, db: u32, name: &[u8]) {
        if let Some(watched) = self.dbs.get_mut(&db).and_then(|names| names.get_mut(name)) {
            watched.changes += 1;
        }
    }

    /// All keys of a db that are there leave.
    pub(super) fn flushed(&mut self, db: u32, is_there: impl Fn(&[u8]) -> bool) {
        for (name, watched) in self.dbs.get_mut(&db).into_iter().flatten() {
            watched.changes += u64::from(is_there(name));
        }
    }

    pub(super) fn changes(&self, watch: &Watch) -> Option<u64> {
        Some(self.dbs.get(&watch.db)?.get(&watch.name)?.changes)
    }
}
