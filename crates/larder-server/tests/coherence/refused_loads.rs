//! Redis refuses what origins load, or Larder altogether: origins answer all the same.

use larder_testkit::{Harness, LIMIT, Larder, RedisServer, eventually, http, require_redis};

use crate::setup::{HttpHarness, larder, start_with_config};
use crate::users::Users;

fn problems(larder: &Larder) -> String {
    http::get(&larder.url("/readyz"), &[]).json()["problems"].to_string()
}

fn limit_memory(harness: &Harness, limit: &str) {
    harness.foreign(&["CONFIG", "SET", "maxmemory", limit]);
}

#[test]
fn a_redis_without_room_is_reported_until_it_has_room_again() {
    let users = Users::new(r#"{"1": {"v": 1}, "2": {"v": 2}}"#);
    let Some(harness) = start_with_config(&[], &users.config("")) else { return };
    let mut reader = harness.reader();
    for round in 1..3 {
        harness.foreign(&["DEL", "users:1", "users:2"]);
        limit_memory(&harness, "1");
        let refused = harness.larder.count("/fills_refused/store-refused");
        for id in ["1", "2", "1"] {
            let found = reader.get(&format!("/users/{id}"));
            assert_eq!(found.value(), Some(&*format!("{{\"v\":{id}}}")));
            assert_eq!(found.cache_status, "larder; fwd=uri-miss; detail=store-refused");
        }
        assert_eq!(harness.larder.count("/fills_refused/store-refused"), refused + 3);
        assert!(problems(&harness.larder).contains("OOM"), "{}", problems(&harness.larder));
        limit_memory(&harness, "0");
        eventually(LIMIT, "user 1 from memory", || reader.get("/users/1").is_hit());
        assert_eq!(problems(&harness.larder), "[]");
        let log = harness.larder.log();
        assert_eq!(log.matches("the store refuses what origins load").count(), round, "{log}");
        assert_eq!(log.matches("takes what origins load again").count(), round, "{log}");
    }
}

#[test]
fn origins_answer_while_redis_refuses_larder() {
    if !require_redis() {
        return;
    }
    let redis = RedisServer::builder().password("secret").start();
    let users = Users::new(r#"{"1": {"v": 1}}"#);
    for url in [format!("redis://{}", redis.addr()), format!("redis://:wrong@{}", redis.addr())] {
        let larder = larder(&url).config_text(users.config("")).start();
        eventually(LIMIT, "health to say why", || problems(&larder).contains("refuses Larder's"));
        for _ in 0..3 {
            let response = http::get(&larder.url("/users/1"), &[]);
            assert_eq!((response.status, response.text().trim()), (200, r#"{"v":1}"#), "{url}");
            let found = response.header("cache-status").unwrap();
            assert_eq!(found, "larder; fwd=bypass; detail=store-unreachable");
        }
        assert_eq!(http::get(&larder.url("/get/k"), &[]).status, 503);
        assert_eq!(larder.log().matches("refuses Larder's connections").count(), 1);
        assert!(!larder.log().contains("wrong@"), "{}", larder.log());
    }
}
