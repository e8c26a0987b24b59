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
const LOOK_EVERY: Duration = Duration::from_millis(10);

#[derive(Clone)]
pub(super) struct Limit {
    /// At work.
    turns: Arc<Semaphore>,
    /// At work or waiting.
    places: Arc<Semaphore>,
    places_in_all: usize,
}

impl Limit {
    pub(super) fn new(config: &HttpConfig) -> Self {
        let places_in_all = config.concurrency + config.queue;
        Self {
            turns: Arc::new(Semaphore::new(config.concurrency)),
            places: Arc::new(Semaphore::new(places_in_all)),
            places_in_all,
        }
    }

    /// Returns when no request is at work.
    pub(super) async fn idle(&self) {
        while self.places.available_permits() < self.places_in_all {
            sleep(LOOK_EVERY).await;
        }
    }
}

/// Lets a request wait for its turn, or refuses it where too many wait already.
pub(super) async fn limit(
    State(limit): State<Limit>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let _place = limit.places.try_acquire().map_err(|_| turned_away())?;
    // The semaphore is never closed, so there is always a turn to wait for.
    let _turn = limit.turns.acquire().await;
    Ok(next.run(request).await)
}

pub(super) fn turned_away() -> Problem {
    let detail = "http-concurrency requests are at work and http-queue wait";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_soon()
}
