//! The near tier by itself, without the engine that keeps it true to a store: as the others, it
//! keeps what it is given, and here without a time to live, as most of them.

use larder_core::near::{Near, Policy, ReadView};
use larder_core::{Key as Name, Moment};

use crate::caches::larder::{Payload, SWEEP_VISITS, bytes_of, plan};
use crate::caches::{Cache, Key, Size, Value, copy, value_of};

/// Where nothing has an end it is always the same time.
const SIGHT: ReadView = ReadView::standalone(Moment::START);

pub(super) struct NearTier(Near<Payload>);

impl NearTier {
    pub(super) fn new(size: Size) -> Self {
        Self(Near::new(&plan(size, Policy::ClockPro)))
    }
}

impl Cache for NearTier {
    fn read(&self, key: &Key, value: &mut Value) -> bool {
        let found = self.0.get(Name::get(key, 0), SIGHT, |seen, _| copy(bytes_of(&seen), value));
        found == Some(true)
    }

    fn insert(&self, key: &Key, value: &mut Value) {
        *value = value_of(key);
        let made: Payload = Some(value.as_slice().into());
        self.0.insert(Name::get(key, 0), &made, Moment::NEVER, SIGHT);
    }

    fn clear(&self) {
        self.0.clear();
    }

    fn len(&self) -> u64 {
        self.0.counts().items
    }

    fn settle(&self) {
        self.0.sweep(SIGHT, SWEEP_VISITS);
    }
}
