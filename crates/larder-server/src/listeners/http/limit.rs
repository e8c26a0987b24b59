//! How many requests are at work at once, and how many may wait for their turn.

use super::problem::Problem;
use crate::config::HttpConfig;
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::StatusCode;
use std::{sync::Arc, time::Duration};
use tokio::{sync::Semaphore, time::sleep};

/// How often a draining server looks whether work remains.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

#[derive(Clone)]
pub(super) struct ConcurrencyLimit {
    /// At work.
    running: Arc<Semaphore>,
    /// At work or waiting.
    admitted: Arc<Semaphore>,
    admitted_max: usize,
}

impl ConcurrencyLimit {
    pub(super) fn new(config: &HttpConfig) -> Self {
        let admitted_max = config.concurrency + config.queue;
        Self {
            running: Arc::new(Semaphore::new(config.concurrency)),
            admitted: Arc::new(Semaphore::new(admitted_max)),
            admitted_max,
        }
    }

    /// Returns when no request is at work.
    pub(super) async fn idle(&self) {
        while self.admitted.available_permits() < self.admitted_max {
            sleep(POLL_INTERVAL).await;
        }
    }
}

/// Lets a request wait for its turn, or refuses it where too many wait already.
pub(super) async fn limit(
    State(limit): State<ConcurrencyLimit>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let _admitted = limit.admitted.try_acquire().map_err(|_| overloaded())?;
    // The semaphore is never closed, so there is always a turn to wait for.
    let _running = limit.running.acquire().await;
    Ok(next.run(request).await)
}

pub(super) fn overloaded() -> Problem {
    let detail = "http-concurrency requests are at work and http-queue wait";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_soon()
}
