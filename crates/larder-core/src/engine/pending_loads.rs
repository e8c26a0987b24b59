//! Loaded values on their way into the store.
//!
//! One that a delete overtook stands in the store for a moment, until it is taken back. The delete
//! waits for that, so that who comes after it does not see what was deleted.

use super::Engine;
use crate::{
    Value,
    coherence::flight::{Flight, FlightWaiter},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};
use hashbrown::HashMap;
use std::sync::Arc;

pub(super) struct PendingLoads {
    under_way: Mutex<UnderWay>,
    /// How many names there are, so that the usual look-up, in an empty map, takes no lock.
    names: AtomicUsize,
}

type UnderWay = HashMap<Box<[u8]>, Vec<Arc<Flight<()>>>, foldhash::fast::RandomState>;

impl Default for PendingLoads {
    fn default() -> Self {
        Self { under_way: Mutex::new(HashMap::default()), names: AtomicUsize::new(0) }
    }
}

/// A put under way; over when dropped.
pub(crate) struct PendingLoad<'a, V: Value> {
    engine: &'a Engine<V>,
    name: &'a [u8],
    flight: Arc<Flight<()>>,
}

impl<V: Value> Engine<V> {
    /// Announces the put of a loaded value. Whether the load's lease holds is to be asked after
    /// this: then either the put is not made, or whoever voids the lease finds it here.
    pub(crate) fn begin_load<'a>(&'a self, name: &'a [u8]) -> PendingLoad<'a, V> {
        let flight = Arc::new(Flight::new());
        let mut under_way = self.pending_loads.under_way.lock();
        under_way.entry(name.into()).or_default().push(Arc::clone(&flight));
        self.pending_loads.names.store(under_way.len(), Relaxed);
        PendingLoad { engine: self, name, flight }
    }

    /// Waits until loaded values that are on their way into the store under this name have arrived
    /// there, or have been taken back. To be called when a write that deletes was answered.
    pub async fn loads_settled(&self, name: &[u8]) {
        if self.pending_loads.names.load(Relaxed) == 0 {
            return;
        }
        let waiters: Vec<_> = {
            let under_way = self.pending_loads.under_way.lock();
            under_way.get(name).into_iter().flatten().map(FlightWaiter::on).collect()
        };
        for waiter in waiters {
            waiter.await;
        }
    }
}

impl<V: Value> Engine<V> {
    /// Whether any loaded value is on its way into the store.
    pub fn has_pending_loads(&self) -> bool {
        self.pending_loads.names.load(Relaxed) > 0
    }

    /// As [`Engine::loads_settled`], under every name.
    pub async fn all_loads_settled(&self) {
        let waiters: Vec<_> = {
            let under_way = self.pending_loads.under_way.lock();
            under_way.values().flatten().map(FlightWaiter::on).collect()
        };
        for waiter in waiters {
            waiter.await;
        }
    }
}

impl<V: Value> Drop for PendingLoad<'_, V> {
    fn drop(&mut self) {
        let mut under_way = self.engine.pending_loads.under_way.lock();
        if let Some(flights) = under_way.get_mut(self.name) {
            flights.retain(|flight| !Arc::ptr_eq(flight, &self.flight));
            if flights.is_empty() {
                under_way.remove(self.name);
            }
        }
        self.engine.pending_loads.names.store(under_way.len(), Relaxed);
        drop(under_way);
        self.flight.complete(());
    }
}
