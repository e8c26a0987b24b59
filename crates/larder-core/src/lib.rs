//! The engine of Larder: a near cache in front of a store, and the coherence that keeps it correct.
//!
//! Read it downwards: [`Tiers`] finds values and holds the decisions; [`near`] is the cache itself;
//! [`coherence`] decides what may enter it and until when it may be served; [`Store`] and [`Origin`]
//! are what lies behind it.
//!
//! What never happens here: no socket is opened, no thread is started, no clock is read that was not
//! passed in, and nothing enters the near cache of an engine without a live lease.

pub mod clock;
pub mod coherence;
mod engine;
pub mod expiry;
mod key;
pub mod memory_store;
pub mod near;
mod origin;
mod outcome;
mod store;
mod sync;
mod tiers;
mod value;

pub use clock::{Clock, Moment};
pub use engine::{
    Engine, EngineConfig, EngineCounts, Fill, FillOutcome, KeyFilter, LeaseView, WriteGuard,
    load::{JoinedLoad, LoadRole},
};
pub use key::Key;
pub use memory_store::MemoryStore;
pub use origin::{BoxFuture, Origin, OriginCause, OriginError};
pub use outcome::{
    Bypass, FetchError, Fetched, FlushCause, Found, NotCached, PutOutcome, StoreError,
};
pub use store::{LoadedValue, Put, ReadStore, Store, WriteStore};
pub use tiers::{Load, PendingFetch, Tiers};
pub use value::{CachedRef, Value};
