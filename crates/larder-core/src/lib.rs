//! The engine of Larder: what is remembered, and why that is still true.
//!
//! Read it downwards: [`Tiers`] joins the parts and `fetch` holds every decision; [`near`] is the
//! memory; [`coherence`] decides what may enter it and for how long it may be served; [`Store`] and
//! [`Origin`] are the roads to what is slower.
//!
//! What never happens here: a socket is opened, a thread is started, a clock is read that was not
//! handed in, something enters the near tier of an engine without a live lease.

pub mod clock;
pub mod coherence;
mod engine;
pub mod expiry;
mod fetch;
pub mod memory_store;
pub mod near;
mod origin;
mod store;
mod sync;
mod value;

pub use clock::{Clock, Moment};
pub use engine::{
    Engine, EngineConfig, EngineCounts, Fill, FillOutcome, FlushCause, KeyFilter, LeaseView,
    NotCached, WriteGuard,
};
pub use fetch::{Bypass, FetchError, Fetched, Found, Load, PendingFetch, Tiers};
pub use memory_store::MemoryStore;
pub use origin::{BoxFuture, Origin, OriginError};
pub use store::{Key, Put, Store, StoreError};
pub use value::{CachedRef, Value};
