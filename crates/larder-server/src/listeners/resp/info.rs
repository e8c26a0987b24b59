//! `INFO`: the store's text and a section of our own.

use crate::{app::App, health::Condition, verify::Verifier};
use bytes::{BufMut, BytesMut};
use larder_resp::reply::{self, Frame};
use std::fmt::Write;

/// Writes the store's reply to `INFO` with our section behind its text.
pub(super) fn with_our_section(app: &App, theirs: &Frame<'_>, out: &mut BytesMut) {
    let is_verbatim = matches!(theirs, Frame::Verbatim { .. });
    let Some(text) = theirs.as_str_bytes() else {
        if let Some(error) = theirs.as_error() {
            reply::error(out, error);
        }
        return;
    };
    let ours = section(app);
    let mut joined = Vec::with_capacity(text.len() + ours.len() + 2);
    joined.extend_from_slice(text);
    if !text.is_empty() {
        joined.extend_from_slice(b"\r\n");
    }
    joined.extend_from_slice(ours.as_bytes());
    if is_verbatim {
        out.put_slice(format!("={}\r\ntxt:", joined.len() + 4).as_bytes());
        out.put_slice(&joined);
        out.put_slice(b"\r\n");
    } else {
        reply::bulk(out, &joined);
    }
}

/// The section, as Redis writes its own.
fn section(app: &App) -> String {
    let condition = Condition::of(app);
    let engine = app.engine();
    let counts = engine.counts();
    let age = engine.feed().age(engine.clock().now());
    let traffic = app.resp_stats().counts();
    let results = app.resp_stats().results().counts();
    let mut text = String::from("# Larder\r\n");
    let mut line = |name: &str, value: &dyn std::fmt::Display| {
        // Writing to a string does not fail.
        write!(text, "{name}:{value}\r\n").ok();
    };
    line("larder_version", &env!("CARGO_PKG_VERSION"));
    line("larder_status", &condition.status);
    line("larder_coherent", &u8::from(condition.coherent));
    line("larder_feed_age_ms", &age.map_or(-1, |age| i64::try_from(age.as_millis()).unwrap_or(-1)));
    line("larder_near_items", &counts.near.items);
    line("larder_near_bytes", &counts.near.bytes);
    line("larder_near_maxmemory", &app.config().engine.near.bytes_max);
    line("larder_hits", &results.hit);
    line("larder_misses", &results.miss);
    line("larder_collapsed", &results.collapsed);
    line("larder_bypasses", &results.bypasses());
    line("larder_passthrough", &u8::from(engine.feed().is_passthrough()));
    if let Some(verified) = app.verifier().map(Verifier::counts) {
        line("larder_verified_same", &verified.same);
        line("larder_verified_different", &verified.different);
    }
    line("larder_fences", &traffic.fences);
    line("larder_clients", &traffic.clients);
    line("larder_upstreams", &traffic.upstreams);
    line("larder_uptime_in_seconds", &app.uptime().as_secs());
    text
}
