//! The routes of declared origins: reading rows through the cache and deleting cached rows.

use std::fs;

use larder_testkit::LarderBuilder;
use serde_json::json;
use tempfile::TempDir;

use crate::server::Server;

const MISS: &str = "larder; fwd=uri-miss; stored";
const ROWS: &str =
    r#"{"7": {"name": "Ada", "big": 12345678901234567890123}, "a/b": {"n": 1}, "é %": {"n": 2}}"#;

#[test]
fn a_row_is_loaded_once_and_then_cached() {
    let (server, _rows) = start(|larder| larder);
    let first = server.get("/users/7", &[]);
    assert_eq!((first.status, first.cache_status()), (200, MISS));
    assert_eq!(first.header("content-type"), Some("application/json"));
    assert_eq!(first.text(), r#"{"name":"Ada","big":12345678901234567890123}"#);
    let next = server.get("/users/7", &[]);
    assert_eq!((&next.body, next.header("etag")), (&first.body, first.header("etag")));
    assert!((1..=60).contains(&next.hit_ttl().unwrap()), "{}", next.head);
    assert_eq!(server.get("/get/users:7", &[]).json()["value"], first.text());
    let known = server.get("/users/7", &[("if-none-match", first.header("etag").unwrap())]);
    assert_eq!(known.status, 304);
}

#[test]
fn the_absence_of_a_row_is_cached() {
    let (server, _rows) = start(|larder| larder);
    let first = server.get("/users/8", &[]);
    assert_eq!((first.status, &*first.detail()), (404, "the origin has no such row"));
    assert_eq!(first.cache_status(), MISS);
    let next = server.get("/users/8", &[]);
    assert!(next.status == 404 && (1..=30).contains(&next.hit_ttl().unwrap()), "{}", next.head);
    assert_eq!(origin_loads(&server), 1);
}

#[test]
fn a_read_after_a_delete_loads_the_row_again() {
    let (server, _rows) = start(|larder| larder);
    assert_eq!(server.get("/users/7", &[]).cache_status(), MISS);
    assert_eq!(server.put("/v1/keys/users:7", "\"changed\"").status, 204);
    assert_eq!(server.get("/users/7", &[]).text(), "\"changed\"");
    for _ in 0..2 {
        let deleted = server.send("DELETE", "/users/7", &[], b"");
        assert_eq!((deleted.status, deleted.body.len()), (204, 0));
    }
    let again = server.get("/users/7", &[]);
    assert_eq!((again.json()["name"].as_str(), again.cache_status()), (Some("Ada"), MISS));
    assert_eq!(origin_loads(&server), 2);
    let conditional = server.send("DELETE", "/users/7", &[("if-match", "\"x\"")], b"");
    assert_eq!((conditional.status, conditional.detail().contains("if-match")), (501, true));
}

#[test]
fn ids_are_percent_encoded_utf8() {
    let (server, _rows) = start(|larder| larder);
    for (target, body) in [("/users/a%2Fb", r#"{"n":1}"#), ("/users/%C3%A9%20%25", r#"{"n":2}"#)] {
        assert_eq!(server.get(target, &[]).text(), body, "{target}");
    }
    for (target, status) in [
        ("/users/%FF", 400),
        ("/users/%", 400),
        ("/users/%00", 404),
        ("/users/", 404),
        ("/users", 404),
        ("/users/7/", 404),
        ("/users/a/b", 404),
        ("/Users/7", 404),
        (&format!("/users/{}", "7".repeat(20_000)), 414),
    ] {
        let response = server.get(target, &[]);
        assert_eq!(response.status, status, "{target:.40}: {}", response.detail());
    }
}

#[test]
fn no_cache_bypasses_the_near_cache_and_only_if_cached_reads_nothing_else() {
    let (server, _rows) = start(|larder| larder);
    let get_with = |directive: &str| server.get("/users/7", &[("cache-control", directive)]);
    assert_eq!(get_with("only-if-cached").status, 504);
    assert_eq!(get_with("no-cache").cache_status(), MISS, "the store does not have the row yet");
    assert_eq!(get_with("no-cache").cache_status(), "larder; fwd=request");
    assert_eq!(get_with("only-if-cached").status, 504, "the bypass removed the entry");
    assert_eq!(get_with("max-age=0").cache_status(), MISS);
    assert!(get_with("only-if-cached").hit_ttl().is_some());
    assert_eq!(origin_loads(&server), 1);
}

/// Starts a server with an origin that serves [`ROWS`] from a file in the returned folder, which is
/// deleted on drop.
pub(crate) fn start(set: impl FnOnce(LarderBuilder) -> LarderBuilder) -> (Server, TempDir) {
    let folder = TempDir::with_prefix("larder-rows-").unwrap();
    let file = folder.path().join("users.json");
    fs::write(&file, ROWS).unwrap();
    let config = format!(
        "[[origin]]\nname = 'users'\nkind = 'json'\nfile = {}\nkey = 'users:{{id}}'\n\
         path = '/users/{{id}}'\nttl = '60s'\nnegative-ttl = '30s'\n",
        json!(file)
    );
    (Server::start_with(|larder| set(larder.config_text(config))), folder)
}

/// Returns how many loads the origin has served.
fn origin_loads(server: &Server) -> u64 {
    let metrics = server.get("/metrics", &[]);
    let count = r#"larder_origin_load_duration_seconds_count{origin="users"} "#;
    let mut counts = metrics.text().lines().filter_map(|line| line.strip_prefix(count));
    counts.next().unwrap().parse().unwrap()
}
