//! Loaded values that are on their way into the store.
//!
//! A loaded value that a delete overtook is in the store for a moment, until it is deleted again.
//! The delete waits for that, so that later readers do not see what it deleted.

use crate::{
    coherence::flight::{Flight, FlightWaiter},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};
use hashbrown::HashMap;
use std::sync::Arc;

/// See the [module](self).
pub(super) struct PendingLoads {
    flights: Mutex<Flights>,
    /// How many names there are, so that the usual look-up, in an empty map, takes no lock.
    names: AtomicUsize,
}

type Flights = HashMap<Box<[u8]>, Vec<Arc<Flight<()>>>, foldhash::fast::RandomState>;

impl Default for PendingLoads {
    fn default() -> Self {
        Self { flights: Mutex::new(HashMap::default()), names: AtomicUsize::new(0) }
    }
}

/// A loaded value on its way. Dropped when the store holds it, or never will.
pub(crate) struct PendingLoad<'a> {
    loads: &'a PendingLoads,
    name: &'a [u8],
    flight: Arc<Flight<()>>,
}

impl PendingLoads {
    pub(super) fn begin<'a>(&'a self, name: &'a [u8]) -> PendingLoad<'a> {
        let flight = Arc::new(Flight::new());
        let mut flights = self.flights.lock();
        flights.entry(name.into()).or_default().push(Arc::clone(&flight));
        self.names.store(flights.len(), Relaxed);
        PendingLoad { loads: self, name, flight }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.names.load(Relaxed) == 0
    }

    /// Waits for the loads under this name that are pending now.
    pub(super) async fn settled(&self, name: &[u8]) {
        if self.is_empty() {
            return;
        }
        let waiters = waiters(self.flights.lock().get(name));
        wait(waiters).await;
    }

    /// Waits for all loads that are pending now.
    pub(super) async fn all_settled(&self) {
        let waiters = waiters(self.flights.lock().values());
        wait(waiters).await;
    }

    fn end(&self, load: &PendingLoad<'_>) {
        let mut flights = self.flights.lock();
        if let Some(of_name) = flights.get_mut(load.name) {
            of_name.retain(|flight| !Arc::ptr_eq(flight, &load.flight));
            if of_name.is_empty() {
                flights.remove(load.name);
            }
        }
        self.names.store(flights.len(), Relaxed);
    }
}

fn waiters<'a>(
    flights: impl IntoIterator<Item = &'a Vec<Arc<Flight<()>>>>,
) -> Vec<FlightWaiter<()>> {
    flights.into_iter().flatten().map(FlightWaiter::on).collect()
}

async fn wait(waiters: Vec<FlightWaiter<()>>) {
    for waiter in waiters {
        waiter.await;
    }
}

impl Drop for PendingLoad<'_> {
    fn drop(&mut self) {
        self.loads.end(self);
        self.flight.complete(());
    }
}
