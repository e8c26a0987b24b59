//! Values larger than `near-max-value` are right, and pass the near tier by.

use larder_testkit::{LIMIT, eventually};

use crate::setup::{HttpHarness, path, start};

const PASSED_BY: &str = "larder; fwd=bypass; detail=too-large";

#[test]
fn a_large_value_is_read_past_the_tracked_connection_until_a_small_one_takes_its_place() {
    let Some(harness) = start(&["--near-max-value", "1kb"]) else { return };
    let (large, larger) = ("x".repeat(100_000), "y".repeat(200_000));
    let mut reader = harness.reader();
    let mut read = || reader.get(&path("k"));

    harness.foreign(&["SET", "k", &large]);
    let first = read();
    assert_eq!(first.cache_status, "larder; fwd=uri-miss; detail=too-large");
    assert!(first.value() == Some(&large));
    for _ in 0..3 {
        let found = read();
        assert_eq!(found.cache_status, PASSED_BY);
        assert!(found.value() == Some(&large));
    }
    harness.foreign(&["SET", "k", &larger]);
    eventually(LIMIT, "the larger value", || read().value() == Some(&larger));
    harness.foreign(&["SET", "k", "small"]);
    harness.warm_up("k", "small");

    // And back, by writes of Larder's own.
    assert_eq!(harness.put("k", &large), 204);
    eventually(LIMIT, "the near tier to be passed by", || {
        let found = read();
        assert!(found.value() == Some(&large), "{}", found.cache_status);
        found.cache_status == PASSED_BY
    });
    assert_eq!(harness.put("k", "small again"), 204);
    assert_eq!(read().value(), Some("small again"));
    harness.warm_up("k", "small again");
}
