//! `/v1/stats`: every counter as one JSON object.

use super::{health::Health, reasons};
use crate::{
    app::App,
    stats::{reads::ReadCounts, resp::RespCounts, verify::VerifyCounts, writes::WriteCounts},
    verify::Verifier,
};
use larder_core::EngineCounts;
use larder_redis::TrackingState;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// See the [module](self).
#[derive(Serialize)]
pub(crate) struct Stats {
    version: &'static str,
    uptime_seconds: u64,
    #[serde(flatten)]
    health: Health,
    http: Http,
    resp: Resp,
    near: Value,
    feed: Value,
    flights_joined: u64,
    fills_in_flight: usize,
    fills_refused: Map<String, Value>,
    verified: VerifyCounts,
    flushes: Map<String, Value>,
    store: Value,
    origins: Vec<Value>,
}

/// The HTTP listener.
#[derive(Serialize)]
struct Http {
    requests: ReadCounts,
    writes: WriteCounts,
}

/// The RESP listener.
#[derive(Serialize)]
struct Resp {
    requests: ReadCounts,
    writes: WriteCounts,
    forwarded: Value,
    fences: u64,
    connected_clients: u64,
    connections_accepted: u64,
    connections_rejected: u64,
    upstream_connections: u64,
    upstream_connections_failed: u64,
}

impl Stats {
    pub(crate) fn of(app: &App) -> Self {
        let counts = app.engine().counts();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            uptime_seconds: app.uptime().as_secs(),
            health: Health::of(app),
            http: http(app),
            resp: resp(app),
            near: near(app, &counts),
            feed: feed(app, &counts),
            flights_joined: counts.flights_joined,
            fills_in_flight: counts.fills_in_flight,
            fills_refused: by_name(counts.refused().map(|(reason, count)| (reason.name(), count))),
            verified: app.verifier().map_or_else(VerifyCounts::default, Verifier::counts),
            flushes: by_name(counts.flushes().map(|(cause, count)| (cause.name(), count))),
            store: json!({ "url": app.backend().describe() }),
            origins: origins(app),
        }
    }
}

fn http(app: &App) -> Http {
    let stats = app.http_stats();
    Http { requests: stats.reads.counts(), writes: stats.writes.counts() }
}

fn resp(app: &App) -> Resp {
    let stats = app.resp_stats();
    let counts: RespCounts = stats.counts();
    Resp {
        requests: stats.results().counts(),
        writes: stats.writes().counts(),
        forwarded: json!({
            "read": counts.forwarded_reads,
            "write": counts.forwarded_writes,
            "other": counts.forwarded_others,
        }),
        fences: counts.fences,
        connected_clients: counts.clients,
        connections_accepted: counts.accepted,
        connections_rejected: counts.rejected,
        upstream_connections: counts.upstreams,
        upstream_connections_failed: counts.upstreams_failed,
    }
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
        "evictions": by_name(reasons::evictions(near)),
    })
}

fn feed(app: &App, counts: &EngineCounts) -> Value {
    let feed = app.engine().feed();
    let age = feed.age(app.engine().clock().now());
    let table = app.tracking_stats().table();
    let (state, reason, version) = match app.backend().tracking() {
        None => ("local", None, None),
        Some(TrackingState::Tracked(version)) => ("tracked", None, Some(version)),
        Some(TrackingState::Down(reason)) => ("down", Some(reason), None),
        Some(TrackingState::PassThrough(reason)) => ("pass-through", Some(reason), None),
    };
    json!({
        "state": state,
        "reason": reason,
        "server_version": version,
        "age_seconds": age.map(|age| age.as_secs_f64()),
        "staleness_bound_seconds": feed.bound().as_secs_f64(),
        "epochs": counts.epochs,
        "invalidations": counts.invalidations,
        "invalidations_uncached": counts.invalidations_uncached,
        "tracking_total_keys": table.map(|table| table.keys),
        "tracking_total_items": table.map(|table| table.items),
        "tracking_table_max_keys": table.and_then(|table| table.keys_max),
    })
}

fn origins(app: &App) -> Vec<Value> {
    let origins = app.origins().iter();
    origins
        .map(|origin| {
            json!({
                "name": origin.config().name,
                "path": origin.path(),
                "rows": origin.rows(),
                "problem": origin.problem(),
            })
        })
        .collect()
}

fn by_name(counts: impl IntoIterator<Item = (&'static str, u64)>) -> Map<String, Value> {
    counts.into_iter().map(|(name, count)| (name.to_owned(), count.into())).collect()
}
