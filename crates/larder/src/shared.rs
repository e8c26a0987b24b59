//! What the clones of a cache share, and what can be done without loading.

use crate::{
    breaker::Breaker,
    counters::Counters,
    entry::{Entry, Source},
    key::Name,
    policy::{Policy, ttl_until},
    slot::{Held, Slot},
};
use larder_core::{CachedRef, Engine, Key, LoadRole, Moment};
use larder_expiry::Expiry;
use std::{sync::Arc, time::Duration};

/// See the [module](self).
pub(crate) struct Shared<V: Send + Sync + 'static> {
    pub(crate) name: Box<str>,
    /// In front of every name. Empty in memory that no other cache shares.
    pub(crate) prefix: Box<str>,
    pub(crate) engine: Arc<Engine<Slot<V>>>,
    pub(crate) policy: Policy,
    pub(crate) breaker: Breaker,
    pub(crate) counters: Counters,
    pub(crate) weigher: Box<dyn Fn(&V) -> usize + Send + Sync>,
}

/// What the near cache has under a name.
pub(crate) enum Look<V> {
    Fresh(Hit<V>),
    Stale(Arc<Held<V>>),
    /// The loader had no value.
    Absent,
    Nothing,
}

/// A fresh value.
pub(crate) struct Hit<V> {
    pub(crate) value: V,
    pub(crate) made: Moment,
    pub(crate) fresh_until: Moment,
    pub(crate) now: Moment,
}

impl<V> Hit<V> {
    pub(crate) fn into_entry(self) -> Entry<V> {
        Entry {
            value: self.value,
            source: Source::Near,
            age: self.now.since(self.made),
            ttl: remaining(self.fresh_until, self.now),
            is_stale: false,
        }
    }
}

impl<V: Clone + Send + Sync + 'static> Shared<V> {
    /// Looks a name up in the near cache. Allocates nothing.
    #[inline]
    pub(crate) fn look(&self, name: &Name) -> Look<V> {
        let now = self.now();
        let key = key(name);
        let Some(view) = self.engine.feed_of(key).read_view(now) else { return Look::Nothing };
        let look = |cached: CachedRef<'_, Slot<V>>, _| match cached {
            CachedRef::Value(Slot::Held(held)) => self.look_at(held, now),
            CachedRef::Value(Slot::Absent) => Look::Absent,
            CachedRef::Value(Slot::Unknown | Slot::Failed(_)) | CachedRef::Bytes(_) => {
                Look::Nothing
            }
        };
        self.engine.reader(view).get(key, look).unwrap_or(Look::Nothing)
    }

    #[inline]
    fn look_at(&self, held: &Arc<Held<V>>, now: Moment) -> Look<V> {
        let fresh_until = self.policy.fresh_until(held);
        if fresh_until <= now {
            return Look::Stale(Arc::clone(held));
        }
        if self.policy.idle.is_some() {
            held.use_at(now);
        }
        Look::Fresh(Hit { value: held.value.clone(), made: held.made, fresh_until, now })
    }

    /// Returns the cached value, fresh or stale.
    pub(crate) fn any_held(&self, name: &Name) -> Option<Arc<Held<V>>> {
        let key = key(name);
        let view = self.engine.read_view(key)?;
        let held = |cached: CachedRef<'_, Slot<V>>| match cached {
            CachedRef::Value(Slot::Held(held)) => Some(Arc::clone(held)),
            CachedRef::Value(_) | CachedRef::Bytes(_) => None,
        };
        self.engine.reader(view).peek(key, held).flatten()
    }

    /// Returns a value that was made now, and until when the near cache holds it.
    pub(crate) fn hold(
        &self,
        name: &Name,
        value: V,
        chosen: Option<&Expiry>,
    ) -> (Arc<Held<V>>, Moment) {
        let (now, unix) = (self.now(), self.engine.clock().unix());
        let deadlines = self.policy.deadlines(chosen, name.as_bytes(), now, unix);
        let bytes = (self.weigher)(&value);
        let held = Arc::new(Held::new(value, now, deadlines.fresh_until, bytes));
        (held, deadlines.kept_until)
    }

    /// Puts a value into the near cache. A load that is under way will not replace it.
    pub(crate) fn insert(&self, name: &Name, value: V, chosen: Option<&Expiry>) {
        // No load is as young as this, so none is joined.
        let role = self.engine.join_or_lead_load(key(name), Moment::NEVER);
        if let LoadRole::Leading(fill) = role {
            let (held, until) = self.hold(name, value, chosen);
            let ttl = ttl_until(fill.sent(), until);
            drop(fill.complete(Slot::Held(held), ttl));
        }
    }

    pub(crate) fn invalidate(&self, name: &Name) {
        self.engine.invalidate(name.as_bytes());
    }

    pub(crate) fn entry(&self, held: &Held<V>, source: Source) -> Entry<V> {
        let now = self.now();
        let fresh_until = self.policy.fresh_until(held);
        Entry {
            value: held.value.clone(),
            source,
            age: now.since(held.made),
            ttl: remaining(fresh_until, now),
            is_stale: fresh_until <= now,
        }
    }

    /// Returns a stale entry, and counts it.
    pub(crate) fn stale_entry(&self, held: &Held<V>) -> Entry<V> {
        self.counters.stale();
        self.entry(held, Source::Near)
    }

    pub(crate) fn now(&self) -> Moment {
        self.engine.clock().now()
    }
}

pub(crate) fn key(name: &Name) -> Key<'_> {
    Key::plain(name.as_bytes(), 0)
}

fn remaining(until: Moment, now: Moment) -> Option<Duration> {
    (until != Moment::NEVER).then(|| until.since(now))
}
