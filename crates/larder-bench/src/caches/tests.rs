use super::*;

fn fetch(cache: &dyn Cache, numbers: &[u32]) -> Tally {
    let mut tally = Tally::default();
    cache.fetches(numbers, &mut tally);
    tally
}

fn hits(cache: &dyn Cache, numbers: &[u32]) -> u64 {
    let mut tally = Tally::default();
    cache.reads(numbers, &mut tally);
    assert_eq!((tally.reads, tally.wrong), (numbers.len() as u64, 0));
    tally.hits
}

/// Few enough that no two of them have one tag: in Larder such two take turns.
const KEYS: u32 = 200;

#[test]
fn what_was_put_in_is_found_until_it_is_cleared() {
    for kind in CacheKind::ALL {
        for size in [Size::RoomFor(KEYS.into()), Size::Exactly(KEYS.into())] {
            let cache = kind.build(size);
            let numbers: Vec<u32> = (0..KEYS).collect();
            assert_eq!(hits(&*cache, &numbers), 0, "{}", kind.name());
            let filled = fetch(&*cache, &numbers);
            assert_eq!(filled, Tally { reads: KEYS.into(), hits: 0, wrong: 0 }, "{}", kind.name());
            cache.settle();
            assert_eq!(hits(&*cache, &numbers), u64::from(KEYS), "{}", kind.name());
            assert_eq!(fetch(&*cache, &numbers).hits, u64::from(KEYS), "{}", kind.name());
            assert_eq!(hits(&*cache, &[KEYS]), 0, "{}", kind.name());
            assert_eq!(cache.len(), u64::from(KEYS), "{}", kind.name());
            cache.clear();
            assert_eq!(hits(&*cache, &numbers), 0, "{}", kind.name());
            cache.settle();
            assert_eq!(cache.len(), 0, "{}", kind.name());
        }
    }
}

#[test]
fn what_is_loaded_is_kept() {
    for kind in CacheKind::ALL.into_iter().filter(|kind| kind.has_loads()) {
        let cache = kind.build(Size::RoomFor(KEYS.into()));
        let (numbers, mut tally) = ((0..KEYS).collect::<Vec<_>>(), Tally::default());
        cache.loads(&numbers, &mut tally);
        assert_eq!(tally, Tally { reads: KEYS.into(), hits: 0, wrong: 0 }, "{}", kind.name());
        cache.loads(&numbers, &mut tally);
        assert_eq!(
            tally,
            Tally { reads: u64::from(2 * KEYS), hits: KEYS.into(), wrong: 0 },
            "{}",
            kind.name()
        );
        assert_eq!(hits(&*cache, &numbers), u64::from(KEYS), "{}", kind.name());
    }
}

#[test]
fn shards_hold_no_more_than_was_said() {
    for kind in CacheKind::ALL {
        let cache = kind.build(Size::AtMost(2000));
        fetch(&*cache, &(0..8000).collect::<Vec<_>>());
        cache.settle();
        // Larder rounds down for each of its shards.
        assert!((1800..=2000).contains(&cache.len()), "{}: {}", kind.name(), cache.len());
    }
}

#[test]
fn exact_ones_hold_as_many_as_they_may() {
    for kind in CacheKind::ALL {
        for entries in [2, 20, 1500] {
            let cache = kind.build(Size::Exactly(entries));
            for number in 0..4000 {
                fetch(&*cache, &[number]);
                assert!(cache.len() <= entries, "{}: {} entries", kind.name(), cache.len());
            }
            assert_eq!(cache.len(), entries, "{}", kind.name());
        }
    }
}

/// One trace that is worked out by hand: three places, and a scan between two reads of the same.
#[test]
fn lru_keeps_the_last_three() {
    for kind in [CacheKind::LarderLru, CacheKind::Lru] {
        let cache = kind.build(Size::Exactly(3));
        let found: Vec<_> =
            [1, 2, 3, 1, 4, 1, 2, 5, 4].map(|number| fetch(&*cache, &[number]).hits).to_vec();
        assert_eq!(found, [0, 0, 0, 1, 0, 1, 0, 0, 0], "{}", kind.name());
    }
}

/// What is read again and again outlives a scan of ten times the size.
#[test]
fn scan_resistance_is_seen() {
    let survivors = |kind: CacheKind| {
        let cache = kind.build(Size::Exactly(100));
        let loved: Vec<u32> = (0..50).collect();
        for _ in 0..10 {
            fetch(&*cache, &loved);
        }
        for number in 1000..2000 {
            fetch(&*cache, &[number]);
        }
        hits(&*cache, &loved)
    };
    let resistant = [CacheKind::Larder, CacheKind::QuickCache, CacheKind::Moka];
    for kind in resistant.into_iter().chain([CacheKind::FoyerS3fifo, CacheKind::FoyerLfu]) {
        assert!(survivors(kind) >= 45, "{}: {}", kind.name(), survivors(kind));
    }
    assert_eq!([CacheKind::LarderLru, CacheKind::Lru].map(survivors), [0, 0]);
}

#[test]
fn keys_are_spelled_out() {
    for number in (0..NUMBERS).step_by(9973).chain([NUMBERS - 1]) {
        let key = format!("library:object:id{number:08}");
        assert_eq!(key_of(number), key.as_bytes());
    }
    assert_eq!(value_of(&key_of(7))[..26], *b"library:object:id00000007x");
}

#[test]
fn a_value_of_another_key_is_noticed() {
    let mut tally = Tally::default();
    tally.count(&key_of(1), &value_of(&key_of(2)), true);
    tally.count(&key_of(1), &value_of(&key_of(1)), true);
    tally.count(&key_of(1), &value_of(&key_of(2)), false);
    assert_eq!(tally, Tally { reads: 3, hits: 2, wrong: 1 });
}

#[test]
fn every_crate_has_a_version() {
    let versions = versions();
    assert_eq!(versions.len(), 5, "{versions:?}");
    assert!(versions.iter().all(|(_, version)| version.starts_with(|c: char| c.is_ascii_digit())));
}
