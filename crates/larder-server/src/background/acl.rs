//! Asks the store for the rights of its users, several times in each staleness bound (R12).

mod getuser;

use crate::{app::App, users::Users};
use getuser::may_read_all;
use larder_core::Moment;
use std::{
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::time::timeout;

/// How often the store is asked in each staleness bound.
const CHECKS_PER_BOUND: u32 = 4;

/// Runs until the server ends.
pub(super) async fn run(app: Weak<App>) {
    loop {
        let Some(app) = app.upgrade() else { return };
        let pause = check_all(&app).await;
        let users: Arc<Users> = Arc::clone(app.users());
        // The pause must not keep the server alive.
        drop(app);
        timeout(pause, users.changed()).await.ok();
    }
}

/// Asks for the rights of every user once. Returns when to ask again.
async fn check_all(app: &App) -> Duration {
    let bound = app.engine().feed().bound();
    let (changes, users) = app.users().snapshot();
    // Without users there is nothing to ask: a new user wakes the task.
    let Some(own) = app.backend().url().filter(|_| !users.is_empty()) else { return bound };
    let asked = app.engine().clock().now();
    let own_reads_all = reads_all(app, own.user().unwrap_or("default").as_bytes()).await;
    for user in users {
        let reads_all = own_reads_all && reads_all(app, user.name()).await;
        let until = if reads_all { asked.plus(bound) } else { Moment::START };
        app.users().record(&user, changes, until);
    }
    bound / CHECKS_PER_BOUND
}

async fn reads_all(app: &App, name: &[u8]) -> bool {
    app.backend().describe_user(name).await.is_ok_and(|reply| may_read_all(&reply))
}
