//! `/metrics`: every counter in the OpenMetrics text format. No label has a value per key.

use super::{health::Health, reasons};
use crate::{
    app::App,
    stats::{reads::ReadStats, verify::VerifyCounts, writes::WriteStats},
    verify::Verifier,
};
use larder_core::{EngineCounts, near::NearCounts};
use larder_redis::TrackingTable;
use prometheus_client::{
    encoding::text::encode,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::{ConstGauge, Gauge},
    },
    registry::{Registry, Unit},
};
use std::{fmt, sync::atomic::AtomicU64, time::Duration};

type Labels = Vec<(&'static str, String)>;

/// Returns all metrics as text.
pub(crate) fn exposition(app: &App) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("larder");
    register_requests(&mut registry, app);
    register_resp(&mut registry, app);
    register_latency(&mut registry, app);
    let counts = app.engine().counts();
    register_near(&mut registry, app, &counts.near);
    register_fills(&mut registry, &counts);
    register_feed(&mut registry, app, &counts);
    seconds(&mut registry, "uptime", "Time since the start", app.uptime());
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

fn register_requests(registry: &mut Registry, app: &App) {
    let requests = Family::<Labels, Counter>::default();
    add_reads(&requests, "http", &app.http_stats().reads);
    add_reads(&requests, "resp", app.resp_stats().results());
    registry.register("requests", "Reads of cacheable values by result", requests);
    let writes = Family::<Labels, Counter>::default();
    add_writes(&writes, "http", &app.http_stats().writes);
    add_writes(&writes, "resp", app.resp_stats().writes());
    registry.register("writes", "Writes by result", writes);
}

fn add_reads(requests: &Family<Labels, Counter>, listener: &str, reads: &ReadStats) {
    for (result, reason, count) in reads.by_result() {
        let labels = vec![
            ("listener", listener.to_owned()),
            ("result", result.to_owned()),
            ("reason", reason.to_owned()),
        ];
        requests.get_or_create(&labels).inc_by(count);
    }
}

fn add_writes(family: &Family<Labels, Counter>, listener: &str, writes: &WriteStats) {
    for (result, count) in writes.counts().by_result() {
        let labels = vec![("listener", listener.to_owned()), ("result", result.to_owned())];
        family.get_or_create(&labels).inc_by(count);
    }
}

fn register_resp(registry: &mut Registry, app: &App) {
    let counts = app.resp_stats().counts();
    let forwarded = [
        ("read", counts.forwarded_reads),
        ("write", counts.forwarded_writes),
        ("other", counts.forwarded_others),
    ];
    let help = "Commands of Redis clients forwarded to the store";
    by_label(registry, "resp_forwarded_commands", help, "class", forwarded);
    let help = "Replies held until every invalidation before them was applied";
    counter(registry, "resp_fences", help, counts.fences);
    gauge(registry, "resp_connected_clients", "Redis clients connected", counts.clients);
    let help = "Connections of Redis clients accepted";
    counter(registry, "resp_connections_accepted", help, counts.accepted);
    let help = "Connections of Redis clients rejected";
    counter(registry, "resp_connections_rejected", help, counts.rejected);
    let help = "Connections to the store that serve one Redis client each";
    gauge(registry, "resp_upstream_connections", help, counts.upstreams);
    let help = "Connections to the store for one Redis client that could not be opened";
    counter(registry, "resp_upstream_connections_failed", help, counts.upstreams_failed);
}

fn register_latency(registry: &mut Registry, app: &App) {
    let latency = app.latency();
    registry.register_with_unit(
        "store_request_duration",
        "Time until the store answered a request of this process",
        Unit::Seconds,
        latency.store().clone(),
    );
    registry.register_with_unit(
        "resp_upstream_duration",
        "Time until the store answered a forwarded command that no other was ahead of",
        Unit::Seconds,
        latency.upstream().clone(),
    );
    for (name, histogram) in latency.origins() {
        registry
            .sub_registry_with_labels([("origin".into(), name.clone().into())].into_iter())
            .register_with_unit(
                "origin_load_duration",
                "Time until the origin answered",
                Unit::Seconds,
                histogram.clone(),
            );
    }
}

fn register_near(registry: &mut Registry, app: &App, near: &NearCounts) {
    let NearCounts { items, bytes, hits, misses, .. } = *near;
    gauge(registry, "near_items", "Entries in the near cache", items);
    gauge(registry, "near_bytes", "Memory used by the near cache, bookkeeping included", bytes);
    let limit = app.config().engine.near.bytes_max;
    gauge(registry, "near_max_bytes", "Maximum memory of the near cache (maxmemory)", limit);
    counter(registry, "near_hits", "Lookups that found an entry in the near cache", hits);
    counter(registry, "near_misses", "Lookups that found no entry in the near cache", misses);
    let help = "Entries removed from the near cache";
    by_label(registry, "near_evictions", help, "reason", reasons::evictions(near));
    if let Some(counts) = app.verifier().map(Verifier::counts) {
        let VerifyCounts { matching, mismatching, inconclusive } = counts;
        let results =
            [("match", matching), ("mismatch", mismatching), ("inconclusive", inconclusive)];
        let help = "Hits compared with the store (near-verify)";
        by_label(registry, "verified_hits", help, "result", results);
    }
}

fn register_fills(registry: &mut Registry, counts: &EngineCounts) {
    let in_flight = counts.fills_in_flight as u64;
    gauge(registry, "fills_in_flight", "Reads sent to the store and not yet answered", in_flight);
    let help = "Reads that waited for a fetch of the same key";
    counter(registry, "flights_joined", help, counts.flights_joined);
    let refused = counts.refused().map(|(reason, count)| (reason.name(), count));
    by_label(registry, "fills_refused", "Replies that were not cached", "reason", refused);
}

fn register_feed(registry: &mut Registry, app: &App, counts: &EngineCounts) {
    let engine = app.engine();
    let feed = engine.feed();
    counter(registry, "invalidations", "Keys that the store invalidated", counts.invalidations);
    let help = "Keys that the store invalidated and that were not cached";
    counter(registry, "invalidations_uncached", help, counts.invalidations_uncached);
    register_tracking(registry, app);
    counter(registry, "epochs", "Tracking connections established", counts.epochs);
    let flushes = counts.flushes().map(|(cause, count)| (cause.name(), count));
    by_label(registry, "flushes", "Times the whole near cache was invalidated", "cause", flushes);
    let help = "1 while the last heartbeat is younger than the staleness bound";
    gauge(registry, "coherent", help, u64::from(Health::of(app).coherent));
    let help = "1 while every read goes to the store";
    gauge(registry, "passthrough", help, u64::from(feed.is_passthrough()));
    if let Some(age) = feed.age(engine.clock().now()) {
        let help = "Time since the newest answered heartbeat was sent";
        seconds(registry, "feed_age", help, age);
    }
    let help = "Feed age above which the near cache serves nothing";
    seconds(registry, "staleness_bound", help, feed.bound());
}

fn register_tracking(registry: &mut Registry, app: &App) {
    let Some(TrackingTable { keys, items, keys_max }) = app.tracking_stats().table() else {
        return;
    };
    gauge(registry, "tracking_keys", "Keys that the store tracks for all its clients", keys);
    let help = "Pairs of a key and a client in the store's tracking table";
    gauge(registry, "tracking_items", help, items);
    if let Some(max) = keys_max {
        let help = "Maximum keys that the store tracks (tracking-table-max-keys)";
        gauge(registry, "tracking_max_keys", help, max);
    }
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: u64) {
    let gauge = Gauge::<u64, AtomicU64>::default();
    gauge.set(value);
    registry.register(name, help, gauge);
}

fn seconds(registry: &mut Registry, name: &str, help: &str, value: Duration) {
    registry.register_with_unit(name, help, Unit::Seconds, ConstGauge::new(value.as_secs_f64()));
}

fn counter(registry: &mut Registry, name: &str, help: &str, value: u64) {
    let counter = Counter::<u64>::default();
    counter.inc_by(value);
    registry.register(name, help, counter);
}

fn by_label(
    registry: &mut Registry,
    name: &str,
    help: &str,
    label: &'static str,
    counts: impl IntoIterator<Item = (&'static str, u64)>,
) {
    let family = Family::<Labels, Counter>::default();
    for (value, count) in counts {
        family.get_or_create(&vec![(label, value.to_owned())]).inc_by(count);
    }
    registry.register(name, help, family);
}
