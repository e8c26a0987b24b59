//! Which keys are cached: `near-allow` and `near-deny`.

use larder_testkit::{Harness, http};

use crate::setup::{RespHarness, start};

#[test]
fn excluded_keys_are_read_from_redis_each_time() {
    let flags = ["--near-allow", "user:,page:", "--near-deny", "user:secret:"];
    let Some(harness) = start(&flags) else { return };
    let mut wire = harness.wire();
    harness.warm_up(&mut wire, "GET user:1", "$-1");
    harness.warm_up(&mut wire, "GET page:1", "$-1");
    harness.warm_up(&mut wire, "MGET user:1 page:1", "*2 $-1 $-1");
    for line in ["GET user:secret:1", "GET other", "STRLEN user", "MGET user:1 other"] {
        let (hits, calls) = (harness.larder.resp_hits(), calls(&harness));
        for _ in 0..5 {
            wire.line(line);
        }
        assert_eq!(
            (harness.larder.resp_hits(), calls + 5),
            (hits, self::calls(&harness)),
            "{line}"
        );
    }
    // Each key of an MGET counts.
    assert_eq!(harness.larder.count("/resp/requests/bypass/not-allowed"), 25);
    let reply = http::get(&harness.larder.url("/get/other"), &[]);
    assert_eq!(reply.cache_status(), "larder; fwd=bypass; detail=not-allowed");
    // Redis does not have to track readers of these keys either.
    let tracked = harness.redis.info("stats", "tracking_total_keys").unwrap();
    assert_eq!(tracked, "2");
}

fn calls(harness: &Harness) -> u64 {
    ["get", "strlen", "mget"].iter().map(|command| harness.redis.command_calls(command)).sum()
}
