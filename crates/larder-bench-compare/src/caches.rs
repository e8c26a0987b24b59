//! The compared caches behind [`Cache`].

mod peers;

use larder_bench::cache_kind::CacheKind;
use larder_bench::caches::{Cache, Capacity, Larder, NearCache};
use larder_core::near::Policy;

use peers::{Foyer, LruMutex, Moka, QuickCache};

/// Creates an empty cache.
pub fn build(kind: CacheKind, capacity: Capacity) -> Box<dyn Cache> {
    let larder = |policy| Larder::new(capacity, policy);
    match kind {
        CacheKind::Near => Box::new(NearCache::new(capacity)),
        CacheKind::Larder => Box::new(larder(Policy::ClockPro)),
        CacheKind::LarderUnbatched => Box::new(larder(Policy::ClockPro).unbatched()),
        CacheKind::LarderLru => Box::new(larder(Policy::Lru)),
        CacheKind::QuickCache => Box::new(QuickCache::new(capacity)),
        CacheKind::Moka => Box::new(Moka::new(capacity)),
        CacheKind::FoyerS3fifo => Box::new(Foyer::s3fifo(capacity)),
        CacheKind::FoyerLfu => Box::new(Foyer::lfu(capacity)),
        CacheKind::Lru => Box::new(LruMutex::new(capacity)),
    }
}

/// Returns the name and version of each compared crate, from the lock file of this build.
pub(crate) fn versions() -> Vec<(String, String)> {
    let lock = include_str!("../Cargo.lock");
    let version = |name: &str| {
        let (_, package) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
        let (version, _) = package.split_once('"')?;
        Some((name.to_owned(), version.to_owned()))
    };
    let names = ["larder-core", "quick_cache", "moka", "foyer-memory", "lru"];
    names.into_iter().filter_map(version).collect()
}

#[cfg(test)]
mod tests;
