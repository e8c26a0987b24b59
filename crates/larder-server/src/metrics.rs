//! What is counted and how long things took, as Prometheus reads it. No label per key.

use crate::{
    app::App,
    health::Condition,
    verify::{Verified, Verifier},
};
use larder_core::{
    BoxFuture, Bypass, Clock, Fetched, Found, Origin, OriginError, near::NearCounts,
};
use prometheus_client::{
    encoding::text::encode,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::{ConstGauge, Gauge},
        histogram::Histogram,
    },
    registry::{Registry, Unit},
};
use serde::Serialize;
use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

type Labels = Vec<(&'static str, String)>;

/// See the [module](self).
pub(crate) struct Metrics {
    http: Results,
    store_seconds: Histogram,
    upstream_seconds: Histogram,
    origin_seconds: Vec<(String, Histogram)>,
}

/// Reads by how they were answered, of one listener.
#[derive(Default)]
pub(crate) struct Results {
    hit: AtomicU64,
    miss: AtomicU64,
    collapsed: AtomicU64,
    error: AtomicU64,
    bypass: [AtomicU64; Bypass::ALL.len()],
}

/// A reading of [`Results`].
#[derive(Serialize)]
pub(crate) struct ResultCounts {
    pub(crate) hit: u64,
    pub(crate) miss: u64,
    pub(crate) collapsed: u64,
    bypass: serde_json::Map<String, serde_json::Value>,
    error: u64,
}

impl ResultCounts {
    /// Reads that went past the near tier, whatever the reason.
    pub(crate) fn bypasses(&self) -> u64 {
        self.bypass.values().filter_map(serde_json::Value::as_u64).sum()
    }
}

impl Results {
    /// So many reads were answered from memory.
    pub(crate) fn hits(&self, count: u64) {
        self.hit.fetch_add(count, Relaxed);
    }

    /// A read was answered.
    pub(crate) fn answered<V>(&self, fetched: &Fetched<V>) {
        let counter = match fetched.found {
            _ if fetched.collapsed => &self.collapsed,
            Found::Near(_) => &self.hit,
            Found::Store { .. } => &self.miss,
            Found::Bypass(why) => return self.bypassed(why),
        };
        counter.fetch_add(1, Relaxed);
    }

    /// A read went past the near tier.
    pub(crate) fn bypassed(&self, why: Bypass) {
        if let Some(counter) = self.bypass.get(why as usize) {
            counter.fetch_add(1, Relaxed);
        }
    }

    /// A read found neither value nor absence.
    pub(crate) fn failed(&self) {
        self.error.fetch_add(1, Relaxed);
    }

    pub(crate) fn counts(&self) -> ResultCounts {
        let bypass = Bypass::ALL.iter().zip(&self.bypass);
        ResultCounts {
            hit: self.hit.load(Relaxed),
            miss: self.miss.load(Relaxed),
            collapsed: self.collapsed.load(Relaxed),
            bypass: bypass
                .map(|(why, count)| (why.name().to_owned(), count.load(Relaxed).into()))
                .collect(),
            error: self.error.load(Relaxed),
        }
    }

    fn add_to(&self, requests: &Family<Labels, Counter>, listener: &str) {
        let set = |result: &str, reason: &str, count: &AtomicU64| {
            let labels = vec![
                ("listener", listener.to_owned()),
                ("result", result.to_owned()),
                ("reason", reason.to_owned()),
            ];
            requests.get_or_create(&labels).inc_by(count.load(Relaxed));
        };
        set("hit", "", &self.hit);
        set("miss", "", &self.miss);
        set("collapsed", "", &self.collapsed);
        set("error", "", &self.error);
        for (why, count) in Bypass::ALL.iter().zip(&self.bypass) {
            set("bypass", why.name(), count);
        }
    }
}

impl Metrics {
    pub(crate) fn new<'a>(origins: impl Iterator<Item = &'a str>) -> Self {
        Self {
            http: Results::default(),
            store_seconds: histogram(),
            upstream_seconds: histogram(),
            origin_seconds: origins.map(|name| (name.to_owned(), histogram())).collect(),
        }
    }

    /// Reads over HTTP.
    pub(crate) fn http(&self) -> &Results {
        &self.http
    }

    /// The store answered, or failed to, after this long.
    pub(crate) fn store_answered(&self, after: Duration) {
        self.store_seconds.observe(after.as_secs_f64());
    }

    /// The store answered a command of a Redis client's that was relayed to it after this long.
    pub(crate) fn upstream_answered(&self, after: Duration) {
        self.upstream_seconds.observe(after.as_secs_f64());
    }

    /// An origin whose loads are timed.
    pub(crate) fn metered<'a>(&'a self, origin: &'a dyn Origin, clock: &'a Clock) -> Metered<'a> {
        let seconds = self.origin_seconds.iter().find(|(name, _)| name == origin.name());
        Metered { origin, clock, seconds: seconds.map(|(_, seconds)| seconds) }
    }
}

/// See [`Metrics::metered`].
pub(crate) struct Metered<'a> {
    origin: &'a dyn Origin,
    clock: &'a Clock,
    seconds: Option<&'a Histogram>,
}

impl Origin for Metered<'_> {
    fn name(&self) -> &str {
        self.origin.name()
    }

    fn load<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<bytes::Bytes>, OriginError>> {
        Box::pin(async move {
            let begun = self.clock.now();
            let loaded = self.origin.load(id).await;
            if let Some(seconds) = self.seconds {
                seconds.observe(self.clock.now().since(begun).as_secs_f64());
            }
            loaded
        })
    }
}

/// Everything, in the OpenMetrics text format.
pub(crate) fn exposition(app: &App) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("larder");
    register_requests(&mut registry, app);
    register_engine(&mut registry, app);
    let metrics = app.metrics();
    registry.register_with_unit(
        "store_request_duration",
        "Time until the store answered a request of this process",
        Unit::Seconds,
        metrics.store_seconds.clone(),
    );
    registry.register_with_unit(
        "resp_upstream_duration",
        "Time until the store answered a relayed command that no other was before",
        Unit::Seconds,
        metrics.upstream_seconds.clone(),
    );
    for (name, seconds) in &metrics.origin_seconds {
        registry
            .sub_registry_with_labels([("origin".into(), name.clone().into())].into_iter())
            .register_with_unit(
                "origin_load_duration",
                "Time until the origin answered",
                Unit::Seconds,
                seconds.clone(),
            );
    }
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

fn register_requests(registry: &mut Registry, app: &App) {
    let requests = Family::<Labels, Counter>::default();
    app.metrics().http.add_to(&requests, "http");
    app.resp_stats().results().add_to(&requests, "resp");
    registry.register("requests", "Reads that may be kept, by how they were answered", requests);
    let resp = app.resp_stats().counts();
    let relayed = [
        ("read", resp.relayed_reads),
        ("write", resp.relayed_writes),
        ("other", resp.relayed_others),
    ];
    by_label(registry, "resp_relayed", "Commands sent to the store as they came", "class", relayed);
    let fences = "Replies held until every invalidation before them was applied";
    counter(registry, "resp_fences", fences, resp.fences);
    gauge(registry, "resp_clients", "Redis clients connected", resp.clients);
    counter(registry, "resp_clients_accepted", "Redis clients accepted", resp.accepted);
    counter(registry, "resp_clients_rejected", "Redis clients turned away", resp.rejected);
    gauge(
        registry,
        "resp_upstreams",
        "Connections to the store for single clients",
        resp.upstreams,
    );
    let refused = "Connections to the store for single clients that did not come about";
    counter(registry, "resp_upstreams_refused", refused, resp.upstreams_refused);
}

fn register_engine(registry: &mut Registry, app: &App) {
    let engine = app.engine();
    let counts = engine.counts();
    let NearCounts { items, bytes, hits, misses, .. } = counts.near;
    gauge(registry, "near_items", "Entries in the near tier", items);
    gauge(registry, "near_bytes", "Bytes of the near tier, bookkeeping included", bytes);
    let limit = app.config().engine.near.bytes_max;
    gauge(registry, "near_limit_bytes", "Bytes that the near tier may hold", limit);
    let fills = counts.fills_under_way as u64;
    gauge(registry, "fills_under_way", "Reads on their way to the store", fills);

    counter(registry, "near_hits", "Look-ups that the near tier answered", hits);
    counter(registry, "near_misses", "Look-ups that the near tier did not answer", misses);
    let joined = counts.flights_joined;
    counter(registry, "flights_joined", "Reads that waited for another's fetch", joined);
    let changes = counts.invalidations;
    counter(registry, "invalidations", "Names that the feed said had changed", changes);
    counter(registry, "epochs", "Feed connections begun", counts.epochs);

    by_label(
        registry,
        "near_evictions",
        "Entries that left, by reason",
        "reason",
        evictions(&counts.near),
    );
    let refused = counts.refused().map(|(why, count)| (why.name(), count));
    by_label(registry, "fills_refused", "Replies not kept, by reason", "reason", refused);
    if let Some(verified) = app.verifier().map(Verifier::counts) {
        let Verified { same, different, undecided } = verified;
        let outcomes = [("same", same), ("different", different), ("undecided", undecided)];
        let help = "Hits compared with the store, by what came of it";
        by_label(registry, "verified", help, "outcome", outcomes);
    }
    let flushes = counts.flushes().map(|(cause, count)| (cause.name(), count));
    by_label(registry, "flushes", "Times everything was forgotten, by cause", "cause", flushes);

    let coherent = u64::from(Condition::of(app).coherent);
    gauge(registry, "coherent", "1 while the feed is younger than the staleness bound", coherent);
    let passthrough = u64::from(engine.feed().is_passthrough());
    gauge(registry, "passthrough", "1 while every read goes to the store", passthrough);
    gauge(registry, "uptime_seconds", "Time since the start", app.uptime().as_secs());
    if let Some(age) = engine.feed().age(engine.clock().now()) {
        registry.register_with_unit(
            "feed_age",
            "Time since the sending of the newest heartbeat that was answered",
            Unit::Seconds,
            ConstGauge::new(age.as_secs_f64()),
        );
    }
    registry.register_with_unit(
        "staleness_bound",
        "The feed age past which nothing is served from memory",
        Unit::Seconds,
        ConstGauge::new(engine.feed().bound().as_secs_f64()),
    );
}

/// Evictions by reason, under the names used everywhere.
pub(crate) fn evictions(near: &NearCounts) -> [(&'static str, u64); 4] {
    [
        ("full", near.evicted_full),
        ("expired", near.evicted_expired),
        ("invalidation", near.evicted_invalidation),
        ("ended", near.evicted_ended),
    ]
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: u64) {
    let gauge = Gauge::<u64, AtomicU64>::default();
    gauge.set(value);
    registry.register(name, help, gauge);
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

/// From 50 microseconds, a store next door, to 10 seconds.
fn histogram() -> Histogram {
    Histogram::new([
        0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
        0.5, 1.0, 2.5, 5.0, 10.0,
    ])
}
