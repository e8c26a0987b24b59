//! The state of the server, for load balancers, for Prometheus and for people.

use super::{
    auth,
    problem::Problem,
    response::{self, Response, no_store},
};
use crate::{
    app::App,
    ops::{health::Health, prometheus::exposition, stats_json::Stats},
};
use http::{HeaderMap, StatusCode, Uri};

pub(super) const METRICS_MEDIA_TYPE: &str =
    "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) const TEXT_MEDIA_TYPE: &str = "text/plain; charset=utf-8";

/// Responds as long as the process runs.
pub(super) fn livez() -> Response {
    response::ok(TEXT_MEDIA_TYPE, "ok\n")
}

/// Responds with 200 if requests may be sent here, else with 503, and with what is wrong. Addresses
/// and paths in it are not for a web page that has rebound its name to this server.
pub(super) fn readyz(app: &App, uri: &Uri, headers: &HeaderMap) -> Response {
    let mut health = Health::of(app);
    if !auth::has_own_host(uri, headers, &app.config().http.allowed_hosts) {
        health.problems.clear();
    }
    let mut response = no_store(response::json(&health));
    if !health.is_ready() {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}

/// Responds with all counters in the format of Prometheus.
pub(super) fn metrics(app: &App) -> Result<Response, Problem> {
    let text = exposition(app).map_err(|_| {
        let detail = "the metrics could not be written";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    })?;
    Ok(response::ok(METRICS_MEDIA_TYPE, text))
}

/// Responds with all counters and states as one JSON object.
pub(super) fn stats(app: &App) -> Response {
    no_store(response::json(&Stats::of(app)))
}
