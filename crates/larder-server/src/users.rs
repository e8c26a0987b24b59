//! Users of the store besides that of its URL, and which of them share its entries (R12).
//!
//! Entries were read by the user of the URL. Another user may have them without asking the store
//! only if both may read every key, so that there is nothing that the store would refuse. `ACL
//! GETUSER` says so; it is asked again several times in each staleness bound, and its answer holds
//! for one bound after it was asked for.

mod rights;

use crate::app::App;
use larder_core::{Clock, Moment};
use rights::may_read_all;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{sync::Notify, time::timeout};

/// Times that the store is asked in each bound.
const ASKED_PER_BOUND: u32 = 4;

/// See the [module](self).
#[derive(Default)]
pub(crate) struct Users {
    known: Mutex<HashMap<Box<[u8]>, Weak<User>>>,
    /// Rights that changed through this process, counted: an answer from before counts no more.
    changes: AtomicU64,
    /// There is somebody new to ask about, or rights have changed.
    news: Notify,
}

/// A user who is not that of the URL.
#[derive(Debug)]
pub(crate) struct User {
    name: Box<[u8]>,
    /// Until when the last answer holds, if it was yes.
    shares_until: Mutex<Moment>,
}

impl User {
    /// Whether entries may be served to this user.
    pub(crate) fn shares(&self, clock: &Clock) -> bool {
        clock.now() < *lock(&self.shares_until)
    }
}

impl PartialEq for User {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for User {}

impl Users {
    /// The user of this name, who shares nothing before the store was asked.
    pub(crate) fn get(&self, name: &[u8]) -> Arc<User> {
        let mut known = lock(&self.known);
        if let Some(user) = known.get(name).and_then(Weak::upgrade) {
            return user;
        }
        let user = User { name: name.into(), shares_until: Mutex::new(Moment::START) };
        let user = Arc::new(user);
        known.retain(|_, user| user.strong_count() > 0);
        known.insert(name.into(), Arc::downgrade(&user));
        self.news.notify_one();
        user
    }

    /// Rights have changed: nobody shares anything before the store was asked again.
    pub(crate) fn revoke_sharing(&self) {
        let known = lock(&self.known);
        self.changes.fetch_add(1, Relaxed);
        for user in known.values().filter_map(Weak::upgrade) {
            *lock(&user.shares_until) = Moment::START;
        }
        self.news.notify_one();
    }

    fn all(&self) -> (u64, Vec<Arc<User>>) {
        let known = lock(&self.known);
        (self.changes.load(Relaxed), known.values().filter_map(Weak::upgrade).collect())
    }

    /// Puts in an answer, unless rights have changed since it was asked for.
    fn answered(&self, user: &User, changes: u64, until: Moment) {
        let _known = lock(&self.known);
        if self.changes.load(Relaxed) == changes {
            *lock(&user.shares_until) = until;
        }
    }
}

/// Asks the store about the users that there are, until the server ends.
pub(crate) async fn watch(app: Weak<App>) {
    loop {
        let Some(app) = app.upgrade() else { return };
        let pause = ask(&app).await;
        // Does not keep the server alive.
        let users = Arc::clone(app.users());
        drop(app);
        timeout(pause, users.news.notified()).await.ok();
    }
}

/// Asks about everybody once; returns for how long that is enough.
async fn ask(app: &App) -> Duration {
    let bound = app.engine().feed().bound();
    let (changes, users) = app.users().all();
    // While nobody is there, only somebody new is waited for.
    let Some(own) = app.backend().url().filter(|_| !users.is_empty()) else { return bound };
    let asked = app.engine().clock().now();
    let own_reads_all = reads_all(app, own.user().unwrap_or("default").as_bytes()).await;
    for user in users {
        let reads_all = own_reads_all && reads_all(app, &user.name).await;
        let until = if reads_all { asked.plus(bound) } else { Moment::START };
        app.users().answered(&user, changes, until);
    }
    bound / ASKED_PER_BOUND
}

async fn reads_all(app: &App, name: &[u8]) -> bool {
    app.backend().describe_user(name).await.is_ok_and(|reply| may_read_all(&reply))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
