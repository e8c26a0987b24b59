//! The eviction policies.

use super::{super::Policy, MIB, POLICIES, TestCache, found};

#[test]
fn lru_evicts_exactly_the_least_recently_used_entry() {
    let cache = TestCache::new(Policy::Lru, 64 * MIB, 1000);
    (0..1000).for_each(|n| assert!(cache.insert(&n.to_string(), "value")));
    assert_eq!(cache.near.counts().items, 1000);
    assert!(cache.get("0").is_some(), "now 1 is the oldest");
    for n in 1000..1010 {
        cache.insert(&n.to_string(), "value");
        let oldest = n - 999;
        assert_eq!(cache.get(&oldest.to_string()), None, "{n} evicts {oldest}");
        assert_eq!(cache.near.counts().items, 1000, "and nothing else");
    }
    assert!(cache.get("0").is_some());
    assert_eq!(cache.near.counts().evicted_full, 10);
}

#[test]
fn a_scan_evicts_hot_entries_under_lru_only() {
    let hot = |n: u32| format!("hot {n}");
    for (policy, stays) in [(Policy::ClockPro, true), (Policy::Lru, false)] {
        let cache = TestCache::new(policy, 2 * MIB, 0);
        for _ in 0..3 {
            for n in 0..1000 {
                if cache.get(&hot(n)).is_none() {
                    cache.insert(&hot(n), "value");
                }
            }
        }
        (0..100_000).for_each(|n| assert!(cache.insert(&format!("cold {n}"), "value")));
        let left = (0..1000).filter(|&n| cache.get(&hot(n)).is_some()).count();
        if stays {
            assert!(left > 950, "{left} of 1000 hot names are left");
        } else {
            assert_eq!(left, 0);
        }
    }
}

#[test]
fn a_name_that_is_inserted_again_soon_stays() {
    let cache = TestCache::new(Policy::ClockPro, 64 * MIB, 500);
    let new = |numbers: std::ops::Range<u32>| {
        numbers.for_each(|n| assert!(cache.insert(&format!("new {n}"), "value")));
    };
    new(0..500);
    assert!(cache.insert("again", "value"));
    new(500..550);
    assert_eq!(cache.get("again"), None, "it was evicted");
    assert!(cache.insert("again", "value"));
    new(550..1000);
    assert!(cache.get("again").is_some());
}

#[test]
fn the_smallest_caches_hold_an_entry() {
    for policy in POLICIES {
        for (bytes_max, entries_max) in [(MIB, 1), (MIB, 2), (MIB, 10 * MIB), (4096, 0)] {
            let cache = TestCache::new(policy, bytes_max, entries_max);
            for name in ["a", "b", "c", "d"] {
                assert!(cache.insert(name, "value"));
                assert_eq!(cache.get(name), found("value"), "{bytes_max} {entries_max} {policy:?}");
            }
            let counts = cache.near.counts();
            assert!(counts.bytes <= bytes_max);
            assert!(entries_max == 0 || counts.items <= entries_max);
        }
    }
}
