//! What makes a value when the store has none.

use bytes::Bytes;
use std::{fmt, future::Future, pin::Pin, sync::Arc};

/// A future on the heap, as object-safe traits return it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The slow place that values come from: a file, a table, a service.
pub trait Origin: Send + Sync {
    /// The name it was declared with.
    fn name(&self) -> &str;

    /// Loads one value; `None` when the origin knows of none.
    fn load<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, OriginError>>;
}

/// Why an origin gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginError {
    /// The origin's name.
    pub origin: Arc<str>,
    /// What went wrong, for people.
    pub reason: Arc<str>,
}

impl fmt::Display for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "origin {}: {}", self.origin, self.reason)
    }
}

impl std::error::Error for OriginError {}
