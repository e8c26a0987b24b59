//! What must happen though nobody asks: memory of dead entries given back, origins' files and
//! users' rights watched.

use crate::{app::App, users};
use larder_core::Origin;
use larder_resp::command::Table;
use std::{
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::time::{MissedTickBehavior, interval};

/// One slice of the sweep this often,
const SWEEP_EVERY: Duration = Duration::from_millis(100);
/// of about this many entries: a million is swept in five seconds, at a percent of a core at most.
const SWEEP_VISITS: usize = 20_000;
/// How often it is seen whether the store is another.
const LEARN_EVERY: Duration = Duration::from_millis(250);
/// How often an origin's file is looked at.
const WATCH_EVERY: Duration = Duration::from_millis(500);

/// Starts the background tasks. They end with the server.
pub(crate) fn start(app: &Arc<App>) {
    tokio::spawn(every(SWEEP_EVERY, Arc::downgrade(app), async |app| {
        app.engine().sweep(SWEEP_VISITS);
        app.backend().remove_expired();
    }));
    tokio::spawn(users::watch(Arc::downgrade(app)));
    let mut learned = 0;
    tokio::spawn(every(LEARN_EVERY, Arc::downgrade(app), async move |app| {
        learn_commands(&app, &mut learned).await;
    }));
    tokio::spawn(every(WATCH_EVERY, Arc::downgrade(app), async |app| {
        for origin in app.origins() {
            for name in origin.reload_if_changed().await {
                if let Err(error) = app.delete(name.as_bytes()).await {
                    tracing::warn!(
                        origin = origin.name(), %error,
                        "a changed row could not be forgotten; it may be served until its ttl"
                    );
                }
            }
        }
    }));
}

/// Learns which commands the store knows, anew in each epoch of the feed: it may be another server.
async fn learn_commands(app: &App, learned: &mut u64) {
    let epoch = app.engine().feed().epochs_begun();
    if epoch == *learned {
        return;
    }
    match app.backend().describe_commands().await {
        Ok(None) => *learned = epoch,
        Ok(Some(reply)) => {
            *learned = epoch;
            let mut table = Table::builtin();
            if let Err(error) = table.merge_command_reply(&reply) {
                tracing::warn!(%error, "the store's COMMAND reply was not understood");
                return;
            }
            let fields_expire = reply.windows(HEXPIRE.len()).any(|part| part == HEXPIRE);
            app.set_commands(table, fields_expire);
        }
        Err(error) => tracing::debug!(%error, "the store does not describe its commands"),
    }
}

const HEXPIRE: &[u8] = b"hexpire\r\n";

async fn every(period: Duration, app: Weak<App>, mut work: impl AsyncFnMut(Arc<App>)) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(app) = app.upgrade() else { return };
        work(app).await;
    }
}
