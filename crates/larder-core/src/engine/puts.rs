//! Loaded values on their way into the store.
//!
//! One that a delete overtook stands in the store for a moment, until it is taken back. The delete
//! waits for that, so that who comes after it does not see what was deleted.

use super::Engine;
use crate::{
    Value,
    coherence::flight::{Flight, Seat},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};
use hashbrown::HashMap;
use std::sync::Arc;

pub(super) struct Puts {
    under_way: Mutex<UnderWay>,
    /// How many names there are, so that the usual look-up, in an empty map, takes no lock.
    names: AtomicUsize,
}

type UnderWay = HashMap<Box<[u8]>, Vec<Arc<Flight<()>>>, foldhash::fast::RandomState>;

impl Default for Puts {
    fn default() -> Self {
        Self { under_way: Mutex::new(HashMap::default()), names: AtomicUsize::new(0) }
    }
}

/// A put under way; over when dropped.
pub(crate) struct PutUnderWay<'a, V: Value> {
    engine: &'a Engine<V>,
    name: &'a [u8],
    flight: Arc<Flight<()>>,
}

impl<V: Value> Engine<V> {
    /// Announces the put of a loaded value. Whether the load's lease holds is to be asked after
    /// this: then either the put is not made, or whoever voids the lease finds it here.
    pub(crate) fn begin_put<'a>(&'a self, name: &'a [u8]) -> PutUnderWay<'a, V> {
        let flight = Arc::new(Flight::new());
        let mut under_way = self.puts.under_way.lock();
        under_way.entry(name.into()).or_default().push(Arc::clone(&flight));
        self.puts.names.store(under_way.len(), Relaxed);
        PutUnderWay { engine: self, name, flight }
    }

    /// Waits until loaded values that are on their way into the store under this name have arrived
    /// there, or have been taken back. To be called when a write that deletes was answered.
    pub async fn puts_over(&self, name: &[u8]) {
        if self.puts.names.load(Relaxed) == 0 {
            return;
        }
        let seats: Vec<_> = {
            let under_way = self.puts.under_way.lock();
            under_way.get(name).into_iter().flatten().map(Seat::on).collect()
        };
        for seat in seats {
            seat.await;
        }
    }
}

impl<V: Value> Engine<V> {
    /// Whether any loaded value is on its way into the store.
    pub fn has_puts(&self) -> bool {
        self.puts.names.load(Relaxed) > 0
    }

    /// As [`Engine::puts_over`], under every name.
    pub async fn all_puts_over(&self) {
        let seats: Vec<_> = {
            let under_way = self.puts.under_way.lock();
            under_way.values().flatten().map(Seat::on).collect()
        };
        for seat in seats {
            seat.await;
        }
    }
}

impl<V: Value> Drop for PutUnderWay<'_, V> {
    fn drop(&mut self) {
        let mut under_way = self.engine.puts.under_way.lock();
        if let Some(flights) = under_way.get_mut(self.name) {
            flights.retain(|flight| !Arc::ptr_eq(flight, &self.flight));
            if flights.is_empty() {
                under_way.remove(self.name);
            }
        }
        self.engine.puts.names.store(under_way.len(), Relaxed);
        drop(under_way);
        self.flight.land(());
    }
}
