//! How many requests are at work at once, and how many may wait for their turn.

use super::problem::Problem;
use crate::settings::HttpPlan;
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use std::sync::Arc;
use tokio::sync::Semaphore;

#[derive(Clone)]
pub(super) struct Limit {
    /// At work.
    turns: Arc<Semaphore>,
    /// At work or waiting.
    places: Arc<Semaphore>,
}

impl Limit {
    pub(super) fn new(plan: &HttpPlan) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(plan.concurrency)),
            places: Arc::new(Semaphore::new(plan.concurrency + plan.queue)),
        }
    }
}

/// Lets a request wait for its turn, or refuses it where too many wait already.
pub(super) async fn limit(State(limit): State<Limit>, request: Request, next: Next) -> Response {
    let Ok(_place) = limit.places.try_acquire() else {
        return Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "http-concurrency requests are at work and http-queue wait",
        )
        .retry_after(1)
        .into_response();
    };
    // The semaphore is never closed, so there is always a turn to wait for.
    let _turn = limit.turns.acquire().await;
    next.run(request).await
}
