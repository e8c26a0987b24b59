//! Where a value comes from when the store has none.

use bytes::Bytes;
use std::{future::Future, pin::Pin, sync::Arc};
use thiserror::Error;

/// A boxed future, as a trait that is used as an object returns it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A source of values that is slower than the store: a file, a table, a service.
pub trait Origin: Send + Sync {
    /// Returns the name that the origin was declared with.
    fn name(&self) -> &str;

    /// Loads one value; `None` when the origin has none under this id.
    fn load<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, OriginError>>;
}

/// Why an origin gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("origin {origin}: {reason}")]
pub struct OriginError {
    /// The origin's name.
    pub origin: Arc<str>,
    /// What went wrong, for a human reader.
    pub reason: Arc<str>,
}
