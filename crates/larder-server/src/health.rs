//! How the server is: ok, degraded, draining.

use crate::app::App;
use larder_redis::TrackingState;
use serde::Serialize;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// What the server itself knows of its state.
#[derive(Default)]
pub(crate) struct Health {
    draining: AtomicBool,
}

impl Health {
    /// The server was asked to stop.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Relaxed);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }
}

/// One look at the server's state.
#[derive(Serialize)]
pub(crate) struct Condition {
    /// `ok`, `degraded` (works, but not as it should) or `draining`.
    pub(crate) status: &'static str,
    /// Whether the feed is fresh: while it is not, nothing is served from memory.
    pub(crate) coherent: bool,
    /// What is not as it should be, for people.
    pub(crate) problems: Vec<String>,
}

impl Condition {
    pub(crate) fn of(app: &App) -> Self {
        let feed = app.engine().feed();
        let coherent = feed.is_fresh(app.engine().clock().now());
        let mut problems: Vec<_> = store_problem(app, coherent).into_iter().collect();
        if feed.is_passthrough() {
            problems.push("pass-through is on: every read goes to the store".into());
        }
        problems.extend(app.origins().iter().filter_map(|origin| origin.problem()));
        let status = match () {
            () if app.health().is_draining() => "draining",
            () if coherent && problems.is_empty() => "ok",
            () => "degraded",
        };
        Self { status, coherent, problems }
    }

    /// Whether requests should be sent here. Not coherent is slower, not wrong.
    pub(crate) fn is_ready(&self) -> bool {
        self.status != "draining"
    }
}

fn store_problem(app: &App, coherent: bool) -> Option<String> {
    match app.backend().link()? {
        TrackingState::Down(why) => Some(format!("the store is away: {why}")),
        TrackingState::PassThrough(why) => {
            Some(format!("everything passes through to the store: {why}"))
        }
        TrackingState::Tracked(_) if !coherent => {
            Some("the feed is older than the staleness bound: reads go to the store".into())
        }
        TrackingState::Tracked(_) => None,
    }
}
