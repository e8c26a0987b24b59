//! Asks the store how large its tracking table is, and warns before it is full.

use super::ticker::every;
use crate::{app::App, stats::tracking::Change};
use larder_core::StoreError;
use std::sync::Weak;

/// The store is asked once in so many staleness bounds.
const BOUNDS_PER_CHECK: u32 = 5;

pub(super) async fn run(app: Weak<App>) {
    let Some(period) = app.upgrade().map(|app| app.engine().feed().bound() * BOUNDS_PER_CHECK)
    else {
        return;
    };
    let mut refused_in = None;
    every(period, app, async move |app| check(&app, &mut refused_in).await).await;
}

/// Asks once. After a refusal (`NOPERM`, or a command that a managed service does not have) it asks
/// no more in this epoch: each attempt would be in the store's `ACL LOG`.
async fn check(app: &App, refused_in: &mut Option<u64>) {
    let epoch = app.engine().feed().epochs_begun();
    let may_ask = app.engine().feed().is_live() && *refused_in != Some(epoch);
    let table = if may_ask { app.backend().tracking_table().await } else { Ok(None) };
    if matches!(table, Err(StoreError::Refused(_))) {
        *refused_in = Some(epoch);
    }
    match app.tracking_stats().record(table.unwrap_or(None)) {
        Some(Change::NearlyFull) => {
            let problem = app.tracking_stats().problem().unwrap_or_default();
            tracing::warn!("{problem}");
        }
        Some(Change::NoLongerFull) => tracing::info!("the store's tracking table has room again"),
        None => {}
    }
}
