//! The listener in front of a real Redis.

use larder_testkit::{Direction, RedisServer, Relay, Signal, Which, eventually, require_redis};
use serde_json::{Value, json};

use crate::server::Server;
use crate::wire::{LIMIT, Wire, head};

const TRACKED: Which = Which::Sent("TRACKING");

#[test]
fn redis_and_http_see_the_same_bytes() {
    let Some((server, redis)) = start(&[]) else { return };
    assert_eq!(server.put("/v1/keys/%00%FF%2F?ttl=100", [0, 255, 13, 10]).status, 204);
    let key: &[u8] = &[0, 255, b'/'];
    assert_eq!(redis.cmd(&[b"GET", key]), redis::Value::BulkString(vec![0, 255, 13, 10]));
    let redis::Value::Int(ttl) = redis.cmd(&[b"TTL", key]) else { panic!("no TTL") };
    assert!((90..=100).contains(&ttl), "{ttl}");

    redis.cmd(&["SET", "foreign", "007"]);
    assert_eq!(server.get("/get/foreign", &[]).json(), json!({ "key": "foreign", "value": "007" }));
    assert!(server.get("/get/foreign", &[]).hit_ttl().is_some());
    assert_eq!(server.send("DELETE", "/v1/keys/foreign", &[], b"").status, 204);
    assert_eq!(redis.cmd(&["EXISTS", "foreign"]), redis::Value::Int(0));
}

#[test]
fn a_key_of_another_type_gets_422() {
    let Some((server, redis)) = start(&[]) else { return };
    redis.cmd(&["HSET", "hash", "field", "value"]);
    for target in ["/get/hash", "/v1/keys/hash"] {
        let answer = server.get(target, &[]);
        assert_eq!((answer.status, answer.detail().contains("WRONGTYPE")), (422, true), "{target}");
    }
    assert_eq!(server.put("/v1/keys/hash", "now a string").status, 204);
    assert_eq!(server.get("/v1/keys/hash", &[]).text(), "now a string");
}

#[test]
fn errors_of_the_store_are_reported() {
    if !require_redis() {
        return;
    }
    let redis = RedisServer::builder()
        .user_acl("reader on >word ~* +@all -set")
        .arg("--maxmemory", "1")
        .start();
    let server = over(&redis.url_for("reader", "word"), &[]);
    let refused = server.put("/v1/keys/k", "v");
    assert_eq!((refused.status, refused.detail().contains("NOPERM")), (403, true));

    let server = over(&redis.url(), &[]);
    let full = server.put("/v1/keys/k", "v");
    assert_eq!((full.status, full.header("retry-after")), (503, Some("1")));
    assert!(full.detail().contains("OOM"), "{}", full.detail());
}

#[test]
fn an_unreachable_or_silent_store_is_reported() {
    let Some((server, redis)) = start(&["--store-timeout", "200ms"]) else { return };
    redis.pause();
    // Within the staleness bound a read still waits for the tracking connection.
    for (method, target) in [("PUT", "/set/k/v"), ("DELETE", "/v1/keys/k"), ("GET", "/get/k")] {
        let answer = server.send(method, target, &[], b"");
        assert!([503, 504].contains(&answer.status), "{method} {target} {}", answer.detail());
    }
    redis.resume();
    redis.kill();
    let is_unreachable = || server.put("/set/k/v", "").status == 503;
    eventually(LIMIT, "the store to be reported unreachable", is_unreachable);
    let answer = server.get("/get/k", &[]);
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    let condition = server.get("/readyz", &[]);
    assert_eq!((condition.status, condition.json()["status"].as_str()), (200, Some("degraded")));
}

#[test]
fn concurrent_reads_share_one_fetch() {
    let Some(Held { server, relay, redis }) = Held::start(&[]) else { return };
    redis.cmd(&["SET", "k", "v"]);
    let gets = redis.command_calls("get");
    relay.hold(TRACKED, Direction::ToClient);
    let mut waiting: Vec<Wire> = (0..20).map(|_| server.wire()).collect();
    for wire in &mut waiting {
        wire.write(&head("GET", "/get/k", &[]));
    }
    eventually(LIMIT, "all to join one flight", || stats(&server)["flights_joined"] == 19);
    relay.release(TRACKED, Direction::ToClient);
    let mut found: Vec<_> = waiting.iter_mut().map(Wire::answer).collect();
    assert!(found.iter().all(|answer| answer.json()["value"] == "v"));
    found.sort_by_key(|answer| answer.cache_status().len());
    assert_eq!(found[0].cache_status(), "larder; fwd=uri-miss; stored");
    for answer in &found[1..] {
        assert_eq!(answer.cache_status(), "larder; fwd=uri-miss; stored; collapsed");
    }
    assert_eq!(redis.command_calls("get") - gets, 1);
}

#[test]
fn a_draining_server_answers_a_read_that_waits_for_the_store() {
    // The first RESP worker, if there is one, owns the connections to the store.
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("larder.sock");
    for flags in [[].as_slice(), &["--unixsocket", socket.to_str().unwrap()]] {
        answer_while_draining(flags);
    }
}

fn answer_while_draining(flags: &[&str]) {
    let flags = [&["--drain-timeout", "60s"], flags].concat();
    let Some(Held { server, relay, redis }) = Held::start(&flags) else { return };
    redis.cmd(&["SET", "k", "v"]);
    relay.hold(TRACKED, Direction::ToClient);
    let mut wire = server.wire();
    wire.write(&head("GET", "/get/k", &[]));
    eventually(LIMIT, "the fill to start", || stats(&server)["fills_in_flight"] == 1);
    server.signal(Signal::TERM);
    eventually(LIMIT, "draining", || server.log().contains("draining"));
    relay.release(TRACKED, Direction::ToClient);
    let answer = wire.answer();
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    assert_eq!(answer.json()["value"], "v");
    assert_eq!(server.wait().code(), Some(0));
}

/// Starts a Larder over a Redis of its own, or returns `None` if there is no Redis to test with.
fn start(flags: &[&str]) -> Option<(Server, RedisServer)> {
    if !require_redis() {
        return None;
    }
    let redis = RedisServer::start();
    Some((over(&redis.url(), flags), redis))
}

fn over(url: &str, flags: &[&str]) -> Server {
    let server = Server::start_with(|larder| larder.env("REDIS_URL", url).args(flags));
    eventually(LIMIT, "larder to be coherent", || stats(&server)["coherent"] == true);
    server
}

/// A Larder over a Redis behind a relay that can hold replies back. The staleness bound is so long
/// that the feed, which the relay holds back too, stays live.
struct Held {
    server: Server,
    relay: Relay,
    redis: RedisServer,
}

impl Held {
    fn start(flags: &[&str]) -> Option<Self> {
        if !require_redis() {
            return None;
        }
        let redis = RedisServer::start();
        let relay = Relay::to(redis.addr());
        let server = over(&relay.url(), &[&["--staleness-bound", "30s"], flags].concat());
        Some(Self { server, relay, redis })
    }
}

fn stats(server: &Server) -> Value {
    server.get("/v1/stats", &[]).json()
}
