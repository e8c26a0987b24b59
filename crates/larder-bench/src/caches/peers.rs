//! The caches that others have written.

use std::convert::Infallible;
use std::num::NonZero;
use std::sync::Arc;

use foyer_memory::{CacheBuilder, EvictionConfig, LfuConfig, S3FifoConfig};
use lru::LruCache;
use parking_lot::Mutex;
use quick_cache::{DefaultHashBuilder, OptionsBuilder, UnitWeighter, sync::DefaultLifecycle};

use crate::caches::{Cache, Key, Size, Value, copy, value_of};

/// Names and values as a program holds them that knows no sizes beforehand.
type Name = Box<[u8]>;
type Shared = Arc<[u8]>;

fn name_of(key: &Key) -> Name {
    key.as_slice().into()
}

fn shared_of(key: &Key) -> Shared {
    value_of(key).as_slice().into()
}

fn entries(size: Size) -> usize {
    usize::try_from(size.entries()).unwrap_or(usize::MAX)
}

pub(super) struct QuickCache(quick_cache::sync::Cache<Name, Shared>);

impl QuickCache {
    pub(super) fn new(size: Size) -> Self {
        let options = OptionsBuilder::new()
            .estimated_items_capacity(entries(size))
            .weight_capacity(size.entries())
            .shards(1)
            .build();
        match options {
            Ok(options) if size.is_exact() => Self(quick_cache::sync::Cache::with_options(
                options,
                UnitWeighter,
                DefaultHashBuilder::default(),
                DefaultLifecycle::default(),
            )),
            _ => Self(quick_cache::sync::Cache::new(entries(size))),
        }
    }
}

impl Cache for QuickCache {
    fn read(&self, key: &Key, value: &mut Value) -> bool {
        self.0.get(key.as_slice()).is_some_and(|found| copy(&found, value))
    }

    fn insert(&self, key: &Key, value: &mut Value) {
        let made = shared_of(key);
        copy(&made, value);
        self.0.insert(name_of(key), made);
    }

    fn load(&self, key: &Key, value: &mut Value) -> bool {
        let mut is_hit = true;
        let loaded = self.0.get_or_insert_with::<_, Infallible>(&name_of(key), || {
            is_hit = false;
            Ok(shared_of(key))
        });
        loaded.is_ok_and(|found| copy(&found, value)) && is_hit
    }

    fn clear(&self) {
        self.0.clear();
    }

    fn len(&self) -> u64 {
        self.0.len() as u64
    }
}

pub(super) struct Moka {
    cache: moka::sync::Cache<Name, Shared>,
    is_exact: bool,
}

impl Moka {
    pub(super) fn new(size: Size) -> Self {
        Self { cache: moka::sync::Cache::new(size.entries()), is_exact: size.is_exact() }
    }
}

impl Cache for Moka {
    fn read(&self, key: &Key, value: &mut Value) -> bool {
        let found = self.cache.get(key.as_slice());
        if self.is_exact {
            self.settle();
        }
        found.is_some_and(|found| copy(&found, value))
    }

    fn insert(&self, key: &Key, value: &mut Value) {
        let made = shared_of(key);
        copy(&made, value);
        self.cache.insert(name_of(key), made);
        if self.is_exact {
            self.settle();
        }
    }

    fn load(&self, key: &Key, value: &mut Value) -> bool {
        let mut is_hit = true;
        let found = self.cache.get_with(name_of(key), || {
            is_hit = false;
            shared_of(key)
        });
        copy(&found, value) && is_hit
    }

    fn clear(&self) {
        self.cache.invalidate_all();
    }

    fn len(&self) -> u64 {
        self.settle();
        self.cache.entry_count()
    }

    fn settle(&self) {
        self.cache.run_pending_tasks();
    }
}

pub(super) struct Foyer(foyer_memory::Cache<Name, Shared>);

impl Foyer {
    pub(super) fn s3fifo(size: Size) -> Self {
        Self::new(size, S3FifoConfig::default())
    }

    pub(super) fn lfu(size: Size) -> Self {
        Self::new(size, LfuConfig::default())
    }

    fn new(size: Size, policy: impl Into<EvictionConfig>) -> Self {
        let builder = CacheBuilder::new(entries(size)).with_eviction_config(policy);
        Self(if size.is_exact() { builder.with_shards(1) } else { builder }.build())
    }
}

impl Cache for Foyer {
    fn read(&self, key: &Key, value: &mut Value) -> bool {
        self.0.get(key.as_slice()).is_some_and(|found| copy(found.value(), value))
    }

    fn insert(&self, key: &Key, value: &mut Value) {
        let made = shared_of(key);
        copy(&made, value);
        drop(self.0.insert(name_of(key), made));
    }

    fn clear(&self) {
        self.0.clear();
    }

    fn len(&self) -> u64 {
        self.0.entries() as u64
    }
}

pub(super) struct LruMutex(Mutex<LruCache<Name, Shared>>);

impl LruMutex {
    pub(super) fn new(size: Size) -> Self {
        Self(Mutex::new(LruCache::new(
            NonZero::new(entries(size)).unwrap_or(NonZero::<usize>::MIN),
        )))
    }
}

impl Cache for LruMutex {
    fn read(&self, key: &Key, value: &mut Value) -> bool {
        self.0.lock().get(key.as_slice()).is_some_and(|found| copy(found, value))
    }

    /// What leaves is dropped after the lock, as a careful user does it.
    fn insert(&self, key: &Key, value: &mut Value) {
        let made = shared_of(key);
        copy(&made, value);
        let left = self.0.lock().push(name_of(key), made);
        drop(left);
    }

    fn clear(&self) {
        self.0.lock().clear();
    }

    fn len(&self) -> u64 {
        self.0.lock().len() as u64
    }
}
