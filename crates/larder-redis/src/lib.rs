//! Larder's way to Redis and Valkey.
//!
//! Three rooms: `tracked` is the connection on which fills go out and Redis tells what changed, the
//! only road into the near tier; `plain` carries writes and the reads that pass the near tier by;
//! `relay` is a connection for one client alone. [`RedisStore`] is the first two, as the engine's
//! store.

mod backoff;
mod plain;
mod reply;
mod socket;
mod store;
pub mod tls;
mod tracked;
mod upstream;
mod url;
mod wire;

pub use reply::{Payload, Reply};
pub use store::RedisStore;
pub use tracked::TrackingState;
pub use upstream::{Ready, Upstream, UpstreamError};
pub use url::{Endpoint, RedisUrl, RedisUrlError, Secret};
