//! Work that is repeated at an interval.

use crate::app::App;
use std::{
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::time::{MissedTickBehavior, interval};

/// Calls `work` once in each period until the server ends. A delayed call delays those after it.
pub(super) async fn every(period: Duration, app: Weak<App>, mut work: impl AsyncFnMut(Arc<App>)) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(app) = app.upgrade() else { return };
        work(app).await;
    }
}
