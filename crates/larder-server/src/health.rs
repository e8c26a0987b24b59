//! How the server is: ok, degraded, draining.

use crate::larder::Larder;
use larder_redis::Link;
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
    /// Whether values may be served from memory.
    pub(crate) coherent: bool,
    /// What is not as it should be, for people.
    pub(crate) problems: Vec<String>,
}

impl Condition {
    pub(crate) fn of(larder: &Larder) -> Self {
        let feed = larder.engine().feed();
        let coherent = feed.sight(larder.engine().clock().now()).is_some();
        let mut problems: Vec<_> = store_problem(larder, coherent).into_iter().collect();
        if feed.is_passthrough() {
            problems.push("pass-through is on: every read goes to the store".into());
        }
        problems.extend(larder.origins().iter().filter_map(|origin| origin.problem()));
        let status = match () {
            () if larder.health().is_draining() => "draining",
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

fn store_problem(larder: &Larder, coherent: bool) -> Option<String> {
    match larder.backend().link()? {
        Link::Down(why) => Some(format!("the store is away: {why}")),
        Link::PassThrough(why) => Some(format!("everything passes through to the store: {why}")),
        Link::Tracked(_) if !coherent && !larder.engine().feed().is_passthrough() => {
            Some("the feed is older than the staleness bound: reads go to the store".into())
        }
        Link::Tracked(_) => None,
    }
}
