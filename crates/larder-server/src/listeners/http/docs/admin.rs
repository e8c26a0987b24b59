//! Describes the state of the server: `/v1/stats`, `/metrics`, `/livez` and the like.

use super::{
    super::{
        admin::{METRICS_MEDIA_TYPE, TEXT_MEDIA_TYPE},
        passthrough::not_a_switch,
    },
    errors::{ErrorResponses, response},
    operation::Operation,
    schema::{content, string, with_content},
};
use serde_json::{Value, json};
use utoipa::openapi::{ArrayBuilder, Content, HttpMethod, ObjectBuilder, PathItem, Ref, Type};

pub(super) const TAG: &str = "server";

const EVERY: &[u16] = &[400, 401, 403];
const OPEN: &[u16] = &[400, 403];

pub(super) fn stats(errors: &ErrorResponses) -> PathItem {
    let example = json!({
        "version": env!("CARGO_PKG_VERSION"), "uptime_seconds": 42,
        "status": "ok", "coherent": true, "problems": [],
        "http": { "requests": requests(40, 2), "writes": writes(2) },
        "resp": {
            "requests": requests(0, 0), "writes": writes(0),
            "forwarded": { "read": 0, "write": 0, "other": 0 }, "fences": 0,
            "connected_clients": 0, "connections_accepted": 0, "connections_rejected": 0,
            "upstream_connections": 0, "upstream_connections_failed": 0,
        },
        "near": {
            "items": 2, "bytes": 612, "maxmemory": 268_435_456, "max_entries": 0,
            "policy": "clock-pro", "hits": 40, "misses": 2,
            "evictions": { "full": 0, "expired": 0, "invalidation": 0, "flush": 0 },
        },
        "feed": {
            "state": "tracked", "reason": null, "server_version": "7.0.15",
            "age_seconds": 0.05, "staleness_bound_seconds": 1.0, "epochs": 1,
            "invalidations": 0, "invalidations_uncached": 0, "tracking_total_keys": 2,
            "tracking_total_items": 2, "tracking_table_max_keys": 1_000_000,
        },
        "flights_joined": 0, "fills_in_flight": 0,
        "fills_refused": {
            "feed-down": 0, "lease-invalidated": 0, "too-large": 0, "ttl-gone": 0, "ttl-unknown": 0,
            "not-allowed": 0, "store-refused": 0,
        },
        "verified": { "match": 0, "mismatch": 0, "inconclusive": 0 },
        "flushes": { "flushed": 0, "epoch-ended": 0, "command": 0 },
        "store": { "url": "redis://127.0.0.1:6379" },
        "origins": [{ "name": "users", "path": "/users/{id}", "rows": 330, "problem": null }],
    });
    let stats = Operation::new(TAG, "stats", "All counters and states, as JSON")
        .json(
            "The counters since the start, and the current states",
            content(ObjectBuilder::new(), example),
        )
        .fails(errors, EVERY);
    PathItem::new(HttpMethod::Get, stats)
}

fn requests(hit: u64, miss: u64) -> Value {
    let bypass = json!({
        "not-coherent": 0, "feed-lost": 0, "expired": 0, "too-large": 0, "store-unreachable": 0,
        "request": 0, "passthrough": 0, "not-allowed": 0, "order": 0, "state": 0, "user": 0,
    });
    json!({
        "hit": hit, "miss": miss, "collapsed": 0, "not-cached": 0, "bypass": bypass, "error": 0,
    })
}

fn writes(done: u64) -> Value {
    json!({ "done": done, "refused": 0, "error": 0 })
}

pub(super) fn passthrough(errors: &ErrorResponses) -> PathItem {
    let get = Operation::new(TAG, "passthrough", "Whether pass-through is on")
        .json("The state of the switch", switch_state())
        .fails(errors, EVERY);
    PathItem::new(HttpMethod::Get, get)
}

pub(super) fn switch(errors: &ErrorResponses) -> PathItem {
    let put = Operation::new(TAG, "switch", "Turn pass-through on or off")
        .about(
            "While it is on, every read goes to the store and nothing is cached: the first thing to \
             try when a cached value is suspected to be wrong. Each change of the switch empties \
             the memory. It is off after a restart.",
        )
        .path_parameter("switch", "`on` or `off`", "off")
        .json("The new state of the switch", switch_state())
        .response(400, response(&not_a_switch(), "Neither `on` nor `off`"))
        .fails(errors, EVERY);
    PathItem::new(HttpMethod::Put, put)
}

fn switch_state() -> Content {
    content(Ref::from_schema_name("Passthrough"), json!({ "passthrough": false }))
}

pub(super) fn metrics(errors: &ErrorResponses) -> PathItem {
    let example = "# HELP larder_near_hits Lookups that found an entry in the near cache.\n\
                   # TYPE larder_near_hits counter\n\
                   larder_near_hits_total 40\n# EOF\n";
    let metrics = Operation::new(TAG, "metrics", "All counters, for Prometheus")
        .text("The counters in the OpenMetrics format", METRICS_MEDIA_TYPE, example)
        .fails(errors, EVERY);
    PathItem::new(HttpMethod::Get, metrics)
}

pub(super) fn livez(errors: &ErrorResponses) -> PathItem {
    let livez = Operation::new(TAG, "livez", "Whether the process runs")
        .open()
        .text("It runs", TEXT_MEDIA_TYPE, "ok\n")
        .fails(errors, OPEN);
    PathItem::new(HttpMethod::Get, livez)
}

pub(super) fn readyz(errors: &ErrorResponses) -> PathItem {
    let answer = |status: &str| {
        let example = json!({ "status": status, "coherent": true, "problems": [] });
        content(Ref::from_schema_name("Health"), example)
    };
    let readyz = Operation::new(TAG, "readyz", "Whether the server is ready for requests")
        .about("A degraded server is slower but correct, and still ready.")
        .open()
        .json("Ready", answer("ok"))
        .response(503, with_content("Draining", "application/json", answer("draining")))
        .fails(errors, OPEN);
    PathItem::new(HttpMethod::Get, readyz)
}

/// Returns the schema of the response of `/readyz`.
pub(super) fn health() -> ObjectBuilder {
    let status = string().enum_values(Some(["ok", "degraded", "draining"]));
    let coherent = ObjectBuilder::new()
        .schema_type(Type::Boolean)
        .description(Some("Whether values may be served from memory"));
    let problems = ArrayBuilder::new().items(string()).description(Some("What is wrong, in words"));
    ObjectBuilder::new()
        .property("status", status)
        .property("coherent", coherent)
        .property("problems", problems)
        .required("status")
        .required("coherent")
        .required("problems")
}
