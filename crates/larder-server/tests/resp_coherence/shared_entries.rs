//! RESP and HTTP share one near cache.

use larder_testkit::http;

use crate::client::Reply;
use crate::setup::{ClientHarness, RedisHarness, start};

#[test]
fn a_set_over_resp_changes_the_etag_and_resp_reads_a_put() {
    let Some(harness) = start(&[]) else { return };
    let mut client = harness.client();
    let url = harness.larder.url("/v1/keys/k");
    let mut etag = String::new();
    for round in 0..50 {
        let value = format!("over resp {round}");
        client.expect(&format!("SET k '{value}'"), "OK");
        let changed = http::get(&url, &[("if-none-match", &etag)]);
        assert_eq!((changed.status, changed.text()), (200, value.clone()), "round {round}");
        etag = changed.header("etag").unwrap().to_owned();
        let same = http::get(&url, &[("if-none-match", &etag)]);
        assert_eq!(same.status, 304);

        let value = format!("over http {round}");
        assert_eq!(http::put(&url, &[], value.clone()).status, 204);
        client.expect("GET k", &*value);
        client.expect("STRLEN k", i64::try_from(value.len()).unwrap());
        client.expect("EVAL 'return redis.call(\"DEL\", \"k\")' 0", 1);
        assert_eq!(http::get(&url, &[]).status, 404);
        client.expect("GET k", Reply::Nil);
    }
}

#[test]
fn a_value_cached_by_one_listener_is_a_hit_for_the_other() {
    let Some(harness) = start(&[]) else { return };
    let mut client = harness.client();
    harness.foreign_client().pipeline(&["SET a 1", "SET b 2"]);
    harness.warm_up(&mut client, "GET a", "1");
    let over_http = http::get(&harness.larder.url("/v1/keys/a"), &[]);
    let found = over_http.header("cache-status").unwrap();
    assert!(found.starts_with("larder; hit"), "{found}");

    let url = harness.larder.url("/v1/keys/b");
    while !http::get(&url, &[]).header("cache-status").unwrap().starts_with("larder; hit") {}
    let (hits, gets) = (harness.larder.resp_hits(), harness.redis.command_calls("get"));
    client.expect("GET b", "2");
    assert_eq!((harness.larder.resp_hits(), harness.redis.command_calls("get")), (hits + 1, gets));
}
