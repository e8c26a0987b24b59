//! Redis and Valkey as a store.
//!
//! [`RedisStore`] implements the engine's `Store` with two shared connections. The tracking
//! connection (`tracking`) carries fills and receives invalidations; only replies read on it enter
//! the near cache. The command connection (`commands`) carries writes, and reads that bypass the
//! near cache. [`Upstream`] is a third kind: a connection for one client alone.

mod access;
mod backoff;
mod commands;
mod connection;
mod error_reply;
mod pttl;
mod reply;
mod store;
mod stream;
pub mod tls;
mod tracking;
mod tracking_table;
mod upstream;
mod url;

pub use error_reply::{OTHER_SERVER, is_not_ready, is_redirect};
pub use reply::{Payload, Reply};
pub use store::{PendingMultiGet, RedisStore};
pub use tracking::TrackingState;
pub use tracking_table::TrackingTable;
pub use upstream::{Ready, Upstream, UpstreamError, is_no_auth};
pub use url::{Endpoint, RedisUrl, RedisUrlError, Secret};
