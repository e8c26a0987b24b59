//! A real Redis: its settings, signals and shutdown, and the relay in front of it.
#![allow(clippy::unwrap_used, reason = "tests: a panic is a failure")]

use std::net::{SocketAddr, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use larder_testkit::{ConnectionFilter, Direction, RedisServer, Relay, eventually, require_redis};
use redis::Value;

/// Limit on every wait. Nothing takes this long unless it fails.
const LIMIT: Duration = Duration::from_secs(10);

fn refuses(addr: SocketAddr) -> bool {
    TcpStream::connect(addr).is_err()
}

fn bulk(text: &str) -> Value {
    Value::BulkString(text.into())
}

#[test]
fn replies_to_and_counts_commands() {
    if !require_redis() {
        return;
    }
    let redis = RedisServer::start();
    assert_eq!(redis.command_calls("get"), 0);
    assert_eq!(redis.cmd(&["SET", "k", "v"]), Value::Okay);
    assert_eq!(redis.cmd(&["GET", "k"]), bulk("v"));
    assert_eq!(redis.command_calls("GET"), 1);
    assert_eq!(redis.info("server", "tcp_port"), Some(redis.port().to_string()));
    assert_eq!(redis.info("server", "no_such_field"), None);
    assert!(redis.try_cmd(&["GET"]).is_err());
    assert_eq!(redis.cmd(&["DEBUG", "SLEEP", "0"]), Value::Okay);
    assert!(redis.log().contains("Ready to accept connections"));
}

#[test]
fn applies_its_settings() {
    if !require_redis() {
        return;
    }
    let redis = RedisServer::builder()
        .password("p@ss:/word")
        .user_acl("reader on >secret ~app:* -@all +get")
        .databases(2)
        .unix_socket()
        .arg("--maxmemory", "50mb")
        .start();
    assert_eq!(redis.cmd(&["SET", "app:1", "v"]), Value::Okay);
    assert_eq!(redis.info("memory", "maxmemory").unwrap(), (50 << 20).to_string());
    assert!(redis.try_cmd(&["SELECT", "1"]).is_ok());
    assert!(redis.try_cmd(&["SELECT", "2"]).is_err());

    let open = |url: &str| redis::Client::open(url).unwrap().get_connection();
    let mut reader = open(&redis.url_for("reader", "secret")).unwrap();
    let get = |key: &str, by: &mut redis::Connection| redis::cmd("GET").arg(key).query(by);
    assert_eq!(get("app:1", &mut reader), Ok(bulk("v")));
    assert!(get("other", &mut reader).is_err());
    assert!(open(&redis.url_for("reader", "wrong")).is_err());
    let mut anonymous = open(&format!("redis://{}", redis.addr())).unwrap();
    assert!(get("app:1", &mut anonymous).is_err(), "no password");

    let mut local = open(&redis.unix_url()).unwrap();
    redis::cmd("AUTH").arg("p@ss:/word").exec(&mut local).unwrap();
    assert_eq!(get("app:1", &mut local), Ok(bulk("v")));
}

#[test]
fn a_paused_server_replies_after_resume() {
    if !require_redis() {
        return;
    }
    let redis = RedisServer::start();
    let mut client = redis.client();
    client.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    redis.pause();
    redis.pause();
    let error = redis::cmd("PING").exec(&mut client).unwrap_err();
    assert!(error.is_timeout(), "{error}");
    redis.resume();
    assert_eq!(redis.cmd(&["PING"]), Value::SimpleString("PONG".into()));
}

#[test]
fn a_killed_server_refuses_connections_and_restarts_empty_on_the_same_port() {
    if !require_redis() {
        return;
    }
    let redis = RedisServer::builder().password("secret").start();
    let (url, pid) = (redis.url(), redis.pid());
    redis.cmd(&["SET", "k", "v"]);
    redis.kill();
    redis.kill();
    assert!(refuses(redis.addr()));
    redis.restart();
    assert_eq!(redis.url(), url);
    assert_ne!(redis.pid(), pid);
    assert_eq!(redis.cmd(&["GET", "k"]), Value::Nil);

    redis.pause();
    redis.restart();
    assert_eq!(redis.cmd(&["DBSIZE"]), Value::Int(0));
    redis.stop();
    assert!(refuses(redis.addr()));
    assert!(redis.log().contains("SIGTERM"));
}

#[test]
fn kill_clients_closes_other_connections() {
    if !require_redis() {
        return;
    }
    let redis = RedisServer::start();
    let mut client = redis.client();
    redis::cmd("PING").exec(&mut client).unwrap();
    assert!(redis.kill_clients() >= 1);
    assert!(redis::cmd("PING").exec(&mut client).is_err());
}

#[test]
fn a_panicking_test_kills_even_a_paused_server() {
    if !require_redis() {
        return;
    }
    let mut addr = None;
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let redis = RedisServer::start();
        addr = Some(redis.addr());
        redis.pause();
        panic!("a test that fails");
    }));
    assert!(panicked.is_err());
    assert!(refuses(addr.unwrap()));
}

#[test]
fn an_invalidation_can_be_held_in_the_relay() {
    if !require_redis() {
        return;
    }
    let redis = RedisServer::start();
    let relay = Relay::to(redis.addr());
    let client = redis::Client::open(format!("{}/?protocol=resp3", relay.url())).unwrap();
    let mut tracked = client.get_connection().unwrap();
    redis::cmd("CLIENT").arg("TRACKING").arg("ON").exec(&mut tracked).unwrap();
    redis::cmd("GET").arg("k").exec(&mut tracked).unwrap();

    relay.hold(ConnectionFilter::Sent("TRACKING"), Direction::ToClient);
    redis.cmd(&["SET", "k", "new"]);
    let held = || relay.buffered_bytes(ConnectionFilter::Sent("TRACKING"), Direction::ToClient) > 0;
    eventually(LIMIT, "the push to reach the relay", held);
    relay.release(ConnectionFilter::All, Direction::ToClient);
    tracked.set_read_timeout(Some(LIMIT)).unwrap();
    let push = tracked.recv_response().unwrap();
    assert!(matches!(push, Value::Push { kind: redis::PushKind::Invalidate, .. }), "{push:?}");
}
