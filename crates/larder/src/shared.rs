//! What the clones of a cache share, and what can be done without loading.

use crate::{
    breaker::Breaker,
    counters::Counters,
    entry::{Entry, Source},
    key::Name,
    policy::{Policy, ttl_until},
    slot::{Held, Slot},
    store::{NearLook, StoreTier},
};
use larder_core::{CachedRef, Engine, Key, LoadRole, Moment};
use larder_expiry::Expiry;
use std::{sync::Arc, time::Duration};

/// See the [module](self).
pub(crate) struct Shared<V: Send + Sync + 'static> {
    pub(crate) name: Box<str>,
    /// The store behind the memory.
    pub(crate) store: Option<StoreTier<V>>,
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
        match &self.store {
            None => self.look_near(name),
            Some(tier) => self.look_through(tier, name),
        }
    }

    /// Serves a decoded value only while the near cache of the store holds the very bytes that it was
    /// decoded from. So it is as coherent as they are.
    fn look_through(&self, tier: &StoreTier<V>, name: &Name) -> Look<V> {
        let held = self.any_held(name);
        let raw = held.as_ref().and_then(|held| held.raw.as_deref());
        match (tier.store.look(name.as_bytes(), raw), held) {
            (NearLook::Current(fresh_until), Some(held)) => Look::Fresh(Hit {
                value: held.value.clone(),
                made: held.made,
                fresh_until,
                now: self.now(),
            }),
            (_, Some(held)) => Look::Stale(held),
            (_, None) => Look::Nothing,
        }
    }

    #[inline]
    fn look_near(&self, name: &Name) -> Look<V> {
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
        let lookup = |cached: CachedRef<'_, Slot<V>>, _| held(cached);
        self.engine.reader(view).get(key, lookup).flatten()
    }

    /// Remembers a value that was decoded from what the store sent, and returns it.
    pub(crate) fn remember(
        &self,
        name: &Name,
        value: V,
        raw: &[u8],
        fresh_until: Moment,
    ) -> Arc<Held<V>> {
        let bytes = (self.weigher)(&value);
        let held = Arc::new(Held::new(value, self.now(), fresh_until, bytes).decoded_from(raw));
        self.put(name, &held, self.policy.kept_until(fresh_until));
        held
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
        let (held, until) = self.hold(name, value, chosen);
        self.put(name, &held, until);
    }

    fn put(&self, name: &Name, held: &Arc<Held<V>>, until: Moment) {
        // No load is as young as this, so none is joined.
        let role = self.engine.join_or_lead_load(key(name), Moment::NEVER);
        if let LoadRole::Leading(fill) = role {
            let ttl = ttl_until(fill.sent(), until);
            drop(fill.complete(Slot::Held(Arc::clone(held)), ttl));
        }
    }

    /// Whether a value may be served because a load failed. One from the store must have reached its
    /// end: if it left the store before, it was deleted or replaced.
    pub(crate) fn serves_on_error(&self, held: &Held<V>) -> bool {
        let now = self.now();
        let has_ended = self.store.is_none() || self.policy.fresh_until(held) <= now;
        has_ended && self.policy.serves_on_error(held, now)
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
