//! What the near tier promises by itself: what is found, for how long, and how much it holds.

mod policies;
mod random;

use super::{entry::VARIANTS_PER_NAME_MAX, *};
use crate::Clock;
use std::{sync::Arc, time::Duration};

type Payload = Option<Arc<[u8]>>;

const POLICIES: [Policy; 2] = [Policy::ClockPro, Policy::Lru];
const MINUTE: Duration = Duration::from_mins(1);
const EPOCH: u32 = 7;
const MIB: u64 = 1 << 20;

/// A near tier with a clock and an epoch, as its owner sees it.
struct TestCache {
    near: Near<Payload>,
    clock: Clock,
    epoch: u32,
}

impl TestCache {
    fn new(policy: Policy, bytes_max: u64, entries_max: u64) -> Self {
        let plan = NearConfig { bytes_max, entries_max, value_bytes_max: 64 << 10, policy };
        Self { near: Near::new(&plan), clock: Clock::manual(), epoch: EPOCH }
    }

    fn roomy(policy: Policy) -> Self {
        Self::new(policy, 64 * MIB, 0)
    }

    fn read_view(&self) -> ReadView {
        ReadView { now: self.clock.now(), epoch: self.epoch }
    }

    fn put(&self, name: &str, payload: &str) -> bool {
        self.put_read(get(name), payload.as_bytes(), MINUTE)
    }

    fn put_read(&self, key: Key<'_>, payload: &[u8], ttl: Duration) -> bool {
        let view = self.read_view();
        self.near
            .put(self.near.hashed(key), &Some(payload.into()), view.now.plus(ttl), view, None)
            .is_ok()
    }

    fn get(&self, name: &str) -> Option<String> {
        self.get_read(get(name))
    }

    fn get_read(&self, key: Key<'_>) -> Option<String> {
        let payload = self.near.get(key, self.read_view(), |seen, _| seen.to_value())?;
        Some(String::from_utf8(payload.expect("a payload").to_vec()).expect("text"))
    }

    fn remove(&self, name: &str) -> bool {
        self.near.remove_hashed(self.near.hashed(get(name))).is_some()
    }

    fn sweep(&self) {
        self.near.sweep(self.read_view(), usize::MAX);
    }
}

fn get(name: &str) -> Key<'_> {
    Key::get(name.as_bytes(), 0)
}

fn found(text: &str) -> Option<String> {
    text.to_owned().into()
}

#[test]
fn a_value_is_found_until_its_deadline() {
    for policy in POLICIES {
        let cache = TestCache::roomy(policy);
        assert_eq!(cache.get("a"), None);
        assert!(cache.put_read(get("a"), b"1", Duration::from_millis(10)));
        cache.clock.advance(Duration::from_nanos(9_999_999));
        assert_eq!(cache.get("a"), found("1"));
        assert_eq!(cache.get("b"), None, "another name");
        cache.clock.advance(Duration::from_nanos(1));
        assert_eq!(cache.get("a"), None, "its time is over");
        let counts = cache.near.counts();
        assert_eq!((counts.hits, counts.misses, counts.items), (1, 3, 1));
        cache.sweep();
        let counts = cache.near.counts();
        assert_eq!((counts.items, counts.bytes, counts.evicted_expired), (0, 0, 1));
    }
}

#[test]
fn a_look_gives_the_deadline() {
    for policy in POLICIES {
        let cache = TestCache::roomy(policy);
        cache.put("a", "1");
        let until = cache.near.get(get("a"), cache.read_view(), |_, deadline| deadline);
        assert_eq!(until, Some(cache.clock.now().plus(MINUTE)));
    }
}

#[test]
fn a_peek_sees_what_a_look_would_and_leaves_no_trace() {
    for policy in POLICIES {
        let mut cache = TestCache::new(policy, 64 * MIB, 3);
        let peek = |cache: &TestCache, name: &str| {
            let reader = cache.near.reader(cache.read_view());
            reader.peek(get(name), |seen| seen.to_value().expect("a payload").to_vec())
        };
        for name in ["a", "b", "c"] {
            assert!(cache.put(name, "v"));
        }
        let before = cache.near.counts();
        assert_eq!(peek(&cache, "a"), Some(b"v".to_vec()));
        assert_eq!(peek(&cache, "d"), None);
        assert_eq!(cache.near.counts(), before);
        if policy == Policy::Lru {
            cache.put("d", "v");
            assert_eq!((peek(&cache, "a"), peek(&cache, "b")), (None, Some(b"v".to_vec())));
        }
        cache.clock.advance(MINUTE);
        assert_eq!(peek(&cache, "c"), None);
        cache.epoch += 1;
        cache.put("c", "w");
        assert_eq!(peek(&cache, "c"), Some(b"w".to_vec()));
        cache.near.clear();
        assert_eq!(peek(&cache, "c"), None);
    }
}

#[test]
fn r7_another_epoch_finds_nothing_and_the_sweep_gives_all_back() {
    for policy in POLICIES {
        let mut cache = TestCache::roomy(policy);
        (0..5000).for_each(|n| assert!(cache.put(&n.to_string(), "value")));
        cache.epoch += 1;
        assert!((0..5000).all(|n| cache.get(&n.to_string()).is_none()), "at once");
        cache.sweep();
        let counts = cache.near.counts();
        assert_eq!((counts.items, counts.bytes, counts.evicted_ended), (0, 0, 5000));
    }
}

#[test]
fn r9_after_a_clear_nothing_is_found_and_the_sweep_gives_all_back() {
    for policy in POLICIES {
        let cache = TestCache::roomy(policy);
        (0..5000).for_each(|n| assert!(cache.put(&n.to_string(), "value")));
        cache.near.clear();
        assert!((0..5000).all(|n| cache.get(&n.to_string()).is_none()), "at once");
        cache.put("0", "anew");
        assert_eq!(cache.get("0"), found("anew"), "what comes after the clear counts");
        cache.sweep();
        let counts = cache.near.counts();
        assert_eq!((counts.items, counts.evicted_ended), (1, 4999));
        assert!(cache.remove("0"));
        assert_eq!(cache.near.counts().bytes, 0);
    }
}

#[test]
fn a_sweep_goes_on_where_the_last_one_ended() {
    let mut cache = TestCache::roomy(Policy::ClockPro);
    (0..5000).for_each(|n| assert!(cache.put(&n.to_string(), "value")));
    cache.epoch += 1;
    cache.near.sweep(cache.read_view(), 1);
    let left = cache.near.counts().items;
    assert!((1..5000).contains(&left), "one shard and no more: {left}");
    (0..SHARDS_MAX).for_each(|_| cache.near.sweep(cache.read_view(), 1));
    assert_eq!(cache.near.counts().items, 0);
}

#[test]
fn replies_to_several_reads_stand_side_by_side_and_leave_together() {
    for policy in POLICIES {
        let cache = TestCache::roomy(policy);
        let reads = [(0, ""), (1, ""), (0, "HGET f"), (0, "HGET g")];
        let key = |(db, read): (u32, &'static str)| Key { name: b"n", db, read: read.as_bytes() };
        for (n, read) in reads.into_iter().enumerate() {
            assert!(cache.put_read(key(read), n.to_string().as_bytes(), MINUTE));
        }
        for (n, read) in reads.into_iter().enumerate() {
            assert_eq!(cache.get_read(key(read)), found(&n.to_string()));
        }
        assert_eq!(cache.get_read(key((2, ""))), None, "another db");
        assert_eq!(cache.near.counts().items, 1, "one name, one entry");
        assert!(cache.remove("n"));
        assert!(reads.into_iter().all(|read| cache.get_read(key(read)).is_none()));
        assert_eq!(cache.near.counts().bytes, 0);
    }
}

#[test]
fn replies_under_one_name_leave_with_the_earliest() {
    for policy in POLICIES {
        let cache = TestCache::roomy(policy);
        let other = Key { name: b"n", db: 1, read: b"" };
        cache.put_read(get("n"), b"long", MINUTE);
        cache.put_read(other, b"short", MINUTE / 2);
        cache.clock.advance(MINUTE / 2);
        assert_eq!((cache.get("n"), cache.get_read(other)), (None, None));
        cache.put("n", "anew");
        assert_eq!(cache.get("n"), found("anew"));
        assert_eq!(cache.get_read(other), None, "a new entry does not revive the old replies");
    }
}

#[test]
fn a_reply_replaces_the_one_to_the_same_read() {
    for policy in POLICIES {
        let cache = TestCache::roomy(policy);
        cache.put("a", "a longer value than the next");
        let longer = cache.near.counts().bytes;
        cache.put("a", "2");
        assert_eq!(cache.get("a"), found("2"));
        let counts = cache.near.counts();
        assert_eq!((counts.items, counts.evicted_full), (1, 0));
        assert!(counts.bytes < longer + 64, "its bytes were given back: {}", counts.bytes);
    }
}

#[test]
fn at_most_64_reads_are_kept_under_one_name() {
    for policy in POLICIES {
        let cache = TestCache::roomy(policy);
        let reads: Vec<_> =
            (0..=VARIANTS_PER_NAME_MAX).map(|n| format!("GETRANGE {n} 9")).collect();
        let keys = reads.iter().map(|read| Key { name: b"n", db: 0, read: read.as_bytes() });
        let (last, kept) = (keys.clone().next_back().unwrap(), keys.take(VARIANTS_PER_NAME_MAX));
        kept.clone().for_each(|key| assert!(cache.put_read(key, b"x", MINUTE)));
        assert!(!cache.put_read(last, b"x", MINUTE), "it says that there is no room for one more");
        assert_eq!(cache.get_read(last), None);
        assert!(kept.clone().all(|key| cache.get_read(key).is_some()));
        let again = kept.clone().next().unwrap();
        assert!(cache.put_read(again, b"newer", MINUTE), "a read that stands there may be renewed");
        assert_eq!(cache.get_read(again), found("newer"));
    }
}

#[test]
fn what_is_larger_than_a_shard_is_refused() {
    for policy in POLICIES {
        let cache = TestCache::new(policy, 64 << 10, 0);
        let large = "x".repeat(60 << 10);
        cache.put("a", "1");
        assert!(!cache.put("large", &large));
        assert_eq!(cache.get("large"), None);
        assert_eq!(cache.get("a"), found("1"), "nobody left for it");
    }
}

#[test]
fn names_with_one_hash_never_answer_for_each_other() {
    for policy in POLICIES {
        let mut cache = TestCache::roomy(policy);
        cache.near.hash = NameHash::colliding(1);
        assert!(cache.put("a", "of a"));
        assert_eq!(cache.get("b"), None);
        assert!(cache.put("b", "of b"));
        assert_eq!((cache.get("a"), cache.get("b")), (None, found("of b")));
        let counts = cache.near.counts();
        assert_eq!((counts.items, counts.evicted_full), (1, 1), "a had to go, and was counted");
        let read = Key { read: b"HGET f", ..get("a") };
        assert!(cache.put_read(read, b"of f", MINUTE), "nor do they stand side by side");
        assert_eq!((cache.get("b"), cache.get_read(read)), (None, found("of f")));
        assert!(cache.remove("a"));
        assert_eq!(cache.get_read(read), None);
    }
}

#[test]
fn a_large_reply_is_shared_and_a_small_one_lies_with_its_name() {
    let cache = TestCache::roomy(Policy::ClockPro);
    let large: Arc<[u8]> = vec![b'x'; 5000].into();
    let until = cache.clock.now().plus(MINUTE);
    let (key, value) = (cache.near.hashed(get("large")), Some(Arc::clone(&large)));
    assert_eq!(cache.near.put(key, &value, until, cache.read_view(), None), Ok(()));
    cache.put("small", "value");
    let is_plain = |name| {
        cache.near.get(get(name), cache.read_view(), |seen, _| matches!(seen, CachedRef::Bytes(_)))
    };
    assert_eq!((is_plain("large"), is_plain("small")), (Some(false), Some(true)));
    let taken = cache.near.get(get("large"), cache.read_view(), |seen, _| seen.to_value()).unwrap();
    assert!(Arc::ptr_eq(&taken.unwrap(), &large));
}

#[test]
fn every_entry_that_left_is_counted_once() {
    for policy in POLICIES {
        let mut cache = TestCache::new(policy, MIB, 0);
        let mut inserted = 0;
        let mut put = |cache: &TestCache, group: &str, count: u32, ttl| {
            for n in 0..count {
                assert!(cache.put_read(get(&format!("{group} {n}")), &[b'x'; 100], ttl));
            }
            inserted += u64::from(count);
        };
        put(&cache, "full", 20_000, MINUTE);
        assert!(cache.near.counts().evicted_full > 10_000);
        // The first stay under one policy, the last under the other.
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
