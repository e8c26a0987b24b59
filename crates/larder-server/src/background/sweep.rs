//! Frees the memory of entries that are expired or invalid and that no read has come across.

use super::ticker::every;
use crate::app::App;
use std::{sync::Weak, time::Duration};

/// How often a part of the near cache is swept.
const PERIOD: Duration = Duration::from_millis(100);
/// Entries visited each time: a million entries are swept in five seconds, at one percent of a core
/// at most.
const ENTRIES_PER_SWEEP: usize = 20_000;

pub(super) async fn run(app: Weak<App>) {
    every(PERIOD, app, async |app| {
        app.engine().sweep(ENTRIES_PER_SWEEP);
        app.backend().remove_expired();
    })
    .await;
}
