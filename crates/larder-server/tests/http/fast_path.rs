//! The fast path answers hits with the same bytes as the router.

use crate::client::{Response, request};
use crate::limits::HeldRequest;
use crate::origins;
use crate::server::Server;
use std::{thread::sleep, time::Duration};

/// Returns the sorted lines of the head without the date and the remaining TTL.
fn head(response: &Response) -> Vec<String> {
    let is_date = |line: &&str| !line.to_ascii_lowercase().starts_with("date:");
    let without_ttl = |line: &str| match line.split_once("; hit; ttl=") {
        Some((before, _)) => format!("{before}; hit"),
        None => line.to_owned(),
    };
    let mut lines: Vec<_> = response.head.lines().filter(is_date).map(without_ttl).collect();
    lines.sort();
    lines
}

#[test]
fn the_fast_path_and_the_router_send_the_same_bytes() {
    let (server, _folder) = origins::start(|larder| larder);
    let large = vec![b'v'; 20_000];
    let values = [&b"v"[..], b"", &[0, 255, 34, 92], "\u{1f980}".as_bytes(), &large];
    for (number, value) in values.into_iter().enumerate() {
        assert_eq!(server.put(&format!("/v1/keys/k%22%00{number}"), value).status, 204);
    }
    // The last key is absent.
    let keys = (0..=values.len()).map(|number| format!("k%22%00{number}"));
    let targets = keys.flat_map(|key| [format!("/get/{key}"), format!("/v1/keys/{key}")]);
    for target in targets.chain(["/users/7".to_owned()]) {
        let etag = server.get(&target, &[]).header("etag").unwrap_or("none").to_owned();
        for headers in [
            &[][..],
            &[("accept", "application/octet-stream")],
            &[("accept", "image/png")],
            &[("accept", "application/json;q=0.1, */*")],
            &[("if-none-match", &etag)],
            &[("if-none-match", "\"another\"")],
            &[("cache-control", "only-if-cached")],
        ] {
            let hit = server.get(&target, headers);
            // A request with a body goes to the router.
            let routed = server.send("GET", &target, headers, b"body");
            assert_eq!(head(&hit), head(&routed), "{target} {headers:?}");
            assert_eq!(hit.body, routed.body, "{target} {headers:?}");
            assert_eq!(hit.hit_ttl().is_some(), hit.status != 406, "{target} {}", hit.head);
        }
    }
}

/// Covers short responses, which are sent in one piece, longer ones, which are sent in two, and
/// partial writes.
#[test]
fn a_slow_reader_receives_responses_of_every_length_whole() {
    let server = Server::start(&[]);
    let lengths: Vec<usize> = (0..1_500).step_by(7).chain([20_000, 3_000_000]).collect();
    let value = |length: usize| -> Vec<u8> { (0..251).cycle().take(length).collect() };
    for &length in &lengths {
        assert_eq!(server.put(&format!("/v1/keys/{length}"), value(length)).status, 204);
    }
    let mut client = server.client();
    let read = |length| request("GET", &format!("/v1/keys/{length}"), &[], b"");
    let all: Vec<usize> = lengths.iter().copied().cycle().take(60 * lengths.len()).collect();
    let writer = client.write_in_background(all.iter().flat_map(read).collect());
    // By now the responses exceed the kernel's socket buffers.
    sleep(Duration::from_millis(500));
    for length in all {
        let response = client.response();
        assert!(response.body == value(length), "{length} bytes: {}", response.head);
    }
    writer.join().unwrap();
}

#[test]
fn hits_do_not_count_towards_the_concurrency_limit() {
    for policy in ["clock-pro", "lru"] {
        let one = ["--http-concurrency", "1", "--http-queue", "0", "--near-policy", policy];
        let server = Server::start(&one);
        for (key, bytes) in [("small", 1), ("large", 100_000), ("cold", 1)] {
            let value = vec![b'v'; bytes];
            assert_eq!(server.put(&format!("/v1/keys/{key}"), value).status, 204);
        }
        let hot = [("small", 200), ("large", 200), ("absent", 404)];
        for (key, status) in hot {
            assert_eq!(server.get(&format!("/get/{key}"), &[]).status, status);
        }
        let held = HeldRequest::begin(&server);
        for (key, status) in hot {
            for target in [format!("/get/{key}"), format!("/get/{key}?"), format!("/v1/keys/{key}")]
            {
                let hit = server.get(&target, &[]);
                assert_eq!((hit.status, hit.hit_ttl().is_some()), (status, true), "{target}");
            }
        }
        assert_eq!(server.get("/get/cold", &[]).status, 429);
        held.finish();
    }
}

#[test]
fn the_fast_path_checks_the_token_and_the_origin() {
    let token = ("authorization", "Bearer secret-of-the-test");
    let server = Server::start_with(|larder| larder.env("LARDER_HTTP_TOKEN", "secret-of-the-test"));
    assert_eq!(server.send("PUT", "/v1/keys/k", &[token], b"v").status, 204);
    for _ in 0..2 {
        assert_eq!(server.get("/get/k", &[token]).status, 200);
    }
    let page = [token, ("origin", "http://evil.example")];
    for target in ["/get/k", "/v1/keys/k"] {
        assert_eq!(server.get(target, &[]).status, 401, "{target}");
        assert_eq!(server.get(target, &page).status, 403, "{target}");
        assert!(server.get(target, &[token]).hit_ttl().is_some(), "{target}");
    }
}

#[test]
fn each_hit_is_counted_once() {
    let server = Server::start(&[]);
    assert_eq!(server.put("/v1/keys/k", "v").status, 204);
    for target in ["/get/k", "/get/k", "/v1/keys/k", "/get/k"] {
        assert_eq!(server.get(target, &[]).status, 200);
    }
    let requests = &server.get("/v1/stats", &[]).json()["http"]["requests"];
    assert_eq!((&requests["hit"], &requests["miss"]), (&3.into(), &1.into()), "{requests}");
}
