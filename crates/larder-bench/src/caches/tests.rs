use super::*;
use larder_core::near::Policy;

/// Few enough that no two keys have the same fingerprint, since Larder holds one of two such keys.
const KEYS: u32 = 200;

fn caches(capacity: Capacity) -> Vec<(&'static str, Box<dyn Cache>)> {
    let larder = |policy| Larder::new(capacity, policy);
    vec![
        ("near cache", Box::new(NearCache::new(capacity))),
        ("larder", Box::new(larder(Policy::ClockPro))),
        ("larder, unbatched", Box::new(larder(Policy::ClockPro).unbatched())),
        ("larder lru", Box::new(larder(Policy::Lru))),
    ]
}

#[test]
fn an_inserted_entry_is_a_hit_until_the_cache_is_cleared() {
    let numbers: Vec<u32> = (0..KEYS).collect();
    for (name, cache) in caches(Capacity::NoEviction(KEYS.into())) {
        let hits = |cache: &dyn Cache| {
            let mut counts = ReadCounts::default();
            cache.get_batch(&numbers, &mut counts);
            assert_eq!((counts.reads, counts.wrong), (KEYS.into(), 0), "{name}");
            counts.hits
        };
        assert_eq!(hits(&*cache), 0, "{name}");
        fill(&*cache, 0..KEYS);
        assert_eq!((hits(&*cache), cache.len()), (KEYS.into(), KEYS.into()), "{name}");
        cache.clear();
        cache.run_pending();
        assert_eq!((hits(&*cache), cache.len()), (0, 0), "{name}");
    }
}

#[test]
fn keys_are_formatted_with_eight_digits() {
    for number in (0..NUMBERS).step_by(9973).chain([NUMBERS - 1]) {
        let key = format!("library:object:id{number:08}");
        assert_eq!(key_of(number), key.as_bytes());
    }
    assert_eq!(value_of(&key_of(7))[..26], *b"library:object:id00000007x");
}

#[test]
fn the_value_of_another_key_is_counted_as_wrong() {
    let mut counts = ReadCounts::default();
    counts.count(&key_of(1), &value_of(&key_of(2)), true);
    counts.count(&key_of(1), &value_of(&key_of(1)), true);
    counts.count(&key_of(1), &value_of(&key_of(2)), false);
    assert_eq!(counts, ReadCounts { reads: 3, hits: 2, wrong: 1 });
}
