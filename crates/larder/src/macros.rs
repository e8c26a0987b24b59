//! What the expansion of `#[cached]` calls.

use crate::{builder::CacheBuilder, cache::Cache, error::LoadError, key::Name};
use std::{
    fmt::{Arguments, Write},
    sync::Arc,
};

/// Returns the name that a template makes.
pub fn name(template: Arguments<'_>) -> Name {
    let mut name = Name::default();
    // Writing to a name fails only if a `Display` in the template does.
    name.write_fmt(template).ok();
    name
}

/// Builds the cache of a function. Its settings were checked when the program was compiled.
///
/// # Panics
/// If one is wrong all the same.
#[allow(clippy::panic, reason = "there is nobody to return an error to")]
pub fn build<K: ?Sized, V: Clone + Send + Sync + 'static>(
    builder: CacheBuilder<K, V>,
) -> Cache<K, V> {
    builder.build().unwrap_or_else(|error| panic!("{error}"))
}

/// Returns the error of a function: its own, or the one that it makes of another failure.
pub fn into_error<E: Clone + From<LoadError<E>>>(error: LoadError<E>) -> E {
    match error {
        LoadError::Failed(error) => Arc::unwrap_or_clone(error),
        other => E::from(other),
    }
}
