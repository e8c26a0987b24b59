//! Placeholder.
mod url;
pub use url::{Endpoint, RedisUrl, RedisUrlError, Secret};
