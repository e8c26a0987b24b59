//! Larder in front of a Redis that it reaches over TLS.

use std::time::{Duration, Instant};

use larder_testkit::{
    CertificateAuthority, ConnectionFilter, Direction, LIMIT, RedisServer, Relay, eventually, http,
    require_redis_tls,
};

use crate::setup::{LOCAL_NAMES, TlsToRedis, redis, text};
use crate::tls_client::random_bytes;

/// Maximum time until a foreign write is visible. A later stale read is an error.
const SEEN_WITHIN: Duration = Duration::from_millis(50);

/// A Larder that reaches its Redis over TLS, through a relay.
struct TlsStore {
    larder: TlsToRedis,
    relay: Relay,
    redis: RedisServer,
    _authority: CertificateAuthority,
}

/// Starts everything. Returns `None` if this machine has no Redis with TLS.
fn start(flags: &[&str]) -> Option<TlsStore> {
    if !require_redis_tls() {
        return None;
    }
    let authority = CertificateAuthority::new();
    let redis = redis(&authority, &authority.sign(LOCAL_NAMES), false);
    let relay = Relay::to(redis.tls_addr());
    let url = format!("rediss://localhost:{}", relay.addr().port());
    let ca = authority.file();
    let flags = [&["--store-ca-file", text(&ca)], flags].concat();
    let larder = TlsToRedis::start(&url, &flags).wait_until_coherent();
    Some(TlsStore { larder, relay, redis, _authority: authority })
}

impl TlsStore {
    fn client(&self) -> redis::Connection {
        client(self.larder.port)
    }

    /// Reads until the value is served from memory.
    fn warm_up(&self, client: &mut redis::Connection, key: &str, value: &[u8]) {
        eventually(LIMIT, &format!("{key} to be served from memory"), || {
            let before = self.larder.larder.resp_hits();
            assert!(get(client, key) == value);
            self.larder.larder.resp_hits() > before
        });
    }

    /// Asserts that foreign writes become visible.
    fn assert_coherent(&self) {
        let mut client = self.client();
        for value in ["one", "two"] {
            self.redis.cmd(&["SET", "proof", value]);
            eventually(LIMIT, "the new value", || get(&mut client, "proof") == value.as_bytes());
            self.warm_up(&mut client, "proof", value.as_bytes());
        }
    }
}

#[test]
fn all_three_kinds_of_upstream_connection_use_tls() {
    let Some(harness) = start(&[]) else { return };
    // Fills and invalidations use the tracked connection.
    harness.assert_coherent();
    // Writes over HTTP use the plain one.
    let url = harness.larder.larder.url("/v1/keys/k");
    assert_eq!(http::put(&url, &[], "v").status, 204);
    assert_eq!(http::get(&url, &[]).text(), "v");
    // A RESP client has its own.
    let mut client = harness.client();
    let grown: usize = redis::cmd("APPEND").arg("k").arg("w").query(&mut client).unwrap();
    assert_eq!(grown, 2);
    // And none of them sends plaintext.
    let list: String = redis::cmd("CLIENT").arg("LIST").query(&mut harness.redis.client()).unwrap();
    let bare = format!("laddr={}", harness.redis.addr());
    let bare: Vec<_> = list.lines().filter(|line| line.contains(&bare)).collect();
    assert_eq!(bare.len(), 1, "only the one connection of the query itself: {bare:?}");
    assert_eq!(list.matches(&format!("laddr={}", harness.redis.tls_addr())).count(), 3, "{list}");
}

#[test]
fn a_foreign_write_is_visible_at_once() {
    const ROUNDS: usize = 40;
    let Some(harness) = start(&[]) else { return };
    let (mut client, mut foreign) = (harness.client(), harness.redis.client());
    let mut delays: Vec<_> = (0..ROUNDS)
        .map(|round| {
            let value = round.to_string().into_bytes();
            redis::cmd("SET").arg("k").arg(&value).exec(&mut foreign).unwrap();
            let start = Instant::now();
            while get(&mut client, "k") != value {
                assert!(start.elapsed() < LIMIT, "round {round}");
            }
            let delay = start.elapsed();
            // So that the next write invalidates an entry.
            harness.warm_up(&mut client, "k", &value);
            delay
        })
        .collect();
    delays.sort();
    // A busy machine may delay some of them.
    assert!(delays[ROUNDS / 2] < SEEN_WITHIN, "{delays:?}");
}

#[test]
fn large_values_pass_on_every_upstream_connection() {
    let Some(harness) = start(&["--near-max-value", "16mb"]) else { return };
    let value = random_bytes(10 << 20);
    let mut client = harness.client();
    redis::cmd("SET").arg("large").arg(&value).exec(&mut client).unwrap();
    harness.warm_up(&mut client, "large", &value);
    let range: Vec<u8> =
        redis::cmd("GETRANGE").arg("large").arg(0).arg(-1).query(&mut client).unwrap();
    assert!(range == value);
    let put = http::put(&harness.larder.larder.url("/v1/keys/put"), &[], "x".repeat(10 << 20));
    assert_eq!(put.status, 204);
    assert!(get(&mut client, "put") == b"x".repeat(10 << 20));
}

#[test]
fn a_suspended_store_gets_the_rest_when_it_resumes() {
    // More than all sockets hold, each with a different remainder.
    const SIZES: [usize; 4] = [9 << 20, (9 << 20) + 1, (9 << 20) + 16_000, (9 << 20) + 65_000];
    let Some(harness) = start(&["--store-timeout", "30s"]) else { return };
    for size in SIZES {
        let (mut client, value) = (harness.client(), random_bytes(size));
        // Gives the client its own upstream connection.
        redis::cmd("SET").arg("large").arg(1).exec(&mut client).unwrap();
        harness.redis.pause();
        let write = std::thread::spawn({
            let value = value.clone();
            move || redis::cmd("SET").arg("large").arg(&value).exec(&mut client)
        });
        std::thread::sleep(Duration::from_millis(300));
        harness.redis.resume();
        write.join().unwrap().unwrap();
        assert!(get(&mut harness.client(), "large") == value);
    }
}

#[test]
fn long_pipelines_pass_in_both_directions() {
    let Some(harness) = start(&[]) else { return };
    let mut client = harness.client();
    let mut pipe = redis::pipe();
    for n in 0..5_000 {
        pipe.cmd("APPEND").arg(format!("k:{n}")).arg(random_bytes(1_000)).ignore();
        pipe.cmd("GET").arg(format!("k:{n}"));
    }
    let values: Vec<Vec<u8>> = pipe.query(&mut client).unwrap();
    assert!(values.len() == 5_000 && values.iter().all(|value| *value == random_bytes(1_000)));
    let mut reads = redis::pipe();
    for n in 0..5_000 {
        reads.cmd("GET").arg(format!("k:{n}"));
    }
    let values: Vec<Vec<u8>> = reads.query(&mut client).unwrap();
    assert!(values.len() == 5_000 && values.iter().all(|value| *value == random_bytes(1_000)));
}

#[test]
fn records_may_arrive_in_small_pieces() {
    let Some(harness) = start(&["--staleness-bound", "10s"]) else { return };
    harness.relay.trickle(ConnectionFilter::All, Direction::Both, 100);
    harness.relay.cut(ConnectionFilter::All);
    eventually(LIMIT, "larder to be coherent", || {
        harness.larder.larder.stats()["coherent"] == true
    });
    harness.assert_coherent();
    let (mut client, value) = (harness.client(), random_bytes(20_000));
    redis::cmd("SET").arg("k").arg(&value).exec(&mut client).unwrap();
    harness.warm_up(&mut client, "k", &value);
}

#[test]
fn larder_reconnects_after_a_cut() {
    let Some(harness) = start(&[]) else { return };
    for _ in 0..3 {
        harness.assert_coherent();
        let epochs = harness.larder.larder.stats()["feed"]["epochs"].as_u64().unwrap();
        harness.relay.cut(ConnectionFilter::All);
        eventually(LIMIT, "the next epoch", || {
            let stats = harness.larder.larder.stats();
            stats["feed"]["epochs"].as_u64().unwrap() > epochs && stats["coherent"] == true
        });
    }
    harness.redis.restart();
    eventually(LIMIT, "larder to be coherent", || {
        harness.larder.larder.stats()["coherent"] == true
    });
    harness.assert_coherent();
}

#[test]
fn the_client_certificate_is_presented_if_redis_requires_one() {
    if !require_redis_tls() {
        return;
    }
    let authority = CertificateAuthority::new();
    let redis = redis(&authority, &authority.sign(LOCAL_NAMES), true);
    let url = format!("valkeys://127.0.0.1:{}", redis.tls_addr().port());
    let (ca, certificate) = (authority.file(), authority.sign(&["larder"]));
    let flags = ["--store-ca-file", text(&ca), "--store-cert-file", text(&certificate.certificate)];
    let flags = [&flags[..], &["--store-key-file", text(&certificate.key)]].concat();
    let larder = TlsToRedis::start(&url, &flags).wait_until_coherent();
    redis.cmd(&["SET", "k", "v"]);
    assert_eq!(get(&mut client(larder.port), "k"), b"v");
}

fn client(port: u16) -> redis::Connection {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).unwrap();
    let connection = client.get_connection().unwrap();
    connection.set_read_timeout(Some(LIMIT)).unwrap();
    connection
}

fn get(client: &mut redis::Connection, key: &str) -> Vec<u8> {
    redis::cmd("GET").arg(key).query(client).unwrap()
}
