use larder_bench::caches::ReadCounts;

use super::*;

fn get_or_insert(cache: &dyn Cache, numbers: &[u32]) -> ReadCounts {
    let mut counts = ReadCounts::default();
    cache.get_or_insert_batch(numbers, &mut counts);
    counts
}

fn hits(cache: &dyn Cache, numbers: &[u32]) -> u64 {
    let mut counts = ReadCounts::default();
    cache.get_batch(numbers, &mut counts);
    assert_eq!((counts.reads, counts.wrong), (numbers.len() as u64, 0));
    counts.hits
}

/// Few enough that no two keys have the same fingerprint, since Larder holds one of two such keys.
const KEYS: u32 = 200;

#[test]
fn an_inserted_entry_is_a_hit_until_the_cache_is_cleared() {
    for kind in CacheKind::ALL {
        for size in [Capacity::NoEviction(KEYS.into()), Capacity::SingleShard(KEYS.into())] {
            let cache = build(kind, size);
            let numbers: Vec<u32> = (0..KEYS).collect();
            assert_eq!(hits(&*cache, &numbers), 0, "{}", kind.name());
            let filled = get_or_insert(&*cache, &numbers);
            assert_eq!(
                filled,
                ReadCounts { reads: KEYS.into(), hits: 0, wrong: 0 },
                "{}",
                kind.name()
            );
            cache.run_pending();
            assert_eq!(hits(&*cache, &numbers), u64::from(KEYS), "{}", kind.name());
            assert_eq!(get_or_insert(&*cache, &numbers).hits, u64::from(KEYS), "{}", kind.name());
            assert_eq!(hits(&*cache, &[KEYS]), 0, "{}", kind.name());
            assert_eq!(cache.len(), u64::from(KEYS), "{}", kind.name());
            cache.clear();
            assert_eq!(hits(&*cache, &numbers), 0, "{}", kind.name());
            cache.run_pending();
            assert_eq!(cache.len(), 0, "{}", kind.name());
        }
    }
}

#[test]
fn a_loaded_value_is_cached() {
    for kind in CacheKind::ALL.into_iter().filter(|kind| kind.has_single_flight()) {
        let cache = build(kind, Capacity::NoEviction(KEYS.into()));
        let (numbers, mut counts) = ((0..KEYS).collect::<Vec<_>>(), ReadCounts::default());
        cache.get_or_load_batch(&numbers, &mut counts);
        assert_eq!(counts, ReadCounts { reads: KEYS.into(), hits: 0, wrong: 0 }, "{}", kind.name());
        cache.get_or_load_batch(&numbers, &mut counts);
        assert_eq!(
            counts,
            ReadCounts { reads: u64::from(2 * KEYS), hits: KEYS.into(), wrong: 0 },
            "{}",
            kind.name()
        );
        assert_eq!(hits(&*cache, &numbers), u64::from(KEYS), "{}", kind.name());
    }
}

#[test]
fn a_sharded_cache_stays_within_its_capacity() {
    for kind in CacheKind::ALL {
        let cache = build(kind, Capacity::Sharded(2000));
        get_or_insert(&*cache, &(0..8000).collect::<Vec<_>>());
        cache.run_pending();
        // Larder rounds down for each of its shards.
        assert!((1800..=2000).contains(&cache.len()), "{}: {}", kind.name(), cache.len());
    }
}

#[test]
fn a_single_shard_holds_exactly_its_capacity() {
    for kind in CacheKind::ALL {
        for entries in [2, 20, 1500] {
            let cache = build(kind, Capacity::SingleShard(entries));
            for number in 0..4000 {
                get_or_insert(&*cache, &[number]);
                assert!(cache.len() <= entries, "{}: {} entries", kind.name(), cache.len());
            }
            assert_eq!(cache.len(), entries, "{}", kind.name());
        }
    }
}

/// A trace worked out by hand, with room for three entries.
#[test]
fn lru_evicts_the_least_recently_used_entry() {
    for kind in [CacheKind::LarderLru, CacheKind::Lru] {
        let cache = build(kind, Capacity::SingleShard(3));
        let found: Vec<_> = [1, 2, 3, 1, 4, 1, 2, 5, 4]
            .map(|number| get_or_insert(&*cache, &[number]).hits)
            .to_vec();
        assert_eq!(found, [0, 0, 0, 1, 0, 1, 0, 0, 0], "{}", kind.name());
    }
}

/// Popular keys survive a scan of ten times the capacity, except under LRU.
#[test]
fn scan_resistant_policies_keep_popular_keys() {
    let survivors = |kind: CacheKind| {
        let cache = build(kind, Capacity::SingleShard(100));
        let popular: Vec<u32> = (0..50).collect();
        for _ in 0..10 {
            get_or_insert(&*cache, &popular);
        }
        for number in 1000..2000 {
            get_or_insert(&*cache, &[number]);
        }
        hits(&*cache, &popular)
    };
    let resistant = [CacheKind::Larder, CacheKind::QuickCache, CacheKind::Moka];
    for kind in resistant.into_iter().chain([CacheKind::FoyerS3fifo, CacheKind::FoyerLfu]) {
        assert!(survivors(kind) >= 45, "{}: {}", kind.name(), survivors(kind));
    }
    assert_eq!([CacheKind::LarderLru, CacheKind::Lru].map(survivors), [0, 0]);
}

#[test]
fn every_crate_has_a_version() {
    let versions = versions();
    assert_eq!(versions.len(), 5, "{versions:?}");
    assert!(versions.iter().all(|(_, version)| version.starts_with(|c: char| c.is_ascii_digit())));
}
