//! What every client of the listener shares.

use super::embedded::Guests;
use crate::{app::App, stats::resp::RespStats};
use std::sync::Arc;

/// See the [module](self).
pub(super) struct ProxyContext {
    app: Arc<App>,
    stats: Arc<RespStats>,
    guests: Arc<Guests>,
}

impl ProxyContext {
    pub(super) fn new(app: Arc<App>) -> Self {
        Self { stats: Arc::clone(app.resp_stats()), app, guests: Arc::default() }
    }

    pub(super) fn app(&self) -> &Arc<App> {
        &self.app
    }

    pub(super) fn stats(&self) -> &Arc<RespStats> {
        &self.stats
    }

    /// The clients that are served without a Redis.
    pub(super) fn guests(&self) -> &Arc<Guests> {
        &self.guests
    }
}
