//! Larder's way to Redis and Valkey.
//!
//! Three rooms: `tracked` is the connection on which fills go out and Redis tells what changed, the
//! only road into the near tier; `plain` carries writes and the reads that pass the near tier by;
//! `relay` is a connection for one client alone. [`RedisStore`] is the first two, as the engine's
//! store.

mod backoff;
mod plain;
mod relay;
mod reply;
mod socket;
mod store;
pub mod tls;
mod tracked;
mod url;
mod wire;

pub use relay::{Ready, Relay, RelayError};
pub use reply::{Payload, Reply};
pub use store::RedisStore;
pub use tracked::Link;
pub use url::{Endpoint, RedisUrl, RedisUrlError, Secret};
