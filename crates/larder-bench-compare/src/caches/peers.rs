//! The other cache libraries.

use std::convert::Infallible;
use std::num::NonZero;
use std::sync::Arc;

use foyer_memory::{CacheBuilder, EvictionConfig, LfuConfig, S3FifoConfig};
use lru::LruCache;
use parking_lot::Mutex;
use quick_cache::{DefaultHashBuilder, OptionsBuilder, UnitWeighter, sync::DefaultLifecycle};

use larder_bench::caches::{Cache, Capacity, Key, Value, copy_value, value_of};

/// Keys and values as a program holds them that does not know their sizes.
type Name = Box<[u8]>;
type Shared = Arc<[u8]>;

fn name_of(key: &Key) -> Name {
    key.as_slice().into()
}

fn shared_of(key: &Key) -> Shared {
    value_of(key).as_slice().into()
}

fn entries(capacity: Capacity) -> usize {
    usize::try_from(capacity.entries()).unwrap_or(usize::MAX)
}

pub(super) struct QuickCache(quick_cache::sync::Cache<Name, Shared>);

impl QuickCache {
    pub(super) fn new(capacity: Capacity) -> Self {
        let options = OptionsBuilder::new()
            .estimated_items_capacity(entries(capacity))
            .weight_capacity(capacity.entries())
            .shards(1)
            .build();
        match options {
            Ok(options) if capacity.is_single_shard() => {
                Self(quick_cache::sync::Cache::with_options(
                    options,
                    UnitWeighter,
                    DefaultHashBuilder::default(),
                    DefaultLifecycle::default(),
                ))
            }
            _ => Self(quick_cache::sync::Cache::new(entries(capacity))),
        }
    }
}

impl Cache for QuickCache {
    fn get(&self, key: &Key, value: &mut Value) -> bool {
        self.0.get(key.as_slice()).is_some_and(|found| copy_value(&found, value))
    }

    fn insert(&self, key: &Key, value: &mut Value) {
        let shared = shared_of(key);
        copy_value(&shared, value);
        self.0.insert(name_of(key), shared);
    }

    fn get_or_load(&self, key: &Key, value: &mut Value) -> bool {
        let mut is_hit = true;
        let loaded = self.0.get_or_insert_with::<_, Infallible>(&name_of(key), || {
            is_hit = false;
            Ok(shared_of(key))
        });
        loaded.is_ok_and(|found| copy_value(&found, value)) && is_hit
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
    is_single_shard: bool,
}

impl Moka {
    pub(super) fn new(capacity: Capacity) -> Self {
        Self {
            cache: moka::sync::Cache::new(capacity.entries()),
            is_single_shard: capacity.is_single_shard(),
        }
    }
}

impl Cache for Moka {
    fn get(&self, key: &Key, value: &mut Value) -> bool {
        let found = self.cache.get(key.as_slice());
        if self.is_single_shard {
            self.run_pending();
        }
        found.is_some_and(|found| copy_value(&found, value))
    }

    fn insert(&self, key: &Key, value: &mut Value) {
        let shared = shared_of(key);
        copy_value(&shared, value);
        self.cache.insert(name_of(key), shared);
        if self.is_single_shard {
            self.run_pending();
        }
    }

    fn get_or_load(&self, key: &Key, value: &mut Value) -> bool {
        let mut is_hit = true;
        let found = self.cache.get_with(name_of(key), || {
            is_hit = false;
            shared_of(key)
        });
        copy_value(&found, value) && is_hit
    }

    fn clear(&self) {
        self.cache.invalidate_all();
    }

    fn len(&self) -> u64 {
        self.run_pending();
        self.cache.entry_count()
    }

    fn run_pending(&self) {
        self.cache.run_pending_tasks();
    }
}

pub(super) struct Foyer(foyer_memory::Cache<Name, Shared>);

impl Foyer {
    pub(super) fn s3fifo(capacity: Capacity) -> Self {
        Self::new(capacity, S3FifoConfig::default())
    }

    pub(super) fn lfu(capacity: Capacity) -> Self {
        Self::new(capacity, LfuConfig::default())
    }

    fn new(capacity: Capacity, policy: impl Into<EvictionConfig>) -> Self {
        let builder = CacheBuilder::new(entries(capacity)).with_eviction_config(policy);
        Self(if capacity.is_single_shard() { builder.with_shards(1) } else { builder }.build())
    }
}

impl Cache for Foyer {
    fn get(&self, key: &Key, value: &mut Value) -> bool {
        self.0.get(key.as_slice()).is_some_and(|found| copy_value(found.value(), value))
    }

    fn insert(&self, key: &Key, value: &mut Value) {
        let shared = shared_of(key);
        copy_value(&shared, value);
        drop(self.0.insert(name_of(key), shared));
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
    pub(super) fn new(capacity: Capacity) -> Self {
        Self(Mutex::new(LruCache::new(
            NonZero::new(entries(capacity)).unwrap_or(NonZero::<usize>::MIN),
        )))
    }
}

impl Cache for LruMutex {
    fn get(&self, key: &Key, value: &mut Value) -> bool {
        self.0.lock().get(key.as_slice()).is_some_and(|found| copy_value(found, value))
    }

    /// Drops the evicted entry after unlocking, as a careful user does.
    fn insert(&self, key: &Key, value: &mut Value) {
        let shared = shared_of(key);
        copy_value(&shared, value);
        let evicted = self.0.lock().push(name_of(key), shared);
        drop(evicted);
    }

    fn clear(&self) {
        self.0.lock().clear();
    }

    fn len(&self) -> u64 {
        self.0.lock().len() as u64
    }
}
