//! Which keys are kept: `near-allow` and `near-deny`.

use larder_testkit::http;

use crate::stand::Stand;

#[test]
fn keys_that_must_not_be_kept_are_read_from_redis_each_time() {
    let flags = ["--near-allow", "user:,page:", "--near-deny", "user:secret:"];
    let Some(stand) = Stand::start(&flags) else { return };
    let mut wire = stand.wire();
    stand.heat(&mut wire, "GET user:1", "$-1");
    stand.heat(&mut wire, "GET page:1", "$-1");
    stand.heat(&mut wire, "MGET user:1 page:1", "*2 $-1 $-1");
    for line in ["GET user:secret:1", "GET other", "STRLEN user", "MGET user:1 other"] {
        let (hits, calls) = (stand.hits(), calls(&stand));
        for _ in 0..5 {
            wire.line(line);
        }
        assert_eq!((stand.hits(), calls + 5), (hits, self::calls(&stand)), "{line}");
    }
    assert_eq!(stand.count("/resp/requests/bypass/not-allowed"), 20);
    let answer = http::get(&stand.larder.url("/get/other"), &[]);
    assert_eq!(answer.cache_status(), "larder; fwd=bypass; detail=not-allowed");
    // Nor does Redis have to remember who read them.
    let tracked = stand.redis.info("stats", "tracking_total_keys").unwrap();
    assert_eq!(tracked, "2");
}

fn calls(stand: &Stand) -> u64 {
    ["get", "strlen", "mget"].iter().map(|command| stand.redis.command_calls(command)).sum()
}
