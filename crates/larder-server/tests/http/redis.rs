//! The HTTP listener over a real Redis.

use larder_testkit::{
    ConnectionFilter, Direction, RedisServer, Relay, Signal, eventually, require_redis,
};
use serde_json::{Value, json};

use crate::client::{Client, LIMIT, head};
use crate::server::Server;

const TRACKED: ConnectionFilter = ConnectionFilter::Sent("TRACKING");

#[test]
fn redis_and_http_clients_read_the_same_bytes() {
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
        let response = server.get(target, &[]);
        assert_eq!(
            (response.status, response.detail().contains("WRONGTYPE")),
            (422, true),
            "{target}"
        );
    }
    assert_eq!(server.put("/v1/keys/hash", "now a string").status, 204);
    assert_eq!(server.get("/v1/keys/hash", &[]).text(), "now a string");
}

#[test]
fn store_errors_are_reported() {
    if !require_redis() {
        return;
    }
    let redis = RedisServer::builder()
        .user_acl("reader on >word ~* +@all -set")
        .arg("--maxmemory", "1")
        .start();
    let server = start_over(&redis.url_for("reader", "word"), &[]);
    let refused = server.put("/v1/keys/k", "v");
    assert_eq!((refused.status, refused.detail().contains("NOPERM")), (403, true));

    let server = start_over(&redis.url(), &[]);
    let full = server.put("/v1/keys/k", "v");
    assert_eq!((full.status, full.header("retry-after")), (503, Some("1")));
    assert!(full.detail().contains("OOM"), "{}", full.detail());
}

#[test]
fn an_unreachable_or_silent_store_is_reported() {
    let Some((server, redis)) = start(&["--store-timeout", "200ms"]) else { return };
    redis.pause();
    // Within the staleness bound, a read still waits on the tracking connection.
    for (method, target) in [("PUT", "/set/k/v"), ("DELETE", "/v1/keys/k"), ("GET", "/get/k")] {
        let response = server.send(method, target, &[], b"");
        assert!([503, 504].contains(&response.status), "{method} {target} {}", response.detail());
    }
    redis.resume();
    redis.kill();
    let is_unreachable = || server.put("/set/k/v", "").status == 503;
    eventually(LIMIT, "the store to be reported unreachable", is_unreachable);
    let response = server.get("/get/k", &[]);
    assert_eq!((response.status, response.header("retry-after")), (503, Some("1")));
    let condition = server.get("/readyz", &[]);
    assert_eq!((condition.status, condition.json()["status"].as_str()), (200, Some("degraded")));
}

#[test]
fn concurrent_reads_share_one_fetch() {
    let Some(Relayed { server, relay, redis }) = Relayed::start(&[]) else { return };
    redis.cmd(&["SET", "k", "v"]);
    let gets = redis.command_calls("get");
    relay.hold(TRACKED, Direction::ToClient);
    let mut waiting: Vec<Client> = (0..20).map(|_| server.client()).collect();
    for client in &mut waiting {
        client.write(&head("GET", "/get/k", &[]));
    }
    eventually(LIMIT, "all reads to join one flight", || stats(&server)["flights_joined"] == 19);
    relay.release(TRACKED, Direction::ToClient);
    let mut found: Vec<_> = waiting.iter_mut().map(Client::response).collect();
    assert!(found.iter().all(|response| response.json()["value"] == "v"));
    found.sort_by_key(|response| response.cache_status().len());
    assert_eq!(found[0].cache_status(), "larder; fwd=uri-miss; stored");
    for response in &found[1..] {
        assert_eq!(response.cache_status(), "larder; fwd=uri-miss; stored; collapsed");
    }
    assert_eq!(redis.command_calls("get") - gets, 1);
}

#[test]
fn a_draining_server_answers_a_read_that_waits_for_the_store() {
    // The first RESP worker, if there is one, owns the connections to the store.
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("larder.sock");
    for flags in [[].as_slice(), &["--unixsocket", socket.to_str().unwrap()]] {
        expect_response_while_draining(flags);
    }
}

fn expect_response_while_draining(flags: &[&str]) {
    let flags = [&["--drain-timeout", "60s"], flags].concat();
    let Some(Relayed { server, relay, redis }) = Relayed::start(&flags) else { return };
    redis.cmd(&["SET", "k", "v"]);
    relay.hold(TRACKED, Direction::ToClient);
    let mut client = server.client();
    client.write(&head("GET", "/get/k", &[]));
    eventually(LIMIT, "the fill to start", || stats(&server)["fills_in_flight"] == 1);
    server.signal(Signal::TERM);
    eventually(LIMIT, "draining", || server.log().contains("draining"));
    relay.release(TRACKED, Direction::ToClient);
    let response = client.response();
    assert_eq!((response.status, response.header("connection")), (200, Some("close")));
    assert_eq!(response.json()["value"], "v");
    assert_eq!(server.wait().code(), Some(0));
}

/// Starts Redis and a Larder over it. Returns `None` if no Redis is installed.
fn start(flags: &[&str]) -> Option<(Server, RedisServer)> {
    if !require_redis() {
        return None;
    }
    let redis = RedisServer::start();
    Some((start_over(&redis.url(), flags), redis))
}

fn start_over(url: &str, flags: &[&str]) -> Server {
    let server = Server::start_with(|larder| larder.env("REDIS_URL", url).args(flags));
    eventually(LIMIT, "Larder to be coherent", || stats(&server)["coherent"] == true);
    server
}

/// A Larder over a Redis behind a relay that can hold replies back. The relay holds the feed back
/// too, so the staleness bound is long enough for the feed to stay live.
struct Relayed {
    server: Server,
    relay: Relay,
    redis: RedisServer,
}

impl Relayed {
    fn start(flags: &[&str]) -> Option<Self> {
        if !require_redis() {
            return None;
        }
        let redis = RedisServer::start();
        let relay = Relay::to(redis.addr());
        let server = start_over(&relay.url(), &[&["--staleness-bound", "30s"], flags].concat());
        Some(Self { server, relay, redis })
    }
}

fn stats(server: &Server) -> Value {
    server.get("/v1/stats", &[]).json()
}
