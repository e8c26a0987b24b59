//! What must happen though nobody asks: memory of dead entries given back, origins' files and
//! users' rights watched.

use crate::{larder::Larder, users};
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
pub(crate) fn start(larder: &Arc<Larder>) {
    tokio::spawn(every(SWEEP_EVERY, Arc::downgrade(larder), async |larder| {
        larder.engine().sweep(SWEEP_VISITS);
        larder.backend().purge();
    }));
    tokio::spawn(users::watch(Arc::downgrade(larder)));
    let mut learned = 0;
    tokio::spawn(every(LEARN_EVERY, Arc::downgrade(larder), async move |larder| {
        learn_commands(&larder, &mut learned).await;
    }));
    tokio::spawn(every(WATCH_EVERY, Arc::downgrade(larder), async |larder| {
        for origin in larder.origins() {
            for name in origin.reload_if_changed().await {
                if let Err(error) = larder.delete(name.as_bytes()).await {
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
async fn learn_commands(larder: &Larder, learned: &mut u64) {
    let epoch = larder.engine().feed().epochs_begun();
    if epoch == *learned {
        return;
    }
    match larder.backend().describe_commands().await {
        Ok(None) => *learned = epoch,
        Ok(Some(reply)) => {
            *learned = epoch;
            let mut table = Table::builtin();
            if let Err(error) = table.complete(&reply) {
                tracing::warn!(%error, "the store's COMMAND reply was not understood");
                return;
            }
            let fields_expire = reply.windows(HEXPIRE.len()).any(|part| part == HEXPIRE);
            larder.set_commands(table, fields_expire);
        }
        Err(error) => tracing::debug!(%error, "the store does not describe its commands"),
    }
}

const HEXPIRE: &[u8] = b"hexpire\r\n";

async fn every(period: Duration, larder: Weak<Larder>, mut work: impl AsyncFnMut(Arc<Larder>)) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(larder) = larder.upgrade() else { return };
        work(larder).await;
    }
}
