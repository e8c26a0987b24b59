//! Limits how many requests for values run at the same time, and how many wait to run.

use super::problem::Problem;
use crate::config::HttpConfig;
use http::StatusCode;
use std::time::Duration;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::sleep,
};

/// How often a draining server checks whether requests remain.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

pub(super) struct ConcurrencyLimit {
    running: Semaphore,
    running_or_waiting: Semaphore,
    running_or_waiting_max: usize,
}

impl ConcurrencyLimit {
    pub(super) fn new(config: &HttpConfig) -> Self {
        let running_or_waiting_max = config.concurrency + config.queue;
        Self {
            running: Semaphore::new(config.concurrency),
            running_or_waiting: Semaphore::new(running_or_waiting_max),
            running_or_waiting_max,
        }
    }

    /// Waits until a request may run, or fails if too many wait already. The request runs until
    /// the permits are dropped.
    pub(super) async fn acquire(&self) -> Result<[SemaphorePermit<'_>; 2], Problem> {
        let admitted = self.running_or_waiting.try_acquire().map_err(|_| overloaded())?;
        // Fails only if the semaphore is closed, which it never is.
        let running = self.running.acquire().await.map_err(|_| overloaded())?;
        Ok([running, admitted])
    }

    /// Resolves when no request runs or waits.
    pub(super) async fn idle(&self) {
        while self.running_or_waiting.available_permits() < self.running_or_waiting_max {
            sleep(POLL_INTERVAL).await;
        }
    }
}

pub(super) fn overloaded() -> Problem {
    let detail = "http-concurrency requests are running and http-queue more are waiting";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_soon()
}
