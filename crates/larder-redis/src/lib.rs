//! Larder's way to Redis and Valkey.
//!
//! Two rooms: [`tracked`] is the connection on which fills go out and Redis tells what changed, the
//! only road into the near tier; [`plain`] carries writes and the reads that pass the near tier by.
//! [`RedisStore`] is both, as the engine's store.

mod backoff;
mod plain;
mod reply;
mod socket;
mod store;
mod tracked;
mod url;
mod wire;

pub use reply::{Payload, Reply};
pub use store::RedisStore;
pub use tracked::Link;
pub use url::{Endpoint, RedisUrl, RedisUrlError, Secret};
