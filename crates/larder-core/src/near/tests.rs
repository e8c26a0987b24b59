//! The near cache by itself: what a lookup finds, for how long, and how much fits.

mod policies;
mod random;

use super::{config::SHARDS_MAX, entry::VARIANTS_PER_NAME_MAX, *};
use crate::Clock;
use std::{sync::Arc, time::Duration};

type Payload = Option<Arc<[u8]>>;

const POLICIES: [Policy; 2] = [Policy::ClockPro, Policy::Lru];
const MINUTE: Duration = Duration::from_mins(1);
const EPOCH: u32 = 7;
const MIB: u64 = 1 << 20;

/// A near cache with a clock and an epoch.
struct TestCache {
    near: Near<Payload>,
    clock: Clock,
    epoch: u32,
}

impl TestCache {
    fn new(policy: Policy, bytes_max: u64, entries_max: u64) -> Self {
        let config = NearConfig { bytes_max, entries_max, value_bytes_max: 64 << 10, policy };
        Self { near: Near::new(&config), clock: Clock::manual(), epoch: EPOCH }
    }

    fn roomy(policy: Policy) -> Self {
        Self::new(policy, 64 * MIB, 0)
    }

    fn read_view(&self) -> ReadView {
        ReadView { now: self.clock.now(), epoch: self.epoch }
    }

    fn insert(&self, name: &str, payload: &str) -> bool {
        self.insert_key(get(name), payload.as_bytes(), MINUTE)
    }

    fn insert_key(&self, key: Key<'_>, payload: &[u8], ttl: Duration) -> bool {
        let view = self.read_view();
        self.near.insert(key, &Some(payload.into()), view.now.plus(ttl), view)
    }

    fn get(&self, name: &str) -> Option<String> {
        self.get_key(get(name))
    }

    fn get_key(&self, key: Key<'_>) -> Option<String> {
        let payload = self.near.get(key, self.read_view(), |cached, _| cached.to_value())?;
        Some(String::from_utf8(payload.expect("a payload").to_vec()).expect("text"))
    }

    fn remove(&self, name: &str) -> bool {
        self.near.remove(name.as_bytes())
    }

    fn sweep(&self) {
        self.near.sweep(self.read_view(), usize::MAX);
    }
}

fn get(name: &str) -> Key<'_> {
    Key::plain(name.as_bytes(), 0)
}

fn found(text: &str) -> Option<String> {
    text.to_owned().into()
}

#[test]
fn a_value_is_found_until_its_deadline() {
    for policy in POLICIES {
        let cache = TestCache::roomy(policy);
        assert_eq!(cache.get("a"), None);
        assert!(cache.insert_key(get("a"), b"1", Duration::from_millis(10)));
        cache.clock.advance(Duration::from_nanos(9_999_999));
        assert_eq!(cache.get("a"), found("1"));
        assert_eq!(cache.get("b"), None, "another name");
        cache.clock.advance(Duration::from_nanos(1));
        assert_eq!(cache.get("a"), None, "expired");
        let counts = cache.near.counts();
        assert_eq!((counts.hits, counts.misses, counts.items), (1, 3, 1));
        cache.sweep();
        let counts = cache.near.counts();
        assert_eq!((counts.items, counts.bytes, counts.evicted_expired), (0, 0, 1));
    }
}

#[test]
fn a_lookup_returns_the_deadline() {
    for policy in POLICIES {
        let cache = TestCache::roomy(policy);
        cache.insert("a", "1");
        let found = cache.near.get(get("a"), cache.read_view(), |_, deadline| deadline);
        assert_eq!(found, Some(cache.clock.now().plus(MINUTE)));
    }
}

#[test]
fn a_peek_finds_what_a_lookup_finds_and_is_not_counted() {
    for policy in POLICIES {
        let mut cache = TestCache::new(policy, 64 * MIB, 3);
        let peek = |cache: &TestCache, name: &str| {
            let reader = cache.near.reader(cache.read_view());
            reader.peek(get(name), |cached, _| cached.to_value().expect("a payload").to_vec())
        };
        for name in ["a", "b", "c"] {
            assert!(cache.insert(name, "v"));
        }
        let before = cache.near.counts();
        assert_eq!(peek(&cache, "a"), Some(b"v".to_vec()));
        assert_eq!(peek(&cache, "d"), None);
        assert_eq!(cache.near.counts(), before);
        if policy == Policy::Lru {
            cache.insert("d", "v");
            assert_eq!((peek(&cache, "a"), peek(&cache, "b")), (None, Some(b"v".to_vec())));
        }
        cache.clock.advance(MINUTE);
        assert_eq!(peek(&cache, "c"), None);
        cache.epoch += 1;
        cache.insert("c", "w");
        assert_eq!(peek(&cache, "c"), Some(b"w".to_vec()));
        cache.near.clear();
        assert_eq!(peek(&cache, "c"), None);
    }
}

#[test]
fn r7_a_new_epoch_invalidates_all_entries_and_a_sweep_removes_them() {
    for policy in POLICIES {
        let mut cache = TestCache::roomy(policy);
        (0..5000).for_each(|n| assert!(cache.insert(&n.to_string(), "value")));
        cache.epoch += 1;
        assert!((0..5000).all(|n| cache.get(&n.to_string()).is_none()), "at once");
        cache.sweep();
        let counts = cache.near.counts();
        assert_eq!((counts.items, counts.bytes, counts.evicted_ended), (0, 0, 5000));
    }
}

#[test]
fn r9_a_clear_invalidates_all_entries_and_a_sweep_removes_them() {
    for policy in POLICIES {
        let cache = TestCache::roomy(policy);
        (0..5000).for_each(|n| assert!(cache.insert(&n.to_string(), "value")));
        cache.near.clear();
        assert!((0..5000).all(|n| cache.get(&n.to_string()).is_none()), "at once");
        cache.insert("0", "anew");
        assert_eq!(cache.get("0"), found("anew"), "inserted after the clear");
        cache.sweep();
        let counts = cache.near.counts();
        assert_eq!((counts.items, counts.evicted_ended), (1, 4999));
        assert!(cache.remove("0"));
        assert_eq!(cache.near.counts().bytes, 0);
    }
}

#[test]
fn a_sweep_continues_where_the_last_one_stopped() {
    let mut cache = TestCache::roomy(Policy::ClockPro);
    (0..5000).for_each(|n| assert!(cache.insert(&n.to_string(), "value")));
    cache.epoch += 1;
    cache.near.sweep(cache.read_view(), 1);
    let left = cache.near.counts().items;
    assert!((1..5000).contains(&left), "it swept one shard: {left} entries are left");
    (0..SHARDS_MAX).for_each(|_| cache.near.sweep(cache.read_view(), 1));
    assert_eq!(cache.near.counts().items, 0);
}

#[test]
fn the_values_of_several_reads_share_an_entry_and_are_removed_together() {
    for policy in POLICIES {
        let cache = TestCache::roomy(policy);
        let reads = [(0, ""), (1, ""), (0, "HGET f"), (0, "HGET g")];
        let key = |(keyspace, variant): (u32, &'static str)| Key {
            name: b"n",
            keyspace,
            variant: variant.as_bytes(),
        };
        for (n, read) in reads.into_iter().enumerate() {
            assert!(cache.insert_key(key(read), n.to_string().as_bytes(), MINUTE));
        }
        for (n, read) in reads.into_iter().enumerate() {
            assert_eq!(cache.get_key(key(read)), found(&n.to_string()));
        }
        assert_eq!(cache.get_key(key((2, ""))), None, "another keyspace");
        assert_eq!(cache.near.counts().items, 1, "one name, one entry");
        assert!(cache.remove("n"));
        assert!(reads.into_iter().all(|read| cache.get_key(key(read)).is_none()));
        assert_eq!(cache.near.counts().bytes, 0);
    }
}

#[test]
fn a_value_that_replaces_the_only_one_has_its_own_deadline() {
    for policy in POLICIES {
        let cache = TestCache::roomy(policy);
        assert!(cache.insert_key(get("n"), b"short", MINUTE));
        assert!(cache.insert_key(get("n"), b"long", 3 * MINUTE));
        let deadline = cache.near.get(get("n"), cache.read_view(), |_, deadline| deadline);
        assert_eq!(deadline, Some(cache.clock.now().plus(3 * MINUTE)), "{policy:?}");
    }
}

#[test]
fn all_values_of_a_name_expire_with_the_earliest_deadline() {
    for policy in POLICIES {
        let cache = TestCache::roomy(policy);
        let other = Key { name: b"n", keyspace: 1, variant: b"" };
        cache.insert_key(get("n"), b"long", MINUTE);
        cache.insert_key(other, b"short", MINUTE / 2);
        cache.clock.advance(MINUTE / 2);
        assert_eq!((cache.get("n"), cache.get_key(other)), (None, None));
        cache.insert("n", "anew");
        assert_eq!(cache.get("n"), found("anew"));
        assert_eq!(cache.get_key(other), None, "a new entry does not revive old values");
    }
}

#[test]
fn a_value_replaces_the_one_of_the_same_read() {
    for policy in POLICIES {
        let cache = TestCache::roomy(policy);
        cache.insert("a", "a longer value than the next");
        let longer = cache.near.counts().bytes;
        cache.insert("a", "2");
        assert_eq!(cache.get("a"), found("2"));
        let counts = cache.near.counts();
        assert_eq!((counts.items, counts.evicted_full), (1, 0));
        assert!(counts.bytes < longer + 64, "the old value is no longer counted: {}", counts.bytes);
    }
}

#[test]
fn at_most_64_values_are_cached_under_one_name() {
    for policy in POLICIES {
        let cache = TestCache::roomy(policy);
        let reads: Vec<_> =
            (0..=VARIANTS_PER_NAME_MAX).map(|n| format!("GETRANGE {n} 9")).collect();
        let keys =
            reads.iter().map(|read| Key { name: b"n", keyspace: 0, variant: read.as_bytes() });
        let (last, cached) = (keys.clone().next_back().unwrap(), keys.take(VARIANTS_PER_NAME_MAX));
        cached.clone().for_each(|key| assert!(cache.insert_key(key, b"x", MINUTE)));
        assert!(!cache.insert_key(last, b"x", MINUTE), "the maximum is reached");
        assert_eq!(cache.get_key(last), None);
        assert!(cached.clone().all(|key| cache.get_key(key).is_some()));
        let again = cached.clone().next().unwrap();
        assert!(cache.insert_key(again, b"newer", MINUTE), "a cached read may be replaced");
        assert_eq!(cache.get_key(again), found("newer"));
    }
}

#[test]
fn a_value_larger_than_a_shard_is_not_inserted() {
    for policy in POLICIES {
        let cache = TestCache::new(policy, 64 << 10, 0);
        let large = "x".repeat(60 << 10);
        cache.insert("a", "1");
        assert!(!cache.insert("large", &large));
        assert_eq!(cache.get("large"), None);
        assert_eq!(cache.get("a"), found("1"), "nothing was evicted for it");
    }
}

#[test]
fn names_with_one_hash_never_share_a_value() {
    for policy in POLICIES {
        let mut cache = TestCache::roomy(policy);
        cache.near.hash = NameHash::colliding(1);
        assert!(cache.insert("a", "of a"));
        assert_eq!(cache.get("b"), None);
        assert!(cache.insert("b", "of b"));
        assert_eq!((cache.get("a"), cache.get("b")), (None, found("of b")));
        let counts = cache.near.counts();
        assert_eq!((counts.items, counts.evicted_full), (1, 1), "a was evicted and counted");
        let read = Key { variant: b"HGET f", ..get("a") };
        assert!(cache.insert_key(read, b"of f", MINUTE), "nor do they share an entry");
        assert_eq!((cache.get("b"), cache.get_key(read)), (None, found("of f")));
        assert!(cache.remove("a"));
        assert_eq!(cache.get_key(read), None);
    }
}

#[test]
fn a_large_value_is_shared_and_a_small_one_is_stored_with_its_name() {
    let cache = TestCache::roomy(Policy::ClockPro);
    let large: Arc<[u8]> = vec![b'x'; 5000].into();
    let deadline = cache.clock.now().plus(MINUTE);
    let value = Some(Arc::clone(&large));
    assert!(cache.near.insert(get("large"), &value, deadline, cache.read_view()));
    cache.insert("small", "value");
    let is_inline = |name| {
        cache
            .near
            .get(get(name), cache.read_view(), |cached, _| matches!(cached, CachedRef::Bytes(_)))
    };
    assert_eq!((is_inline("large"), is_inline("small")), (Some(false), Some(true)));
    let shared =
        cache.near.get(get("large"), cache.read_view(), |cached, _| cached.to_value()).unwrap();
    assert!(Arc::ptr_eq(&shared.unwrap(), &large));
}

#[test]
fn every_removed_entry_is_counted_once() {
    for policy in POLICIES {
        let mut cache = TestCache::new(policy, MIB, 0);
        let mut inserted = 0;
        let mut put = |cache: &TestCache, group: &str, count: u32, ttl| {
            for n in 0..count {
                assert!(cache.insert_key(get(&format!("{group} {n}")), &[b'x'; 100], ttl));
            }
            inserted += u64::from(count);
        };
        put(&cache, "full", 20_000, MINUTE);
        assert!(cache.near.counts().evicted_full > 10_000);
        // One policy keeps the first entries, the other the last.
        let some = (0..1000).chain(19_000..20_000);
        assert!(some.filter(|n| cache.remove(&format!("full {n}"))).count() > 900);
        put(&cache, "short", 100, Duration::from_millis(1));
        cache.clock.advance(Duration::from_millis(1));
        cache.sweep();
        cache.near.clear();
        put(&cache, "cleared", 100, MINUTE);
        cache.epoch += 1;
        put(&cache, "now", 100, MINUTE);
        cache.sweep();
        let counts = cache.near.counts();
        assert!(counts.evicted_expired > 90 && counts.evicted_invalidation > 900);
        assert!(counts.evicted_ended > 1000);
        let left = counts.evicted_full
            + counts.evicted_expired
            + counts.evicted_invalidation
            + counts.evicted_ended;
        assert_eq!(inserted, counts.items + left);
    }
}
