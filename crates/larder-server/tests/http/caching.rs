//! `Cache-Status`, `Cache-Control`, `ETag` and `Vary`.

use crate::client::{Response, request};
use crate::origins;
use crate::server::Server;

const MISS: &str = "larder; fwd=uri-miss; stored";

#[test]
fn the_first_read_is_a_miss_and_the_next_is_a_hit() {
    let server = Server::start(&[]);
    assert_eq!(server.put("/v1/keys/k", "v").status, 204);
    assert_eq!(server.get("/get/k", &[]).cache_status(), MISS);
    for target in ["/get/k", "/v1/keys/k"] {
        let hit = server.get(target, &[]);
        assert!((1..=300).contains(&hit.hit_ttl().unwrap()), "{}", hit.head);
        assert_eq!((hit.status, hit.header("cache-control")), (200, Some("no-cache")));
    }
    assert_eq!(server.put("/v1/keys/k", "w").status, 204);
    let after_a_write = server.get("/get/k", &[]);
    assert_eq!(
        (after_a_write.cache_status(), &*after_a_write.body),
        (MISS, &br#"{"key":"k","value":"w"}"#[..])
    );
}

#[test]
fn the_absence_of_a_key_is_cached_until_a_write() {
    let server = Server::start(&[]);
    assert_eq!(server.get("/get/k", &[]).cache_status(), MISS);
    let cached = server.get("/get/k", &[]);
    assert_eq!((cached.status, &*cached.detail()), (404, "key not found"));
    assert!(cached.hit_ttl().is_some(), "{}", cached.head);
    assert_eq!(server.put("/set/k/v", "").status, 200);
    assert_eq!(server.get("/get/k", &[]).status, 200);
}

#[test]
fn no_cache_bypasses_the_near_cache_and_only_if_cached_reads_nothing_else() {
    let server = Server::start(&[]);
    assert_eq!(server.put("/v1/keys/k", "v").status, 204);
    let get_with = |directive: &str| server.get("/get/k", &[("cache-control", directive)]);
    let cold = get_with("only-if-cached");
    assert_eq!((cold.status, cold.detail().contains("not in memory")), (504, true));
    assert_eq!(get_with("max-age=0, No-Cache").cache_status(), "larder; fwd=request");
    assert_eq!(get_with("max-stale").cache_status(), MISS);
    let hot = get_with("only-if-cached");
    assert_eq!((hot.status, hot.hit_ttl().is_some()), (200, true));
    // The bypass removed the entry, which may be older than the value it read.
    assert_eq!(get_with("no-cache").cache_status(), "larder; fwd=request");
    assert_eq!(get_with("only-if-cached").status, 504);
}

#[test]
fn a_value_above_the_size_limit_is_not_cached() {
    let server = Server::start(&["--near-max-value", "1kb"]);
    assert_eq!(server.put("/v1/keys/k", vec![b'v'; 4096]).status, 204);
    let first = server.get("/v1/keys/k", &[]);
    assert_eq!(first.cache_status(), "larder; fwd=uri-miss; detail=too-large");
    let next = server.get("/v1/keys/k", &[]);
    assert_eq!(next.cache_status(), "larder; fwd=bypass; detail=too-large");
    assert_eq!((first.body.len(), next.body.len()), (4096, 4096));
    for (key, bytes, is_cached) in [("fits", 1024, true), ("too-large", 1025, false)] {
        let target = format!("/v1/keys/{key}");
        assert_eq!(server.put(&target, vec![b'v'; bytes]).status, 204);
        server.get(&target, &[]);
        assert_eq!(server.get(&target, &[]).hit_ttl().is_some(), is_cached, "{key}");
    }
}

#[test]
fn every_server_computes_the_same_etag_for_the_same_bytes() {
    let (one, other) = (Server::start(&[]), Server::start(&["--near-policy", "lru"]));
    let tag = |server: &Server, value: &str, target: &str, accept: &str| {
        assert_eq!(server.put("/v1/keys/k", value).status, 204);
        let response = server.get(target, &[("accept", accept)]);
        response.header("etag").unwrap().to_owned()
    };
    let raw = tag(&one, "v", "/v1/keys/k", "*/*");
    assert!(raw.len() == 34 && raw.starts_with('"') && raw.ends_with('"'), "{raw}");
    assert_eq!(raw, tag(&one, "v", "/get/k", "application/octet-stream"));
    let json = tag(&one, "v", "/get/k", "*/*");
    assert_ne!(json, raw, "two representations of one value");
    assert_ne!(json, tag(&one, "w", "/get/k", "*/*"));
    assert_eq!(json, tag(&one, "v", "/get/k", "*/*"));
    assert_eq!(json, tag(&other, "v", "/get/k", "*/*"));
    assert_eq!(raw, tag(&other, "v", "/v1/keys/k", "*/*"));
}

#[test]
fn a_matching_if_none_match_gets_304_without_a_body() {
    let server = Server::start(&[]);
    assert_eq!(server.put("/v1/keys/k", "v").status, 204);
    let full = server.get("/get/k", &[]);
    let tag = full.header("etag").unwrap();
    let weak = format!("W/{tag}");
    let list = format!("\"other\", {weak} , \"third\"");
    for known in [tag, &weak, &list, "*"] {
        for method in ["GET", "HEAD"] {
            let response = server.send(method, "/get/k", &[("if-none-match", known)], b"");
            assert_unchanged(&response, &full, known);
        }
    }
    let two_lines = [("if-none-match", "\"other\""), ("if-none-match", tag)];
    assert_unchanged(&server.get("/get/k", &two_lines), &full, "two If-None-Match headers");
    let unquoted = tag.trim_matches('"');
    for unknown in ["\"other\"", unquoted, "", "\"\"", &tag.to_uppercase().replace('A', "a")[1..]] {
        let response = server.get("/get/k", &[("if-none-match", unknown)]);
        assert_eq!((response.status, &response.body), (200, &full.body), "{unknown}");
    }

    // After a write, the tag no longer matches.
    assert_eq!(server.put("/v1/keys/k", "w").status, 204);
    let changed = server.get("/get/k", &[("if-none-match", tag)]);
    assert_eq!((changed.status, &*changed.json()["value"].to_string()), (200, "\"w\""));
    assert_eq!(server.get("/get/absent", &[("if-none-match", "*")]).status, 404);
}

#[test]
fn if_match_requires_a_matching_etag() {
    let (server, _folder) = origins::start(|larder| larder);
    assert_eq!(server.put("/v1/keys/k", "v").status, 204);
    for target in ["/get/k", "/v1/keys/k", "/users/7"] {
        let full = server.get(target, &[]);
        let tag = full.header("etag").unwrap();
        for wanted in [tag, &format!("\"other\", {tag}"), "*"] {
            let response = server.get(target, &[("if-match", wanted)]);
            assert_eq!((response.status, &response.body), (200, &full.body), "{target} {wanted}");
        }
        for other in ["\"other\"", &format!("W/{tag}"), ""] {
            let response = server.get(target, &[("if-match", other)]);
            assert_eq!((response.status, response.hit_ttl().is_some()), (412, true), "{target}");
            assert!(response.detail().contains("If-Match"));
            assert_eq!(response.header("etag"), Some(tag), "{target}");
        }
        // If-Match is evaluated first.
        let both = [("if-match", tag), ("if-none-match", tag)];
        assert_unchanged(&server.get(target, &both), &full, "both");
        let both = [("if-match", "\"other\""), ("if-none-match", tag)];
        assert_eq!(server.get(target, &both).status, 412, "{target}");
    }
    assert_eq!(server.get("/get/absent", &[("if-match", "*")]).status, 404);
}

fn assert_unchanged(response: &Response, full: &Response, known: &str) {
    assert_eq!((response.status, response.body.len()), (304, 0), "{known}");
    for name in ["etag", "vary", "cache-control"] {
        assert_eq!(response.header(name), full.header(name), "{name} after {known}");
    }
    assert!(response.hit_ttl().is_some(), "{}", response.head);
    assert!(response.header("date").is_some() && response.header("content-type").is_none());
    assert_eq!(
        response.header("content-length"),
        None,
        "it would have to be the length of the value"
    );
}

#[test]
fn the_connection_is_usable_after_a_304() {
    let server = Server::start(&[]);
    assert_eq!(server.put("/v1/keys/k", "v").status, 204);
    let mut client = server.client();
    client.write(&request("GET", "/v1/keys/k", &[("if-none-match", "*")], b""));
    assert_eq!(client.response().status, 304);
    assert_eq!(client.send("GET", "/v1/keys/k").text(), "v");
}

#[test]
fn shared_caches_get_vary_and_no_store() {
    let server = Server::start(&[]);
    assert_eq!(server.put("/v1/keys/k", "v").status, 204);
    for accept in ["*/*", "application/octet-stream"] {
        let response = server.get("/get/k", &[("accept", accept)]);
        assert_eq!(response.header("vary"), Some("accept"), "{accept}");
    }
    assert_eq!(server.get("/v1/keys/k", &[]).header("vary"), None);
    for target in ["/readyz", "/v1/stats", "/get/absent", "/no/such/route"] {
        assert_eq!(server.get(target, &[]).header("cache-control"), Some("no-store"), "{target}");
    }
}

#[test]
fn reads_are_counted_by_result() {
    let server = Server::start(&[]);
    assert_eq!(server.put("/v1/keys/k", "v").status, 204);
    server.get("/get/k", &[]);
    server.get("/get/k", &[]);
    server.send("HEAD", "/get/k", &[], b"");
    server.get("/v1/keys/k", &[("if-none-match", "*")]);
    server.get("/get/k", &[("cache-control", "no-cache")]);
    let requests = &server.get("/v1/stats", &[]).json()["http"]["requests"];
    assert_eq!((&requests["hit"], &requests["miss"]), (&3.into(), &1.into()), "{requests}");
    assert_eq!(requests["bypass"]["request"], 1, "{requests}");
    let metrics = server.get("/metrics", &[]);
    let hits = r#"larder_requests_total{listener="http",result="hit",reason=""} 3"#;
    assert!(metrics.text().lines().any(|line| line == hits), "{}", metrics.text());
    assert!(metrics.text().ends_with("# EOF\n"));
}
