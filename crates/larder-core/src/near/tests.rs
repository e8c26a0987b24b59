//! What the near tier promises by itself: what is found, for how long, and how much it holds.

mod policies;
mod random;

use super::{slot::FORMS_PER_NAME_MAX, *};
use crate::Clock;
use std::{sync::Arc, time::Duration};

type Payload = Option<Arc<[u8]>>;

const POLICIES: [Policy; 2] = [Policy::ClockPro, Policy::Lru];
const MINUTE: Duration = Duration::from_mins(1);
const EPOCH: u32 = 7;
const MIB: u64 = 1 << 20;

/// A near tier with a clock and an epoch, as its owner sees it.
struct Room {
    near: Near<Payload>,
    clock: Clock,
    epoch: u32,
}

impl Room {
    fn new(policy: Policy, bytes_max: u64, entries_max: u64) -> Self {
        let plan = NearConfig { bytes_max, entries_max, value_bytes_max: 64 << 10, policy };
        Self { near: Near::new(&plan), clock: Clock::manual(), epoch: EPOCH }
    }

    fn ample(policy: Policy) -> Self {
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
        self.look_read(get(name))
    }

    fn look_read(&self, key: Key<'_>) -> Option<String> {
        let payload = self.near.get(key, self.read_view(), |seen, _| seen.to_value())?;
        Some(String::from_utf8(payload.expect("a payload").to_vec()).expect("text"))
    }

    fn forget(&self, name: &str) -> bool {
        self.near.forget(self.near.hashed(get(name))).is_some()
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
        let room = Room::ample(policy);
        assert_eq!(room.get("a"), None);
        assert!(room.put_read(get("a"), b"1", Duration::from_millis(10)));
        room.clock.advance(Duration::from_nanos(9_999_999));
        assert_eq!(room.get("a"), found("1"));
        assert_eq!(room.get("b"), None, "another name");
        room.clock.advance(Duration::from_nanos(1));
        assert_eq!(room.get("a"), None, "its time is over");
        let counts = room.near.counts();
        assert_eq!((counts.hits, counts.misses, counts.items), (1, 3, 1));
        room.sweep();
        let counts = room.near.counts();
        assert_eq!((counts.items, counts.bytes, counts.evicted_expired), (0, 0, 1));
    }
}

#[test]
fn a_look_gives_the_deadline() {
    for policy in POLICIES {
        let room = Room::ample(policy);
        room.put("a", "1");
        let until = room.near.get(get("a"), room.read_view(), |_, deadline| deadline);
        assert_eq!(until, Some(room.clock.now().plus(MINUTE)));
    }
}

#[test]
fn a_peek_sees_what_a_look_would_and_leaves_no_trace() {
    for policy in POLICIES {
        let mut room = Room::new(policy, 64 * MIB, 3);
        let peek = |room: &Room, name: &str| {
            let reader = room.near.reader(room.read_view());
            reader.peek(get(name), |seen| seen.to_value().expect("a payload").to_vec())
        };
        for name in ["a", "b", "c"] {
            assert!(room.put(name, "v"));
        }
        let before = room.near.counts();
        assert_eq!(peek(&room, "a"), Some(b"v".to_vec()));
        assert_eq!(peek(&room, "d"), None);
        assert_eq!(room.near.counts(), before);
        if policy == Policy::Lru {
            room.put("d", "v");
            assert_eq!((peek(&room, "a"), peek(&room, "b")), (None, Some(b"v".to_vec())));
        }
        room.clock.advance(MINUTE);
        assert_eq!(peek(&room, "c"), None);
        room.epoch += 1;
        room.put("c", "w");
        assert_eq!(peek(&room, "c"), Some(b"w".to_vec()));
        room.near.clear();
        assert_eq!(peek(&room, "c"), None);
    }
}

#[test]
fn r7_another_epoch_finds_nothing_and_the_sweep_gives_all_back() {
    for policy in POLICIES {
        let mut room = Room::ample(policy);
        (0..5000).for_each(|n| assert!(room.put(&n.to_string(), "value")));
        room.epoch += 1;
        assert!((0..5000).all(|n| room.get(&n.to_string()).is_none()), "at once");
        room.sweep();
        let counts = room.near.counts();
        assert_eq!((counts.items, counts.bytes, counts.evicted_ended), (0, 0, 5000));
    }
}

#[test]
fn r9_after_a_clear_nothing_is_found_and_the_sweep_gives_all_back() {
    for policy in POLICIES {
        let room = Room::ample(policy);
        (0..5000).for_each(|n| assert!(room.put(&n.to_string(), "value")));
        room.near.clear();
        assert!((0..5000).all(|n| room.get(&n.to_string()).is_none()), "at once");
        room.put("0", "anew");
        assert_eq!(room.get("0"), found("anew"), "what comes after the clear counts");
        room.sweep();
        let counts = room.near.counts();
        assert_eq!((counts.items, counts.evicted_ended), (1, 4999));
        assert!(room.forget("0"));
        assert_eq!(room.near.counts().bytes, 0);
    }
}

#[test]
fn a_sweep_goes_on_where_the_last_one_ended() {
    let mut room = Room::ample(Policy::ClockPro);
    (0..5000).for_each(|n| assert!(room.put(&n.to_string(), "value")));
    room.epoch += 1;
    room.near.sweep(room.read_view(), 1);
    let left = room.near.counts().items;
    assert!((1..5000).contains(&left), "one shard and no more: {left}");
    (0..SHARDS_MAX).for_each(|_| room.near.sweep(room.read_view(), 1));
    assert_eq!(room.near.counts().items, 0);
}

#[test]
fn replies_to_several_reads_stand_side_by_side_and_leave_together() {
    for policy in POLICIES {
        let room = Room::ample(policy);
        let reads = [(0, ""), (1, ""), (0, "HGET f"), (0, "HGET g")];
        let key = |(db, read): (u32, &'static str)| Key { name: b"n", db, read: read.as_bytes() };
        for (n, read) in reads.into_iter().enumerate() {
            assert!(room.put_read(key(read), n.to_string().as_bytes(), MINUTE));
        }
        for (n, read) in reads.into_iter().enumerate() {
            assert_eq!(room.look_read(key(read)), found(&n.to_string()));
        }
        assert_eq!(room.look_read(key((2, ""))), None, "another db");
        assert_eq!(room.near.counts().items, 1, "one name, one entry");
        assert!(room.forget("n"));
        assert!(reads.into_iter().all(|read| room.look_read(key(read)).is_none()));
        assert_eq!(room.near.counts().bytes, 0);
    }
}

#[test]
fn replies_under_one_name_leave_with_the_earliest() {
    for policy in POLICIES {
        let room = Room::ample(policy);
        let other = Key { name: b"n", db: 1, read: b"" };
        room.put_read(get("n"), b"long", MINUTE);
        room.put_read(other, b"short", MINUTE / 2);
        room.clock.advance(MINUTE / 2);
        assert_eq!((room.get("n"), room.look_read(other)), (None, None));
        room.put("n", "anew");
        assert_eq!(room.get("n"), found("anew"));
        assert_eq!(room.look_read(other), None, "a new entry does not revive the old replies");
    }
}

#[test]
fn a_reply_replaces_the_one_to_the_same_read() {
    for policy in POLICIES {
        let room = Room::ample(policy);
        room.put("a", "a longer value than the next");
        let longer = room.near.counts().bytes;
        room.put("a", "2");
        assert_eq!(room.get("a"), found("2"));
        let counts = room.near.counts();
        assert_eq!((counts.items, counts.evicted_full), (1, 0));
        assert!(counts.bytes < longer + 64, "its bytes were given back: {}", counts.bytes);
    }
}

#[test]
fn at_most_64_reads_are_kept_under_one_name() {
    for policy in POLICIES {
        let room = Room::ample(policy);
        let reads: Vec<_> = (0..=FORMS_PER_NAME_MAX).map(|n| format!("GETRANGE {n} 9")).collect();
        let keys = reads.iter().map(|read| Key { name: b"n", db: 0, read: read.as_bytes() });
        let (last, kept) = (keys.clone().next_back().unwrap(), keys.take(FORMS_PER_NAME_MAX));
        kept.clone().for_each(|key| assert!(room.put_read(key, b"x", MINUTE)));
        assert!(!room.put_read(last, b"x", MINUTE), "it says that there is no room for one more");
        assert_eq!(room.look_read(last), None);
        assert!(kept.clone().all(|key| room.look_read(key).is_some()));
        let again = kept.clone().next().unwrap();
        assert!(room.put_read(again, b"newer", MINUTE), "a read that stands there may be renewed");
        assert_eq!(room.look_read(again), found("newer"));
    }
}

#[test]
fn what_is_larger_than_a_shard_is_refused() {
    for policy in POLICIES {
        let room = Room::new(policy, 64 << 10, 0);
        let large = "x".repeat(60 << 10);
        room.put("a", "1");
        assert!(!room.put("large", &large));
        assert_eq!(room.get("large"), None);
        assert_eq!(room.get("a"), found("1"), "nobody left for it");
    }
}

#[test]
fn names_with_one_hash_never_answer_for_each_other() {
    for policy in POLICIES {
        let mut room = Room::ample(policy);
        room.near.hash = NameHash::colliding(1);
        assert!(room.put("a", "of a"));
        assert_eq!(room.get("b"), None);
        assert!(room.put("b", "of b"));
        assert_eq!((room.get("a"), room.get("b")), (None, found("of b")));
        let counts = room.near.counts();
        assert_eq!((counts.items, counts.evicted_full), (1, 1), "a had to go, and was counted");
        let read = Key { read: b"HGET f", ..get("a") };
        assert!(room.put_read(read, b"of f", MINUTE), "nor do they stand side by side");
        assert_eq!((room.get("b"), room.look_read(read)), (None, found("of f")));
        assert!(room.forget("a"));
        assert_eq!(room.look_read(read), None);
    }
}

#[test]
fn a_large_reply_is_shared_and_a_small_one_lies_with_its_name() {
    let room = Room::ample(Policy::ClockPro);
    let large: Arc<[u8]> = vec![b'x'; 5000].into();
    let until = room.clock.now().plus(MINUTE);
    let (key, value) = (room.near.hashed(get("large")), Some(Arc::clone(&large)));
    assert_eq!(room.near.put(key, &value, until, room.read_view(), None), Ok(()));
    room.put("small", "value");
    let is_plain = |name| {
        room.near.get(get(name), room.read_view(), |seen, _| matches!(seen, CachedRef::Bytes(_)))
    };
    assert_eq!((is_plain("large"), is_plain("small")), (Some(false), Some(true)));
    let taken = room.near.get(get("large"), room.read_view(), |seen, _| seen.to_value()).unwrap();
    assert!(Arc::ptr_eq(&taken.unwrap(), &large));
}

#[test]
fn every_entry_that_left_is_counted_once() {
    for policy in POLICIES {
        let mut room = Room::new(policy, MIB, 0);
        let mut pending_loads = 0;
        let mut put = |room: &Room, group: &str, count: u32, ttl| {
            for n in 0..count {
                assert!(room.put_read(get(&format!("{group} {n}")), &[b'x'; 100], ttl));
            }
            pending_loads += u64::from(count);
        };
        put(&room, "full", 20_000, MINUTE);
        assert!(room.near.counts().evicted_full > 10_000);
        // The first stay under one policy, the last under the other.
        let some = (0..1000).chain(19_000..20_000);
        assert!(some.filter(|n| room.forget(&format!("full {n}"))).count() > 900);
        put(&room, "short", 100, Duration::from_millis(1));
        room.clock.advance(Duration::from_millis(1));
        room.sweep();
        room.near.clear();
        put(&room, "cleared", 100, MINUTE);
        room.epoch += 1;
        put(&room, "now", 100, MINUTE);
        room.sweep();
        let counts = room.near.counts();
        assert!(counts.evicted_expired > 90 && counts.evicted_invalidation > 900);
        assert!(counts.evicted_ended > 1000);
        let left = counts.evicted_full
            + counts.evicted_expired
            + counts.evicted_invalidation
            + counts.evicted_ended;
        assert_eq!(pending_loads, counts.items + left);
    }
}
