//! Redis is unreachable when Larder starts.

use larder_testkit::{LIMIT, RedisServer, eventually, http, require_redis};

use crate::http_client::HttpClient;
use crate::setup::{larder, path, warm_up};
use crate::users::Users;

#[test]
fn larder_starts_without_redis_and_connects_once_it_is_up() {
    if !require_redis() {
        return;
    }
    let redis = RedisServer::start();
    redis.kill();
    let users = Users::new(r#"{"123": {"name": "Ada"}}"#);
    let larder = larder(&redis.url()).config_text(users.config("")).start();

    assert_eq!(http::get(&larder.url("/livez"), &[]).status, 200);
    let ready = http::get(&larder.url("/readyz"), &[]);
    assert_eq!((ready.status, ready.json()["status"].as_str()), (200, Some("degraded")));
    let why = || http::get(&larder.url("/readyz"), &[]).json()["problems"][0].to_string();
    eventually(LIMIT, "health to report the reason", || why().contains("refused"));

    for path in ["/get/k".to_owned(), path("k")] {
        let response = http::get(&larder.url(&path), &[]);
        assert_eq!(response.status, 503, "{}", response.text());
        assert_eq!(response.header("content-type"), Some("application/problem+json"));
        assert_eq!(response.header("retry-after"), Some("1"));
    }
    assert_eq!(http::put(&larder.url(&path("k")), &[], "v").status, 503);
    let mut reader = HttpClient::connect(larder.port());
    let row = reader.get("/users/123");
    assert_eq!(row.value(), Some(r#"{"name":"Ada"}"#));
    assert_eq!(row.cache_status, "larder; fwd=bypass; detail=store-unreachable");
    assert_eq!(reader.get("/users/1").value(), None);

    redis.restart();
    larder.wait_until_coherent();
    for value in ["one", "two"] {
        redis.cmd(&["SET", "k", value]);
        warm_up(&larder, "k", value);
    }
    eventually(LIMIT, "the row to be served from memory", || reader.get("/users/123").is_hit());
    assert_eq!(larder.stats()["status"], "ok");
}
