//! Values larger than `near-max-value` are right, and pass the near tier by.

use larder_testkit::eventually;

use crate::stand::{LIMIT, Stand, path};

#[test]
fn a_large_value_is_read_past_the_tracked_connection_until_a_small_one_takes_its_place() {
    let Some(stand) = Stand::start(&["--near-max-value", "1kb"]) else { return };
    let large = "x".repeat(100_000);
    let mut reader = stand.reader();
    let mut read = || {
        let found = reader.get(&path("k"));
        let value = found.value().unwrap().to_owned();
        (value, found.cache_status)
    };

    stand.foreign(&["SET", "k", &large]);
    assert_eq!(read(), (large.clone(), "larder; fwd=uri-miss; detail=too-large".into()));
    for _ in 0..3 {
        assert_eq!(read(), (large.clone(), "larder; fwd=bypass; detail=too-large".into()));
    }
    let larger = "y".repeat(200_000);
    stand.foreign(&["SET", "k", &larger]);
    eventually(LIMIT, "the larger value", || read().0 == larger);

    stand.foreign(&["SET", "k", "small"]);
    stand.heat("k", "small");
    // And back, by a write of Larder's own.
    assert_eq!(stand.put("k", &large), 204);
    assert_eq!(read(), (large.clone(), "larder; fwd=uri-miss; detail=too-large".into()));
    assert_eq!(read(), (large.clone(), "larder; fwd=bypass; detail=too-large".into()));
    assert_eq!(stand.put("k", "small again"), 204);
    stand.heat("k", "small again");
}
