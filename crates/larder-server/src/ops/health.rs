//! Whether the server works as it should: ok, degraded or draining.

use crate::app::App;
use larder_redis::TrackingState;
use serde::Serialize;

/// A snapshot of the server's health.
#[derive(Serialize)]
pub(crate) struct Health {
    /// `ok`, `degraded` (works, but not as it should) or `draining`.
    pub(crate) status: &'static str,
    /// Whether the feed is fresh. While it is not, the near cache serves nothing.
    pub(crate) coherent: bool,
    /// Descriptions of what does not work, for people.
    pub(crate) problems: Vec<String>,
}

impl Health {
    pub(crate) fn of(app: &App) -> Self {
        let feed = app.engine().feed();
        let coherent = feed.is_fresh(app.engine().clock().now());
        let mut problems: Vec<_> = store_problem(app, coherent).into_iter().collect();
        if feed.is_passthrough() {
            problems.push("pass-through is on: every read goes to the store".into());
        }
        problems.extend(app.tracking_stats().problem());
        problems.extend(app.backend().load_problem());
        problems.extend(app.origins().iter().filter_map(|origin| origin.problem()));
        let status = match () {
            () if app.is_draining() => "draining",
            () if coherent && problems.is_empty() => "ok",
            () => "degraded",
        };
        Self { status, coherent, problems }
    }

    /// Returns whether a load balancer should send requests here. A server that is not coherent is
    /// slower, not wrong.
    pub(crate) fn is_ready(&self) -> bool {
        self.status != "draining"
    }
}

fn store_problem(app: &App, coherent: bool) -> Option<String> {
    if let Some(reason) = app.backend().refusal() {
        return Some(format!("the store refuses Larder's connections: {reason}"));
    }
    match app.backend().tracking()? {
        TrackingState::Down(reason) => Some(format!("the store is unreachable: {reason}")),
        TrackingState::PassThrough(reason) => {
            Some(format!("every read goes to the store: {reason}"))
        }
        TrackingState::Tracked(_) if !coherent => Some(
            "the last heartbeat is older than the staleness bound: every read goes to the store"
                .into(),
        ),
        TrackingState::Tracked(_) => None,
    }
}
