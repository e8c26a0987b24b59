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
//! | serve stale values when that is better | [`CacheBuilder::stale_if_error`], [`CacheBuilder::stale_while_revalidate`] |

mod breaker;
mod builder;
mod cache;
mod call;
mod context;
mod counters;
mod entry;
mod error;
mod key;
mod load;
mod many;
mod policy;
mod setting;
mod shared;
mod size;
mod slot;
mod source;

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
pub use setting::Setting;
pub use source::{Always, Fallible, FallibleOptional, Load, Made, Optional};
