//! A sample of what is served from memory is compared with the store: cheap trust.
//!
//! An entry is looked up, the store is asked for the same, and then the feed is waited for. If the
//! entry is still there, the store had nothing to tell of its key until after it answered, so both
//! must be the same. Where they are not, the entry is forgotten, counted and logged.

use crate::app::App;
use larder_core::{Key, Moment, ReadStore};
use larder_redis::Reply;
use larder_resp::reply::Frame;
use serde::Serialize;
use std::{
    num::NonZeroU64,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use tokio::sync::mpsc;

/// Samples that may wait to be compared; more are not taken.
const WAITING_MAX: usize = 64;

/// See the [module](self).
pub(crate) struct Verifier {
    /// One hit in so many is compared.
    every: NonZeroU64,
    hits: AtomicU64,
    samples: mpsc::Sender<Sample>,
    same: AtomicU64,
    different: AtomicU64,
    undecided: AtomicU64,
}

/// The comparisons so far, by what came of them.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Verified {
    /// Memory and store had the same.
    pub(crate) same: u64,
    /// They had not: a fault.
    pub(crate) different: u64,
    /// The key changed meanwhile, the store did not answer, or too many comparisons waited.
    pub(crate) undecided: u64,
}

/// Something served from memory.
struct Sample {
    name: Box<[u8]>,
    db: u32,
    read: Box<[u8]>,
}

/// Where samples arrive.
pub(crate) struct Samples(mpsc::Receiver<Sample>);

enum Outcome {
    Same,
    Different,
    Undecided,
}

impl Verifier {
    pub(crate) fn new(every: NonZeroU64) -> (Self, Samples) {
        let (samples, arriving) = mpsc::channel(WAITING_MAX);
        let verifier = Self {
            every,
            hits: AtomicU64::new(0),
            samples,
            same: AtomicU64::new(0),
            different: AtomicU64::new(0),
            undecided: AtomicU64::new(0),
        };
        (verifier, Samples(arriving))
    }

    /// So many hits more: whether one of them is to be compared.
    pub(crate) fn is_due(&self, hits: u64) -> bool {
        let before = self.hits.fetch_add(hits, Relaxed);
        before / self.every != before.wrapping_add(hits) / self.every
    }

    /// Takes a sample.
    pub(crate) fn compare(&self, key: Key<'_>) {
        let Key { name, keyspace: db, variant: read } = key;
        let sample = Sample { name: name.into(), db, read: read.into() };
        if self.samples.try_send(sample).is_err() {
            self.undecided.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn counts(&self) -> Verified {
        Verified {
            same: self.same.load(Relaxed),
            different: self.different.load(Relaxed),
            undecided: self.undecided.load(Relaxed),
        }
    }

    fn count(&self, outcome: &Outcome) {
        let counter = match outcome {
            Outcome::Same => &self.same,
            Outcome::Different => &self.different,
            Outcome::Undecided => &self.undecided,
        };
        counter.fetch_add(1, Relaxed);
    }
}

impl Samples {
    /// Compares them one after the other, until the server ends.
    pub(crate) async fn verify(mut self, app: Weak<App>) {
        while let Some(sample) = self.0.recv().await {
            let Some(app) = app.upgrade() else { return };
            let key = Key { name: &sample.name, keyspace: sample.db, variant: &sample.read };
            let outcome = compare(&app, key).await;
            if matches!(outcome, Outcome::Different) {
                // Names and values may be secrets.
                tracing::error!("near-verify: memory and store differ; forgotten");
                app.engine().invalidate(&sample.name);
            }
            if let Some(verifier) = app.verifier() {
                verifier.count(&outcome);
            }
        }
    }
}

async fn compare(app: &Arc<App>, key: Key<'_>) -> Outcome {
    let Some(before) = read_cached(app, key) else { return Outcome::Undecided };
    let Ok(stored) = app.backend().read(key).await else { return Outcome::Undecided };
    app.backend().fence().await;
    match read_cached(app, key) {
        // The same entry: no two were filled at the same nanosecond.
        Some(after) if after == before && is_same(&before.0, &stored) => Outcome::Same,
        // The fields of a hash come in another order once Redis has moved them; a list's do not, but
        // its name does not tell it from them here.
        Some(after) if after == before && is_shuffled(&before.0, &stored) => Outcome::Undecided,
        Some(after) if after == before => Outcome::Different,
        _ => Outcome::Undecided,
    }
}

fn read_cached(app: &App, key: Key<'_>) -> Option<(Reply, Moment)> {
    let engine = app.engine();
    let view = engine.read_view(key)?;
    engine.get(key, view)
}

/// Members of a set and pairs of a map may come in another order each time.
fn is_same(kept: &Reply, stored: &Reply) -> bool {
    kept.bytes() == stored.bytes() || sorted(kept).is_some_and(|it| Some(it) == sorted(stored))
}

/// Whether two lists hold the same in another order.
fn is_shuffled(kept: &Reply, stored: &Reply) -> bool {
    let members = |reply: &Reply| match Frame::parse(reply.bytes()).ok()? {
        Frame::Array(members) => {
            let mut members: Vec<Vec<u8>> =
                members.map(|it| it.as_str_bytes().map(<[u8]>::to_vec)).collect::<Option<_>>()?;
            members.sort_unstable();
            Some(members)
        }
        _ => None,
    };
    members(kept).is_some_and(|it| Some(it) == members(stored))
}

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
    fn sets_and_maps_are_the_same_in_any_order() {
        let same = |one, other| is_same(&reply(one), &reply(other));
        assert!(same("$1\r\na\r\n", "$1\r\na\r\n") && !same("$1\r\na\r\n", "$1\r\nb\r\n"));
        assert!(same("~2\r\n+a\r\n+b\r\n", "~2\r\n+b\r\n+a\r\n"));
        assert!(!same("~2\r\n+a\r\n+b\r\n", "~2\r\n+a\r\n+c\r\n"));
        assert!(same("%2\r\n+a\r\n+1\r\n+b\r\n+2\r\n", "%2\r\n+b\r\n+2\r\n+a\r\n+1\r\n"));
        assert!(!same("%2\r\n+a\r\n+1\r\n+b\r\n+2\r\n", "%2\r\n+b\r\n+1\r\n+a\r\n+2\r\n"));
        assert!(!same("*2\r\n+a\r\n+b\r\n", "*2\r\n+b\r\n+a\r\n"), "lists have an order");
    }

    #[test]
    fn one_hit_in_so_many_is_due() {
        let (verifier, _samples) = Verifier::new(NonZeroU64::new(100).unwrap());
        let due = (0..1000).filter(|_| verifier.is_due(1)).count();
        assert_eq!(due, 10);
        assert!(!verifier.is_due(0) && verifier.is_due(250));
    }
}
