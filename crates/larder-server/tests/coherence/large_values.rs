//! Values larger than `near-max-value` are served correctly and bypass the near cache.

use larder_testkit::{LIMIT, eventually};

use crate::setup::{HttpHarness, path, start};

const BYPASSED: &str = "larder; fwd=bypass; detail=too-large";

#[test]
fn a_large_value_bypasses_the_near_cache_until_a_small_one_replaces_it() {
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
        assert_eq!(found.cache_status, BYPASSED);
        assert!(found.value() == Some(&large));
    }
    harness.foreign(&["SET", "k", &larger]);
    eventually(LIMIT, "the larger value", || read().value() == Some(&larger));
    harness.foreign(&["SET", "k", "small"]);
    harness.warm_up("k", "small");

    // The same with writes through Larder.
    assert_eq!(harness.put("k", &large), 204);
    eventually(LIMIT, "the near cache to be bypassed", || {
        let found = read();
        assert!(found.value() == Some(&large), "{}", found.cache_status);
        found.cache_status == BYPASSED
    });
    assert_eq!(harness.put("k", "small again"), 204);
    assert_eq!(read().value(), Some("small again"));
    harness.warm_up("k", "small again");
}
