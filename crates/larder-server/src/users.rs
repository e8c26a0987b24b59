//! Users of the store other than the user of its URL, and whether they share the near cache (R12).
//!
//! Entries were read as the user of the URL. Another user may be served an entry without asking
//! the store only if both may read every key: then there is nothing that the store would refuse.
//! [`background::acl`](crate::background) asks the store and records its answers here; an answer
//! holds for one staleness bound from when it was asked for.

use larder_core::{Clock, Moment};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use tokio::sync::Notify;

/// See the [module](self).
#[derive(Default)]
pub(crate) struct Users {
    known: Mutex<HashMap<Box<[u8]>, Weak<User>>>,
    /// Counts changes of rights made through this process: an answer that was asked for before a
    /// change is discarded.
    changes: AtomicU64,
    /// Wakes the background task: there is a new user, or rights have changed.
    changed: Notify,
}

/// A user who is not the user of the URL.
#[derive(Debug)]
pub(crate) struct User {
    name: Box<[u8]>,
    /// When the last positive answer expires.
    shares_until: Mutex<Moment>,
}

impl User {
    /// Returns whether this user may be served entries of the near cache.
    pub(crate) fn shares(&self, clock: &Clock) -> bool {
        clock.now() < *lock(&self.shares_until)
    }

    pub(crate) fn name(&self) -> &[u8] {
        &self.name
    }
}

impl PartialEq for User {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for User {}

impl Users {
    /// Returns the user of this name. A new user shares nothing until the store has been asked.
    pub(crate) fn get(&self, name: &[u8]) -> Arc<User> {
        let mut known = lock(&self.known);
        if let Some(user) = known.get(name).and_then(Weak::upgrade) {
            return user;
        }
        let user = User { name: name.into(), shares_until: Mutex::new(Moment::START) };
        let user = Arc::new(user);
        known.retain(|_, user| user.strong_count() > 0);
        known.insert(name.into(), Arc::downgrade(&user));
        self.changed.notify_one();
        user
    }

    /// Ends all sharing until the store has been asked again, because rights may have changed.
    pub(crate) fn revoke_sharing(&self) {
        let known = lock(&self.known);
        self.changes.fetch_add(1, Relaxed);
        for user in known.values().filter_map(Weak::upgrade) {
            *lock(&user.shares_until) = Moment::START;
        }
        self.changed.notify_one();
    }

    /// Returns the users that have clients, and the number of changes of rights so far.
    pub(crate) fn snapshot(&self) -> (u64, Vec<Arc<User>>) {
        let known = lock(&self.known);
        (self.changes.load(Relaxed), known.values().filter_map(Weak::upgrade).collect())
    }

    /// Records an answer, unless rights have changed since the snapshot that it was asked for.
    pub(crate) fn record(&self, user: &User, changes: u64, until: Moment) {
        let _known = lock(&self.known);
        if self.changes.load(Relaxed) == changes {
            *lock(&user.shares_until) = until;
        }
    }

    /// Waits for a new user or a change of rights.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
