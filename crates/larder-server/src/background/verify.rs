//! Compares sampled hits with the store.
//!
//! The task reads the entry, reads the same from the store, and then waits for a fence. If the
//! entry is still cached, the store had sent no invalidation of its key before it answered, so both
//! values must be equal. If they are not, the entry is invalidated, counted and logged.

use crate::{app::App, stats::verify::Comparison, verify::Sample};
use larder_core::{Key, Moment, ReadStore};
use larder_redis::Reply;
use larder_resp::reply::Frame;
use std::sync::{Arc, Weak};
use tokio::sync::mpsc::Receiver;

/// Compares one sample after another until the server ends.
pub(super) async fn run(app: Weak<App>, mut samples: Receiver<Sample>) {
    while let Some(sample) = samples.recv().await {
        let Some(app) = app.upgrade() else { return };
        let key = sample.key();
        let comparison = compare(&app, key).await;
        if comparison == Comparison::Mismatch {
            // Keys and values may be secrets, so the log has neither.
            tracing::error!("near-verify: near cache and store differ; entry invalidated");
            app.engine().invalidate(key.name);
        }
        if let Some(verifier) = app.verifier() {
            verifier.record(comparison);
        }
    }
}

async fn compare(app: &Arc<App>, key: Key<'_>) -> Comparison {
    let Some(before) = read_cached(app, key) else { return Comparison::Inconclusive };
    let Ok(stored) = app.backend().read(key).await else { return Comparison::Inconclusive };
    app.backend().fence().await;
    match read_cached(app, key) {
        // The same entry: no two are filled in the same nanosecond.
        Some(after) if after == before && is_same(&before.0, &stored) => Comparison::Match,
        // Redis may return the fields of a hash in another order after it has moved them. A list
        // keeps its order, but nothing here tells a list from the fields of a hash.
        Some(after) if after == before && is_shuffled(&before.0, &stored) => {
            Comparison::Inconclusive
        }
        Some(after) if after == before => Comparison::Mismatch,
        _ => Comparison::Inconclusive,
    }
}

fn read_cached(app: &App, key: Key<'_>) -> Option<(Reply, Moment)> {
    let engine = app.engine();
    let view = engine.read_view(key)?;
    engine.get(key, view)
}

/// Returns whether two replies are equal, in any order where the order means nothing: Redis may
/// return the members of a set and the pairs of a map in another order each time.
fn is_same(cached: &Reply, stored: &Reply) -> bool {
    cached.bytes() == stored.bytes() || sorted(cached).is_some_and(|it| Some(it) == sorted(stored))
}

/// Returns whether two arrays have the same elements.
fn is_shuffled(cached: &Reply, stored: &Reply) -> bool {
    let elements = |reply: &Reply| match Frame::parse(reply.bytes()).ok()? {
        Frame::Array(elements) => {
            let mut elements: Vec<Vec<u8>> =
                elements.map(|it| it.as_str_bytes().map(<[u8]>::to_vec)).collect::<Option<_>>()?;
            elements.sort_unstable();
            Some(elements)
        }
        _ => None,
    };
    elements(cached).is_some_and(|it| Some(it) == elements(stored))
}

/// Returns the members of a set or the pairs of a map in one order.
fn sorted(reply: &Reply) -> Option<Vec<Vec<u8>>> {
    let text = |frame: Frame<'_>| frame.as_str_bytes().map(<[u8]>::to_vec);
    let mut members: Vec<Vec<u8>> = match Frame::parse(reply.bytes()).ok()? {
        Frame::Set(members) => members.map(text).collect::<Option<_>>()?,
        Frame::Map(mut pairs) => {
            let mut members = Vec::new();
            while let Some(name) = pairs.next() {
                let (name, value) = (text(name)?, text(pairs.next()?)?);
                members.push([&name[..], b"\0", &value].concat());
            }
            members
        }
        _ => return None,
    };
    members.sort_unstable();
    Some(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(text: &str) -> Reply {
        Reply::copy_of(text.as_bytes())
    }

    #[test]
    fn sets_and_maps_are_equal_in_any_order() {
        let same = |one, other| is_same(&reply(one), &reply(other));
        assert!(same("$1\r\na\r\n", "$1\r\na\r\n") && !same("$1\r\na\r\n", "$1\r\nb\r\n"));
        assert!(same("~2\r\n+a\r\n+b\r\n", "~2\r\n+b\r\n+a\r\n"));
        assert!(!same("~2\r\n+a\r\n+b\r\n", "~2\r\n+a\r\n+c\r\n"));
        assert!(same("%2\r\n+a\r\n+1\r\n+b\r\n+2\r\n", "%2\r\n+b\r\n+2\r\n+a\r\n+1\r\n"));
        assert!(!same("%2\r\n+a\r\n+1\r\n+b\r\n+2\r\n", "%2\r\n+b\r\n+1\r\n+a\r\n+2\r\n"));
        assert!(!same("*2\r\n+a\r\n+b\r\n", "*2\r\n+b\r\n+a\r\n"), "lists have an order");
    }
}
