//! Response times of the store and of the origins.

use larder_core::{BoxFuture, Clock, Origin, OriginError};
use prometheus_client::metrics::histogram::Histogram;
use std::time::Duration;

/// Upper bounds in seconds: from 50 microseconds, a store on the same host, to 10 seconds.
const BUCKETS: [f64; 17] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 5.0, 10.0,
];

/// One histogram for each kind of request that leaves the process.
pub(crate) struct Latency {
    store: Histogram,
    upstream: Histogram,
    origins: Vec<(String, Histogram)>,
}

impl Latency {
    /// Creates empty histograms, one for each of these origins among them.
    pub(crate) fn new<'a>(origins: impl Iterator<Item = &'a str>) -> Self {
        Self {
            store: Histogram::new(BUCKETS),
            upstream: Histogram::new(BUCKETS),
            origins: origins.map(|name| (name.to_owned(), Histogram::new(BUCKETS))).collect(),
        }
    }

    /// Records how long the store took to answer a request of this process, or to fail.
    pub(crate) fn store_answered(&self, after: Duration) {
        self.store.observe(after.as_secs_f64());
    }

    /// Records how long the store took to answer a forwarded command of a Redis client.
    pub(crate) fn upstream_answered(&self, after: Duration) {
        self.upstream.observe(after.as_secs_f64());
    }

    /// Wraps an origin so that the duration of its loads is recorded.
    pub(crate) fn timed<'a>(&'a self, origin: &'a dyn Origin, clock: &'a Clock) -> TimedOrigin<'a> {
        let histogram = self.origins.iter().find(|(name, _)| name == origin.name());
        TimedOrigin { origin, clock, histogram: histogram.map(|(_, histogram)| histogram) }
    }

    pub(crate) fn store(&self) -> &Histogram {
        &self.store
    }

    pub(crate) fn upstream(&self) -> &Histogram {
        &self.upstream
    }

    /// Returns the origins' histograms by the origins' names.
    pub(crate) fn origins(&self) -> &[(String, Histogram)] {
        &self.origins
    }
}

/// See [`Latency::timed`].
pub(crate) struct TimedOrigin<'a> {
    origin: &'a dyn Origin,
    clock: &'a Clock,
    histogram: Option<&'a Histogram>,
}

impl Origin for TimedOrigin<'_> {
    fn name(&self) -> &str {
        self.origin.name()
    }

    fn load<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<bytes::Bytes>, OriginError>> {
        Box::pin(async move {
            let start = self.clock.now();
            let loaded = self.origin.load(id).await;
            if let Some(histogram) = self.histogram {
                histogram.observe(self.clock.now().since(start).as_secs_f64());
            }
            loaded
        })
    }
}
