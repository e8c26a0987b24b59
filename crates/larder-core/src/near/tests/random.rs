//! Random operations, compared with a map and with the bounds.

use super::{super::*, MIB, MINUTE, POLICIES, TestCache, get};
use proptest::{prelude::*, sample::select};
use std::{collections::HashMap, time::Duration};

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn neither_bound_is_ever_exceeded(
        policy in select(&POLICIES),
        (bytes_max, entries_max) in select(&[(256 << 10, 0), (256 << 10, 100), (MIB, 1500)]),
        sizes in prop::collection::vec((0..3000_u32, 0..9000_usize), 1..3000),
    ) {
        let cache = TestCache::new(policy, bytes_max, entries_max);
        let payload = vec![b'x'; 9000];
        for (name, bytes) in sizes {
            cache.insert_key(get(&name.to_string()), &payload[..bytes], MINUTE);
            let counts = cache.near.counts();
            prop_assert!(counts.bytes <= bytes_max, "{} bytes of {bytes_max}", counts.bytes);
            prop_assert!(entries_max == 0 || counts.items <= entries_max, "{} items", counts.items);
        }
    }
}

#[derive(Clone, Debug)]
enum Op {
    Insert { name: u8, db: u32, payload: u16, ttl_ms: u64 },
    Get { name: u8, db: u32 },
    GetBatch { keys: Vec<(u8, u32)> },
    Remove { name: u8 },
    Clear,
    NextEpoch,
    Advance { ms: u64 },
    Sweep,
}

fn op() -> impl Strategy<Value = Op> {
    let (name, db) = (0..20_u8, 0..3_u32);
    prop_oneof![
        8 => (name.clone(), db.clone(), any::<u16>(), 1..50_u64)
            .prop_map(|(name, db, payload, ttl_ms)| Op::Insert { name, db, payload, ttl_ms }),
        8 => (name.clone(), db.clone()).prop_map(|(name, db)| Op::Get { name, db }),
        8 => prop::collection::vec((name.clone(), db), 0..20)
            .prop_map(|keys| Op::GetBatch { keys }),
        2 => name.prop_map(|name| Op::Remove { name }),
        1 => Just(Op::Clear),
        1 => Just(Op::NextEpoch),
        2 => (1..20_u64).prop_map(|ms| Op::Advance { ms }),
        1 => Just(Op::Sweep),
    ]
}

/// For each name the deadline, and a payload for each db.
type Model = HashMap<u8, (Moment, HashMap<u32, u16>)>;

fn insert_in_model(
    model: &mut Model,
    now: Moment,
    (name, db, payload): (u8, u32, u16),
    deadline: Moment,
) {
    let entry = model.entry(name).or_insert_with(|| (Moment::NEVER, HashMap::new()));
    // What is replaced alone leaves nothing behind, its deadline included.
    if entry.0 <= now || entry.1.keys().all(|other| *other == db) {
        *entry = (Moment::NEVER, HashMap::new());
    }
    entry.0 = entry.0.min(deadline);
    entry.1.insert(db, payload);
}

/// Returns the payloads that a batch finds.
fn get_batch(cache: &TestCache, keys: &[(u8, u32)]) -> Vec<String> {
    let names: Vec<_> = keys.iter().map(|(name, db)| ([*name], *db)).collect();
    let keys = names.iter().map(|(name, db)| Key::plain(name, *db));
    let mut found = Vec::new();
    let before = cache.near.counts().hits;
    let hits = cache.near.reader(cache.read_view()).get_batch(keys, |cached, _| {
        found.extend(cached.to_value().map(|text| String::from_utf8(text.to_vec()).unwrap()));
        true
    });
    assert_eq!(hits, found.len());
    assert_eq!(cache.near.counts().hits - before, hits as u64);
    found
}

proptest! {
    #[test]
    fn without_evictions_it_behaves_like_a_map(
        policy in select(&POLICIES),
        ops in prop::collection::vec(op(), 1..200),
    ) {
        let mut cache = TestCache::roomy(policy);
        let mut model = Model::new();
        for op in ops {
            let now = cache.clock.now();
            match op {
                Op::Insert { name, db, payload, ttl_ms } => {
                    let ttl = Duration::from_millis(ttl_ms);
                    let (bytes, text) = ([name], payload.to_string());
                    prop_assert!(cache.insert_key(Key::plain(&bytes, db), text.as_bytes(), ttl));
                    insert_in_model(&mut model, now, (name, db, payload), now.plus(ttl));
                }
                Op::Get { name, db } => {
                    let expected = model.get(&name).filter(|entry| now < entry.0);
                    let expected = expected.and_then(|entry| entry.1.get(&db)).map(u16::to_string);
                    prop_assert_eq!(cache.get_key(Key::plain(&[name], db)), expected);
                }
                Op::GetBatch { keys } => {
                    let expected = |(name, db): &(u8, u32)| {
                        let entry = model.get(name).filter(|entry| now < entry.0)?;
                        entry.1.get(db).map(u16::to_string)
                    };
                    // A lookup under LRU needs an exclusive lock, which a batch does not take.
                    let batch_max = if policy == Policy::ClockPro { 16 } else { 0 };
                    let expected: Vec<_> = keys.iter().map_while(expected).take(batch_max).collect();
                    prop_assert_eq!(get_batch(&cache, &keys), expected);
                }
                Op::Remove { name } => {
                    cache.near.remove(&[name]);
                    model.remove(&name);
                }
                Op::Clear => {
                    cache.near.clear();
                    model.clear();
                }
                Op::NextEpoch => {
                    cache.epoch += 1;
                    model.clear();
                }
                Op::Advance { ms } => cache.clock.advance(Duration::from_millis(ms)),
                Op::Sweep => {
                    cache.sweep();
                    model.retain(|_, entry| now < entry.0);
                    prop_assert_eq!(cache.near.counts().items, model.len() as u64);
                }
            }
        }
    }
}
