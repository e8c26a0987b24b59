//! A node of a cluster as the store, and commands that lead a client from one server to another.

use larder_testkit::{
    Harness, LIMIT, Larder, RedisServer, TestServer, eventually, http, require_redis,
    require_server,
};

use crate::resp_client::RespClient;
use crate::setup::{RespHarness, start};

/// Its key `a` is in slot 15495, `b` in slot 3300.
const ALL_SLOTS: [&str; 2] = ["0", "16383"];
const LOWER_HALF: [&str; 2] = ["0", "8191"];

const OTHER_SERVER: &str = "-ERR this key is on another server: Larder uses only the one that \
    --store or REDIS_URL names";
const NO_CLUSTER: &str = "-ERR This instance has cluster support disabled";

/// Starts a node that serves these slots, the slot of `key` among them.
fn node(slots: [&str; 2], key: &str) -> RedisServer {
    let node = RedisServer::builder().arg("--cluster-enabled", "yes").start();
    node.cmd(&["CONFIG", "SET", "cluster-require-full-coverage", "no"]);
    node.cmd(&["CLUSTER", "ADDSLOTSRANGE", slots[0], slots[1]]);
    eventually(LIMIT, "the node to serve its slots", || node.try_cmd(&["SET", key, "0"]).is_ok());
    node
}

fn larder_of(node: &RedisServer) -> Larder {
    let larder =
        Larder::builder(env!("CARGO_BIN_EXE_larder")).env("REDIS_URL", node.url()).resp().start();
    eventually(LIMIT, "larder to pass through", || {
        larder.stats()["feed"]["state"] == "pass-through"
    });
    larder
}

#[test]
fn a_cluster_node_answers_everything_itself() {
    if !require_redis() {
        return;
    }
    let node = node(ALL_SLOTS, "b");
    let larder = larder_of(&node);
    let mut wire = RespClient::open(larder.resp_port());
    wire.expect("SET a 1", "+OK");
    for value in ["2", "3"] {
        node.cmd(&["SET", "a", value]);
        wire.expect("GET a", &format!("$1 {value}"));
        wire.expect("GET b", "$1 0");
        wire.expect("MGET a b", "-CROSSSLOT Keys in request don't hash to the same slot");
    }
    assert_eq!(larder.resp_hits(), 0);
}

#[test]
fn health_and_the_log_say_what_is_not_done_with_a_cluster_node() {
    if !require_redis() {
        return;
    }
    let node = node(ALL_SLOTS, "b");
    let larder = larder_of(&node);
    let ready = http::get(&larder.url("/readyz"), &[]);
    assert_eq!((ready.status, ready.json()["status"].as_str()), (200, Some("degraded")));
    let problem = ready.json()["problems"][0].as_str().unwrap().to_owned();
    assert!(problem.contains("node of a cluster"), "{problem}");
    let log = larder.log();
    assert!(log.contains("caches nothing of it"), "{log}");
}

#[test]
fn no_redirect_reaches_a_client() {
    if !require_redis() {
        return;
    }
    let node = node(LOWER_HALF, "b");
    let larder = larder_of(&node);
    // The owner of the other half, so that the node answers MOVED instead of CLUSTERDOWN.
    let other = self::node(["8192", "16383"], "a");
    node.cmd(&["CLUSTER", "MEET", "127.0.0.1", &other.port().to_string()]);
    eventually(LIMIT, "the node to redirect", || {
        node.try_cmd(&["GET", "a"]).is_err_and(|error| error.code() == Some("MOVED"))
    });

    let mut wire = RespClient::open(larder.resp_port());
    wire.expect("GET b", "$1 0");
    for line in ["GET a", "SET a 1", "MGET a {a}b", "EVAL 'return 1' 1 a"] {
        wire.expect(line, OTHER_SERVER);
    }
    wire.expect("MULTI", "+OK");
    wire.expect("SET a 1", OTHER_SERVER);
    wire.expect("EXEC", "-EXECABORT Transaction discarded because of previous errors.");
    let read = http::get(&larder.url("/v1/keys/a"), &[]);
    let text = read.text();
    assert!(read.status == 502 && text.contains("REDIS_URL") && !text.contains("MOVED"), "{text}");

    node.cmd(&["CLUSTER", "SETSLOT", "3300", "MIGRATING", &id_of(&other)]);
    wire.expect("GET b", "$1 0");
    wire.expect("GET {b}absent", OTHER_SERVER);
}

fn id_of(node: &RedisServer) -> String {
    redis::from_redis_value(node.cmd(&["CLUSTER", "MYID"])).unwrap()
}

#[test]
fn the_addresses_of_a_cluster_are_not_given_away() {
    if !require_redis() {
        return;
    }
    let node = node(ALL_SLOTS, "b");
    let larder = larder_of(&node);
    let mut wire = RespClient::open(larder.resp_port());
    for line in ["CLUSTER SLOTS", "CLUSTER SHARDS", "cluster nodes"] {
        wire.expect(line, NO_CLUSTER);
    }
    wire.expect("CLUSTER KEYSLOT b", ":3300");
    wire.expect("CLUSTER SLOTS extra", &error_of(&node, "CLUSTER SLOTS extra"));
}

/// Returns the reply of the server itself.
fn error_of(redis: &RedisServer, line: &str) -> String {
    let reply = RespClient::open(redis.port()).line(line);
    String::from_utf8(reply).unwrap().trim_end().to_owned()
}

/// Asserts that commands that make a server send addresses are refused as a server that does not
/// know them refuses them, in and out of a transaction, and with replies turned off.
fn assert_unknown_subcommands(harness: &Harness) {
    let mut wire = harness.wire();
    let unknown = |name: &str| {
        let reply = error_of(&harness.redis, &format!("CLIENT {name}-NOT-KNOWN x"));
        reply.replace("-NOT-KNOWN", "")
    };
    for line in ["CLIENT CAPA redirect", "client capa redirect", "CLIENT MAINT_NOTIFICATIONS ON"] {
        let name = line.split(' ').nth(1).unwrap();
        wire.expect(line, &unknown(name));
        wire.expect("MULTI", "+OK");
        wire.expect(line, &unknown(name));
        wire.expect("EXEC", "-EXECABORT Transaction discarded because of previous errors.");
        wire.send(b"CLIENT REPLY SKIP\r\n");
        wire.send(format!("{line}\r\n").as_bytes());
        wire.expect("PING", "+PONG");
    }
    let unknown = unknown("CAPA");
    assert!(unknown.starts_with("-ERR") && !unknown.contains("WITHHELD"), "{unknown}");
    assert_eq!(harness.redis.info("commandstats", "cmdstat_client|capa"), None);
}

#[test]
fn a_client_cannot_ask_to_be_redirected() {
    let Some(harness) = start(&[]) else { return };
    assert_unknown_subcommands(&harness);
}

#[test]
fn a_client_cannot_ask_newer_servers_to_redirect_it() {
    for server in [TestServer::Redis8, TestServer::Valkey9] {
        if require_server(&server) {
            let redis = RedisServer::builder().server(server);
            let harness = Harness::builder(env!("CARGO_BIN_EXE_larder")).redis(redis).start();
            assert_unknown_subcommands(&harness.unwrap());
        }
    }
}
