//! Values larger than `near-max-value` are right, and pass the near tier by.

use larder_testkit::eventually;

use crate::stand::{LIMIT, Stand, path};

const PASSED_BY: &str = "larder; fwd=bypass; detail=too-large";

#[test]
fn a_large_value_is_read_past_the_tracked_connection_until_a_small_one_takes_its_place() {
    let Some(stand) = Stand::start(&["--near-max-value", "1kb"]) else { return };
    let (large, larger) = ("x".repeat(100_000), "y".repeat(200_000));
    let mut reader = stand.reader();
    let mut read = || reader.get(&path("k"));

    stand.foreign(&["SET", "k", &large]);
    let first = read();
    assert_eq!(first.cache_status, "larder; fwd=uri-miss; detail=too-large");
    assert!(first.value() == Some(&large));
    for _ in 0..3 {
        let found = read();
        assert_eq!(found.cache_status, PASSED_BY);
        assert!(found.value() == Some(&large));
    }
    stand.foreign(&["SET", "k", &larger]);
    eventually(LIMIT, "the larger value", || read().value() == Some(&larger));
    stand.foreign(&["SET", "k", "small"]);
    stand.heat("k", "small");

    // And back, by writes of Larder's own.
    assert_eq!(stand.put("k", &large), 204);
    eventually(LIMIT, "the near tier to be passed by", || {
        let found = read();
        assert!(found.value() == Some(&large), "{}", found.cache_status);
        found.cache_status == PASSED_BY
    });
    assert_eq!(stand.put("k", "small again"), 204);
    assert_eq!(read().value(), Some("small again"));
    stand.heat("k", "small again");
}
