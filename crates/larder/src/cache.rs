//! The typed cache.

use crate::{
    builder::CacheBuilder,
    call::Call,
    context::LoadContext,
    counters::CacheStats,
    error::StoreError,
    key::{CacheKey, Name},
    shared::{Look, Shared},
    source::{
        Always, Fallible, FallibleCloned, FallibleOptional, FallibleOptionalCloned, Optional,
    },
};
use larder_core::FlushCause;
use larder_expiry::Expiry;
use std::{borrow::Borrow, fmt, future::Future, marker::PhantomData, sync::Arc};

/// A cache from keys to values. Its clones share everything.
///
/// Values are cloned for each hit, so a `V` that is expensive to clone belongs in an `Arc`.
///
/// ```
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use larder::{Cache, Near};
///
/// let squares: Cache<u64, u64> = Cache::builder("squares")
///     .near(Near::entries(10_000))
///     .ttl("5m")
///     .build()?;
///
/// let square = squares.get_with(&12, || async { 12 * 12 }).await;
/// assert_eq!(square, 144);
/// assert_eq!(squares.get(&12).await?, Some(144));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Cache<K: ?Sized, V: Send + Sync + 'static> {
    shared: Arc<Shared<V>>,
    key: PhantomData<fn(&K)>,
}

impl<K: ?Sized, V: Clone + Send + Sync + 'static> Cache<K, V> {
    /// Returns a builder. The name is for people: it appears in errors.
    pub fn builder(name: &str) -> CacheBuilder<K, V> {
        CacheBuilder::new(name)
    }

    pub(crate) fn new(shared: Shared<V>) -> Self {
        Self { shared: Arc::new(shared), key: PhantomData }
    }

    pub(crate) fn shared(&self) -> &Shared<V> {
        &self.shared
    }

    /// Returns the cached value, or `None`: from memory or, if the cache has a store, from there.
    /// Never loads.
    ///
    /// # Errors
    /// Only in front of a store, if it cannot be read.
    pub async fn get<Q>(&self, key: &Q) -> Result<Option<V>, StoreError>
    where
        K: Borrow<Q>,
        Q: CacheKey + ?Sized,
    {
        let name = Name::of(key);
        match (self.shared.look(&name), &self.shared.store) {
            (Look::Fresh(hit), _) => Ok(Some(hit.value)),
            (Look::Absent, _) | (_, None) => Ok(None),
            (_, Some(tier)) => self.shared.fetch(tier, &name).await,
        }
    }

    /// Returns the value if it is in memory and fresh. Never waits.
    pub fn get_near<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: CacheKey + ?Sized,
    {
        match self.shared.look(&Name::of(key)) {
            Look::Fresh(hit) => Some(hit.value),
            Look::Stale(_) | Look::Absent | Look::Nothing => None,
        }
    }

    /// Returns the value, and loads it if it is not cached. The loader cannot fail.
    ///
    /// Of the callers that want one key at the same time, one runs its loader, in its own task, and
    /// the others wait for it. If that caller is dropped, the next one takes over. If its loader
    /// panics, the panic is the caller's own, and the others load for themselves.
    pub fn get_with<Q, F, Fut>(&self, key: &Q, load: F) -> Call<'_, V, Always<F>>
    where
        K: Borrow<Q>,
        Q: CacheKey + ?Sized,
        F: FnOnce() -> Fut + Send,
        Fut: Future<Output = V> + Send,
    {
        Call::new(&self.shared, Name::of(key), Always(load))
    }

    /// Returns the value or `None`, and loads it if neither is cached. That there is none is
    /// remembered for `negative_ttl`.
    pub fn optionally_get_with<Q, F, Fut>(&self, key: &Q, load: F) -> Call<'_, V, Optional<F>>
    where
        K: Borrow<Q>,
        Q: CacheKey + ?Sized,
        F: FnOnce() -> Fut + Send,
        Fut: Future<Output = Option<V>> + Send,
    {
        Call::new(&self.shared, Name::of(key), Optional(load))
    }

    /// Returns the value, and loads it if it is not cached.
    ///
    /// The loader may choose the time to live and see the stale value: [`LoadContext`].
    ///
    /// # Errors
    /// Returns the loader's error, to all callers that waited for it, unless `stale_if_error` allows
    /// to serve the stale value. An error is not cached.
    pub fn try_get_with<Q, F, Fut, E>(&self, key: &Q, load: F) -> Call<'_, V, Fallible<F>>
    where
        K: Borrow<Q>,
        Q: CacheKey + ?Sized,
        F: FnOnce(LoadContext<V>) -> Fut + Send,
        Fut: Future<Output = Result<V, E>> + Send,
        E: Send + Sync + 'static,
    {
        Call::new(&self.shared, Name::of(key), Fallible(load))
    }

    /// Returns the value or `None`, and loads it if neither is cached. See [`Cache::try_get_with`]
    /// and [`Cache::optionally_get_with`].
    pub fn try_optionally_get_with<Q, F, Fut, E>(
        &self,
        key: &Q,
        load: F,
    ) -> Call<'_, V, FallibleOptional<F>>
    where
        K: Borrow<Q>,
        Q: CacheKey + ?Sized,
        F: FnOnce(LoadContext<V>) -> Fut + Send,
        Fut: Future<Output = Result<Option<V>, E>> + Send,
        E: Send + Sync + 'static,
    {
        Call::new(&self.shared, Name::of(key), FallibleOptional(load))
    }

    /// What `#[cached]` calls for a function that may fail. Its error is cloned for each caller.
    #[doc(hidden)]
    pub fn __try_get_with_cloned<Q, F, Fut, E>(
        &self,
        key: &Q,
        load: F,
    ) -> Call<'_, V, FallibleCloned<F>>
    where
        K: Borrow<Q>,
        Q: CacheKey + ?Sized,
        F: FnOnce() -> Fut + Send,
        Fut: Future<Output = Result<V, E>> + Send,
        E: Clone + Send + Sync + 'static,
    {
        Call::new(&self.shared, Name::of(key), FallibleCloned(load))
    }

    /// The same for a function that may have no value.
    #[doc(hidden)]
    pub fn __try_optionally_get_with_cloned<Q, F, Fut, E>(
        &self,
        key: &Q,
        load: F,
    ) -> Call<'_, V, FallibleOptionalCloned<F>>
    where
        K: Borrow<Q>,
        Q: CacheKey + ?Sized,
        F: FnOnce() -> Fut + Send,
        Fut: Future<Output = Result<Option<V>, E>> + Send,
        E: Clone + Send + Sync + 'static,
    {
        Call::new(&self.shared, Name::of(key), FallibleOptionalCloned(load))
    }

    /// Does the same as [`Cache::get_with`], and returns an [`Entry`](crate::Entry). (Every other
    /// call has [`Call::entry`].)
    pub fn entry_with<Q, F, Fut>(&self, key: &Q, load: F) -> Call<'_, V, Always<F>, crate::Entry<V>>
    where
        K: Borrow<Q>,
        Q: CacheKey + ?Sized,
        F: FnOnce() -> Fut + Send,
        Fut: Future<Output = V> + Send,
    {
        Call::new(&self.shared, Name::of(key), Always(load))
    }

    /// Sets a value, with the time to live of the cache. A load of this key that is under way will
    /// not replace it.
    ///
    /// # Errors
    /// Only in front of a store, if the value may not have reached it.
    pub async fn insert<Q>(&self, key: &Q, value: V) -> Result<(), StoreError>
    where
        K: Borrow<Q>,
        Q: CacheKey + ?Sized,
    {
        self.put(&Name::of(key), value, None).await
    }

    /// Sets a value with a time to live of its own.
    pub async fn insert_with_ttl<Q>(
        &self,
        key: &Q,
        value: V,
        ttl: impl Into<Expiry>,
    ) -> Result<(), StoreError>
    where
        K: Borrow<Q>,
        Q: CacheKey + ?Sized,
    {
        self.put(&Name::of(key), value, Some(&ttl.into())).await
    }

    /// Removes a value, fresh or stale. A load of this key that is under way will not be cached.
    ///
    /// # Errors
    /// Only in front of a store, if it may still have the value.
    pub async fn invalidate<Q>(&self, key: &Q) -> Result<(), StoreError>
    where
        K: Borrow<Q>,
        Q: CacheKey + ?Sized,
    {
        let name = Name::of(key);
        match &self.shared.store {
            None => self.shared.invalidate(&name),
            Some(tier) => self.shared.delete(tier, &name).await?,
        }
        Ok(())
    }

    /// Removes all values, in constant time. Loads that are under way will not be cached.
    ///
    /// In a store, the keys of all values get another prefix. Those with the old one expire.
    pub async fn clear(&self) -> Result<(), StoreError> {
        self.shared.engine.flush(FlushCause::Command);
        match &self.shared.store {
            None => Ok(()),
            Some(tier) => tier.store.clear().await,
        }
    }

    async fn put(&self, name: &Name, value: V, chosen: Option<&Expiry>) -> Result<(), StoreError> {
        match &self.shared.store {
            None => self.shared.insert(name, value, chosen),
            Some(tier) => self.shared.store(tier, name, &value, chosen).await?,
        }
        Ok(())
    }

    /// Returns the name that the cache was built with.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Reads all counters.
    pub fn stats(&self) -> CacheStats {
        self.shared.counters.read(&self.shared.engine.counts())
    }

    /// Frees the memory of entries that have expired. Looks at about `visits` of them, and goes on
    /// there the next time. Without it, they are freed when the cache is full.
    pub fn sweep(&self, visits: usize) {
        self.shared.engine.sweep(visits);
    }
}

impl<K: ?Sized, V: Send + Sync + 'static> Clone for Cache<K, V> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), key: PhantomData }
    }
}

/// Shows the name alone: values must not appear in logs.
impl<K: ?Sized, V: Send + Sync + 'static> fmt::Debug for Cache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("name", &self.shared.name).finish_non_exhaustive()
    }
}
