//! What must happen though nobody asks: memory of dead entries given back, origins' files watched.

use crate::larder::Larder;
use larder_core::Origin;
use std::{
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::time::{MissedTickBehavior, interval};

/// One slice of the sweep this often,
const SWEEP_EVERY: Duration = Duration::from_millis(100);
/// of about this many entries: a million is swept in five seconds, at a percent of a core at most.
const SWEEP_VISITS: usize = 20_000;
/// How often an origin's file is looked at.
const WATCH_EVERY: Duration = Duration::from_millis(500);

/// Starts the background tasks. They end with the server.
pub(crate) fn start(larder: &Arc<Larder>) {
    tokio::spawn(every(SWEEP_EVERY, Arc::downgrade(larder), async |larder| {
        larder.engine().sweep(SWEEP_VISITS);
        larder.backend().purge();
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

async fn every(period: Duration, larder: Weak<Larder>, mut work: impl AsyncFnMut(Arc<Larder>)) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(larder) = larder.upgrade() else { return };
        work(larder).await;
    }
}
