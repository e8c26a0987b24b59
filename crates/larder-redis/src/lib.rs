//! Larder's way to Redis and Valkey.
//!
//! Three rooms: `tracked` is the connection on which fills go out and Redis tells what changed, the
//! only road into the near tier; `plain` carries writes and the reads that pass the near tier by;
//! `relay` is a connection for one client alone. [`RedisStore`] is the first two, as the engine's
//! store.

mod backoff;
mod commands;
mod connection;
mod reply;
mod store;
mod stream;
pub mod tls;
mod tracking;
mod upstream;
mod url;

pub use reply::{Payload, Reply};
pub use store::RedisStore;
pub use tracking::TrackingState;
pub use upstream::{Ready, Upstream, UpstreamError};
pub use url::{Endpoint, RedisUrl, RedisUrlError, Secret};
