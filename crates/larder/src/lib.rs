//! A typed cache for Rust programs.
//!
//! [`Cache`] keeps values in the memory of the process, loads each missing key once for all callers
//! that want it, and knows what people mean by "expires": after 48 hours, at midnight in Brussels,
//! every Monday.
//!
//! | to | use |
//! | --- | --- |
//! | get a value, loading it if needed | [`Cache::get_with`], [`Cache::try_get_with`], [`Cache::optionally_get_with`] |
//! | know where it came from and how old it is | [`Call::entry`], [`Cache::entry_with`] |
//! | change what is cached | [`Cache::insert`], [`Cache::invalidate`], [`Cache::clear`] |
//! | say when values expire | [`CacheBuilder::ttl`], [`Call::ttl`], [`LoadContext::ttl`] |
//! | share values with other processes, coherently | `CacheBuilder::store` (feature `redis`) |
//! | serve stale values when that is better | [`CacheBuilder::stale_if_error`], [`CacheBuilder::stale_while_revalidate`] |

pub mod blocking;
mod breaker;
mod builder;
mod cache;
mod call;
mod context;
mod counters;
mod entry;
mod error;
#[cfg(feature = "redis")]
mod json;
mod key;
mod load;
mod macros;
mod many;
mod policy;
#[cfg(feature = "redis")]
mod redis;
mod setting;
mod shared;
mod size;
mod slot;
mod source;
#[cfg_attr(not(feature = "redis"), allow(dead_code, reason = "no store is built in"))]
mod store;
mod through;

pub use builder::{CacheBuilder, Near};
pub use cache::Cache;
pub use call::{Call, CallFuture, Returned};
pub use context::LoadContext;
pub use counters::CacheStats;
pub use entry::{Entry, Source};
pub use error::{BuildError, Failure, LoadError, StoreError};
pub use key::{CacheKey, Name};
pub use larder_core::Clock;
pub use larder_expiry::{Expiry, ParseExpiryError};
#[cfg(feature = "redis")]
pub use redis::{ConnectError, RedisOptions, RedisStore};
pub use setting::Setting;
pub use source::{Always, Fallible, FallibleOptional, Load, Made, Optional};

/// Caches the results of a function or method.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use larder::cached;
///
/// #[derive(Clone, Debug, PartialEq)]
/// struct ModelError;
///
/// #[cached(ttl = "48h", key = "sentiment:{text}", stale_if_error = "7d")]
/// async fn sentiment(text: &str) -> Result<i8, ModelError> {
///     // A model would need a while for this.
///     if text.contains("love") { Ok(1) } else { Err(ModelError) }
/// }
///
/// assert_eq!(sentiment("I love it").await, Ok(1));
/// assert_eq!(sentiment("I love it").await, Ok(1), "from the cache");
/// assert_eq!(sentiment_cache().stats().loads, 1);
/// # });
/// ```
///
/// The function keeps its signature. Beside it there are, with the same arguments,
///
/// | function | does |
/// | --- | --- |
/// | `sentiment_uncached` | what was written: neither reads nor fills the cache |
/// | `sentiment_refresh` | runs it, and replaces the cached result |
/// | `sentiment_invalidate` | removes the cached result |
/// | `sentiment_cache` (no arguments) | returns the [`Cache`], for its statistics and `clear` |
///
/// # Options
///
/// All are settings of [`CacheBuilder`], and their texts are checked when the program is compiled.
///
/// | option | example | default |
/// | --- | --- | --- |
/// | `key` | `"sentiment:{text}"` | the name of the function and all arguments, as in `sentiment:I love it`; a method must say it |
/// | `ttl` | `"48h"`, `"daily 00:00 Europe/Brussels"` | results do not expire |
/// | `time_to_idle` | `"10m"` | |
/// | `negative_ttl` | `"30s"`, for a function that returns an `Option` | `None` is not cached |
/// | `jitter` | `0.1` | `0.0` |
/// | `max_entries` | `10_000` | as many as fit into 64 MiB |
/// | `stale_while_revalidate` | `"1m"` | |
/// | `stale_if_error` | `"7d"`, for a function that returns a `Result` | |
/// | `soft_timeout`, `hard_timeout` | `"100ms"`, `"2s"`, for an `async` function | |
/// | `circuit_breaker` | `(5, "10s")` | |
///
/// # What is cached
///
/// The value: the `T` of `T`, `Option<T>`, `Result<T, E>` or `Result<Option<T>, E>`. It is cloned for
/// each hit, and so is `Send + Sync + Clone`. Errors are not cached. They are `Clone`, because all
/// callers that waited for the result get them. With `hard_timeout` or `circuit_breaker` they are
/// `From<LoadError<E>>` as well, because there may be no error of the function itself.
///
/// Functions that are not `async` are cached alike. Their callers block while another thread runs the
/// function for the same key.
#[cfg(feature = "macros")]
pub use larder_macros::cached;

/// Compiles the code of the guide and of the README.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../../../docs/library.md")]
    mod guide {}
    #[doc = include_str!("../../../README.md")]
    mod readme {}
}

/// What the expansion of `#[cached]` names. Not for use by hand.
#[doc(hidden)]
pub mod __private {
    pub use crate::macros::{build, into_error, name};
}
