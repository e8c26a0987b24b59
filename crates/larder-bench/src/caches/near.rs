//! The near cache without the engine: it caches what it is given, here without a time to live, as
//! most of the other libraries do.

use larder_core::near::{Near, Policy, ReadView};
use larder_core::{Key as Name, Moment};

use crate::caches::cache::{Cache, Capacity};
use crate::caches::engine::{Payload, SWEEP_VISITS, bytes_of, near_config};
use crate::caches::entry::{Key, Value, copy_value, value_of};

/// One moment for all reads, as no entry expires.
const VIEW: ReadView = ReadView::standalone(Moment::START);

/// The near cache by itself.
pub struct NearCache(Near<Payload>);

impl NearCache {
    /// Creates an empty cache under the default policy.
    pub fn new(capacity: Capacity) -> Self {
        Self(Near::new(&near_config(capacity, Policy::ClockPro)))
    }
}

impl Cache for NearCache {
    fn get(&self, key: &Key, value: &mut Value) -> bool {
        let found =
            self.0.get(Name::plain(key, 0), VIEW, |cached, _| copy_value(bytes_of(&cached), value));
        found == Some(true)
    }

    fn insert(&self, key: &Key, value: &mut Value) {
        *value = value_of(key);
        let payload: Payload = Some(value.as_slice().into());
        self.0.insert(Name::plain(key, 0), &payload, Moment::NEVER, VIEW);
    }

    fn clear(&self) {
        self.0.clear();
    }

    fn len(&self) -> u64 {
        self.0.counts().items
    }

    fn run_pending(&self) {
        self.0.sweep(VIEW, SWEEP_VISITS);
    }
}
