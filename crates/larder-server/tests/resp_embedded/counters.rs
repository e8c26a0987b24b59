//! What a Larder without a Redis counts: over RESP the keys that were found or not, as Redis does,
//! and over HTTP what `Cache-Status` says.

use larder_testkit::http;
use serde_json::{Value, json};

use crate::setup::Embedded;

fn requests(stats: &Value, listener: &str) -> [u64; 3] {
    let count = |result: &str| stats[listener]["requests"][result].as_u64().unwrap();
    [count("hit"), count("miss"), count("not-cached")]
}

#[test]
fn reads_of_missing_keys_are_misses_and_agree_with_info() {
    let server = Embedded::start(&[]);
    let mut client = server.client();
    for _ in 0..10 {
        client.expect("GET missing", "$-1");
    }
    client.expect("SET k 1", "+OK");
    client.expect("MGET k missing k", "*3 $1 1 $-1 $1 1");
    client.expect("EXISTS k missing", ":1");
    let stats = server.larder.stats();
    assert_eq!(requests(&stats, "resp"), [3, 12, 0], "{stats}");
    let info = String::from_utf8(client.line("INFO stats")).unwrap();
    assert!(info.contains("keyspace_hits:3\r\nkeyspace_misses:12\r\n"), "{info}");
}

#[test]
fn writes_are_counted_by_result_also_in_a_transaction() {
    let server = Embedded::start(&[]);
    let mut client = server.client();
    client.expect("SET k text", "+OK");
    client.expect("INCR k", "-ERR value is not an integer or out of range");
    client.expect("MULTI", "+OK");
    client.expect("SET k 1", "+QUEUED");
    client.expect("GET k", "+QUEUED");
    client.expect("INCR k", "+QUEUED");
    assert_eq!(server.larder.stats()["resp"]["writes"]["done"], 1, "the others are queued");
    client.expect("EXEC", "*3 +OK $1 1 :2");
    let writes = &server.larder.stats()["resp"]["writes"];
    assert_eq!(*writes, json!({ "done": 3, "refused": 1, "error": 0 }));
}

#[test]
fn requests_over_http_are_counted_as_cache_status_says() {
    let server = Embedded::start(&[]);
    let key = server.larder.url("/v1/keys/k");
    let only_cached = [("cache-control", "only-if-cached")];
    assert_eq!(http::get(&key, &only_cached).status, 504);
    assert_eq!(http::put(&key, &[], "v").status, 204);
    assert_eq!(http::put(&server.larder.url("/set/k/w"), &[], "").status, 200);
    assert!(http::get(&key, &[]).cache_status().contains("fwd=uri-miss"));
    assert!(http::get(&key, &[]).cache_status().contains("hit"));
    assert!(http::get(&key, &only_cached).cache_status().contains("hit"));
    assert_eq!(http::delete(&key, &[]).status, 204);
    let stats = server.larder.stats();
    assert_eq!(requests(&stats, "http"), [2, 1, 1], "{stats}");
    assert_eq!(stats["http"]["writes"], json!({ "done": 3, "refused": 0, "error": 0 }));
    let metrics = http::get(&server.larder.url("/metrics"), &[]).text();
    for line in [
        r#"larder_requests_total{listener="http",result="not-cached",reason=""} 1"#,
        r#"larder_writes_total{listener="http",result="done"} 3"#,
    ] {
        assert!(metrics.lines().any(|it| it == line), "{line}\n{metrics}");
    }
}
