//! What every client of the listener shares.

use crate::{app::App, listeners::resp::embedded::ClientRegistry, stats::resp::RespStats};
use std::sync::Arc;

/// See the [module](self).
pub(crate) struct ProxyContext {
    app: Arc<App>,
    stats: Arc<RespStats>,
    clients: Arc<ClientRegistry>,
}

impl ProxyContext {
    pub(crate) fn new(app: Arc<App>) -> Self {
        Self { stats: Arc::clone(app.resp_stats()), app, clients: Arc::default() }
    }

    pub(crate) fn app(&self) -> &Arc<App> {
        &self.app
    }

    pub(crate) fn stats(&self) -> &Arc<RespStats> {
        &self.stats
    }

    /// The clients that are served without a Redis.
    pub(crate) fn clients(&self) -> &Arc<ClientRegistry> {
        &self.clients
    }
}
