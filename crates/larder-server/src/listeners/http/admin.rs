//! The state of the server, for load balancers, for Prometheus and for people.

use super::{
    problem::Problem,
    response::{self, Response, no_store},
};
use crate::{
    app::App,
    health::Condition,
    metrics::{ResultCounts, evictions, exposition},
    stats::resp::RespCounts,
    verify::{Verified, Verifier},
};
use http::StatusCode;
use larder_core::EngineCounts;
use larder_redis::TrackingState;
use serde::Serialize;
use serde_json::{Map, Value, json};

pub(super) const METRICS_MEDIA_TYPE: &str =
    "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) const TEXT_MEDIA_TYPE: &str = "text/plain; charset=utf-8";

/// Responds as long as the process runs.
pub(super) fn livez() -> Response {
    response::ok(TEXT_MEDIA_TYPE, "ok\n")
}

/// Responds with 200 if requests may be sent here, else with 503, and with what is wrong.
pub(super) fn readyz(app: &App) -> Response {
    let condition = Condition::of(app);
    let mut response = no_store(response::json(&condition));
    if !condition.is_ready() {
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

/// All counters and states as one JSON object.
#[derive(Serialize)]
pub(super) struct Stats {
    version: &'static str,
    uptime_seconds: u64,
    #[serde(flatten)]
    condition: Condition,
    /// Requests over HTTP.
    requests: ResultCounts,
    resp: Resp,
    near: Value,
    feed: Value,
    flights_joined: u64,
    fills_under_way: usize,
    fills_refused: Map<String, Value>,
    verified: Verified,
    flushes: Map<String, Value>,
    store: Value,
    origins: Vec<Value>,
}

/// Counters of the RESP listener.
#[derive(Serialize)]
struct Resp {
    requests: ResultCounts,
    #[serde(flatten)]
    traffic: RespCounts,
}

pub(super) fn stats(app: &App) -> Response {
    let counts = app.engine().counts();
    let stats = Stats {
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: app.uptime().as_secs(),
        condition: Condition::of(app),
        requests: app.metrics().http().counts(),
        resp: Resp {
            requests: app.resp_stats().results().counts(),
            traffic: app.resp_stats().counts(),
        },
        near: near(app, &counts),
        feed: feed(app, &counts),
        flights_joined: counts.flights_joined,
        fills_under_way: counts.fills_under_way,
        fills_refused: by_name(counts.refused().map(|(why, count)| (why.name(), count))),
        verified: app.verifier().map_or_else(Verified::default, Verifier::counts),
        flushes: by_name(counts.flushes().map(|(cause, count)| (cause.name(), count))),
        store: json!({ "url": app.backend().describe() }),
        origins: app
            .origins()
            .iter()
            .map(|origin| {
                json!({
                    "name": origin.config().name,
                    "path": origin.path(),
                    "rows": origin.rows(),
                    "problem": origin.problem(),
                })
            })
            .collect(),
    };
    no_store(response::json(&stats))
}

fn near(app: &App, counts: &EngineCounts) -> Value {
    let config = &app.config().engine.near;
    let near = &counts.near;
    json!({
        "items": near.items,
        "bytes": near.bytes,
        "maxmemory": config.bytes_max,
        "max_entries": config.entries_max,
        "policy": config.policy.name(),
        "hits": near.hits,
        "misses": near.misses,
        "evictions": by_name(evictions(near)),
    })
}

fn feed(app: &App, counts: &EngineCounts) -> Value {
    let feed = app.engine().feed();
    let age = feed.age(app.engine().clock().now());
    let (link, why, version) = match app.backend().link() {
        None => ("local", None, None),
        Some(TrackingState::Tracked(version)) => ("tracked", None, Some(version)),
        Some(TrackingState::Down(why)) => ("down", Some(why), None),
        Some(TrackingState::PassThrough(why)) => ("pass-through", Some(why), None),
    };
    json!({
        "link": link,
        "why": why,
        "server_version": version,
        "age_seconds": age.map(|age| age.as_secs_f64()),
        "bound_seconds": feed.bound().as_secs_f64(),
        "epochs": counts.epochs,
        "invalidations": counts.invalidations,
    })
}

fn by_name(counts: impl IntoIterator<Item = (&'static str, u64)>) -> Map<String, Value> {
    counts.into_iter().map(|(name, count)| (name.to_owned(), count.into())).collect()
}
