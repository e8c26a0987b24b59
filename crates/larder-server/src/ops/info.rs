//! The `# Larder` section of `INFO`.

use super::health::Health;
use crate::{app::App, verify::Verifier};
use std::fmt::{Display, Write};

/// Returns the section, in the form that Redis gives its own.
pub(crate) fn section(app: &App) -> String {
    let health = Health::of(app);
    let engine = app.engine();
    let counts = engine.counts();
    let age = engine.feed().age(engine.clock().now());
    let resp = app.resp_stats().counts();
    let reads = app.resp_stats().results().counts();
    let writes = app.resp_stats().writes().counts();
    let mut text = String::from("# Larder\r\n");
    let mut line = |name: &str, value: &dyn Display| {
        // Writing to a string does not fail.
        write!(text, "larder_{name}:{value}\r\n").ok();
    };
    line("version", &env!("CARGO_PKG_VERSION"));
    line("status", &health.status);
    line("coherent", &u8::from(health.coherent));
    line("feed_age_ms", &age.map_or(-1, |age| i64::try_from(age.as_millis()).unwrap_or(-1)));
    line("near_items", &counts.near.items);
    line("near_bytes", &counts.near.bytes);
    line("near_maxmemory", &app.config().engine.near.bytes_max);
    line("hits", &reads.hit);
    line("misses", &reads.miss);
    line("collapsed", &reads.collapsed);
    line("bypasses", &reads.bypasses());
    line("read_errors", &reads.error);
    line("writes", &writes.done);
    line("writes_refused", &writes.refused);
    line("write_errors", &writes.error);
    line("invalidations", &counts.invalidations);
    line("invalidations_uncached", &counts.invalidations_uncached);
    if let Some(table) = app.tracking_stats().table() {
        line("tracking_total_keys", &table.keys);
        line("tracking_total_items", &table.items);
    }
    line("passthrough", &u8::from(engine.feed().is_passthrough()));
    if let Some(verified) = app.verifier().map(Verifier::counts) {
        line("verified_match", &verified.matching);
        line("verified_mismatch", &verified.mismatching);
    }
    line("fences", &resp.fences);
    line("connected_clients", &resp.clients);
    line("upstream_connections", &resp.upstreams);
    line("uptime_in_seconds", &app.uptime().as_secs());
    text
}
