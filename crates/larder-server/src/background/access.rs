//! Tries whether the store accepts connections again after it has refused one.

use super::ticker::every;
use crate::app::App;
use std::{sync::Weak, time::Duration};

/// The pause between two attempts.
const PERIOD: Duration = Duration::from_secs(1);

pub(super) async fn run(app: Weak<App>) {
    every(PERIOD, app, async |app| app.backend().retry_access().await).await;
}
