//! Where a value comes from when the store has none.

use bytes::Bytes;
use std::{any::Any, future::Future, pin::Pin, sync::Arc, time::Duration};
use thiserror::Error;

/// A boxed future, as a trait that is used as an object returns it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A source of values that is slower than the store: a file, a table, a service.
pub trait Origin: Send + Sync {
    /// Returns the name that the origin was declared with.
    fn name(&self) -> &str;

    /// Loads one value; `None` when the origin has none under this id.
    fn load<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, OriginError>>;

    /// Returns how long the store is to keep the value that was just loaded, if the origin has chosen
    /// that; `None` for the time that [`Load`](crate::Load) says.
    fn chosen_ttl(&self) -> Option<Duration> {
        None
    }
}

/// Why an origin gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("origin {origin}: {reason}")]
pub struct OriginError {
    /// The origin's name.
    pub origin: Arc<str>,
    /// What went wrong, for a human reader.
    pub reason: Arc<str>,
    /// The error as the origin has it, if it has more to tell to callers that know its type.
    pub cause: Option<OriginCause>,
}

/// An error of an origin's own type. All callers that waited for the load share it.
#[derive(Clone, Debug)]
pub struct OriginCause(pub Arc<dyn Any + Send + Sync>);

/// Two causes are equal if they are the same one.
impl PartialEq for OriginCause {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for OriginCause {}
