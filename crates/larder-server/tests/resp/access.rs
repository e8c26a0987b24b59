//! Authentication, ACLs and connection limits.

use std::time::Duration;

use larder_testkit::{
    ConnectionFilter, Direction, Harness, LIMIT, Larder, Monitor, RedisServer, TestServer,
    eventually, require_server,
};

use crate::resp_client::{RespClient, written};
use crate::setup::{RespHarness, start, start_with_relay};

const PASSWORD: &str = "hunter2";
/// The password of the user in the store's URL, which is none for Larder's clients.
const STORES_PASSWORD: &str = "swordfish";

#[test]
fn a_user_without_permission_is_refused_cached_values() {
    let redis = RedisServer::builder().user_acl("limited on >secret ~public:* +@all -@dangerous");
    let Some(harness) = Harness::builder(env!("CARGO_BIN_EXE_larder")).redis(redis).start() else {
        return;
    };
    let mut owner = harness.wire();
    owner.expect("MSET private 1 public:k 2", "+OK");
    harness.warm_up(&mut owner, "GET private", "$1 1");
    harness.warm_up(&mut owner, "GET public:k", "$1 2");
    let monitor = Monitor::start(&harness.redis);
    for login in ["AUTH limited secret", "HELLO 3 AUTH limited secret"] {
        let (mut through, mut direct) = (harness.wire(), harness.direct());
        for wire in [&mut through, &mut direct] {
            let reply = wire.line(login);
            assert!(!reply.starts_with(b"-"), "{}", reply.escape_ascii());
        }
        for line in ["GET private", "MGET public:k private", "GET private", "EXISTS private"] {
            let refusal = direct.line(line);
            assert!(refusal.starts_with(b"-NOPERM"), "{}", refusal.escape_ascii());
            through.expect_bytes(line, &refusal);
        }
        through.expect("GET public:k", "$1 2");
        through.expect(
            "AUTH limited wrong",
            "-WRONGPASS invalid username-password pair or user is disabled.",
        );
        assert!(through.line("GET private").starts_with(b"-NOPERM"));
        through.expect("AUTH default any", "+OK");
        through.expect("GET private", "$1 1");
    }
    owner.expect("ECHO end", "$3 end");
    eventually(LIMIT, "the monitor to see the end", || monitor.count("\"ECHO\" \"end\"") == 1);
    assert_eq!(monitor.count("\"private\""), 0, "the check sent a command to Redis");
}

#[test]
fn password_errors_equal_those_of_redis() {
    let user = "bob on >word ~* &* +@all";
    let redis = RedisServer::builder().password(STORES_PASSWORD).user_acl(user);
    let harness = Harness::builder(env!("CARGO_BIN_EXE_larder")).redis(redis);
    let Some(harness) = harness.flags(&["--requirepass", PASSWORD]).start() else { return };
    let reference = RedisServer::builder().password(PASSWORD).user_acl(user).start();
    let mut witness = RespClient::open(reference.port());
    witness.expect(&format!("AUTH {PASSWORD}"), "+OK");
    eventually(LIMIT, "larder to know which commands there are", || {
        harness.wire().line("NOSUCH") == RespClient::open(reference.port()).line("NOSUCH")
    });
    let right = format!("AUTH {PASSWORD}");
    let hello = format!("HELLO 2 AUTH default {PASSWORD}");
    let many = format!("MSET{}", " k v".repeat(20));
    for lines in [
        &["PING", "GET k", "MGET a b", "MULTI", "SUBSCRIBE a", "CLIENT ID", "QUIT"][..],
        &["HELLO", "HELLO 3", "COMMAND", "INFO", "ECHO text"],
        &["AUTH wrong", "AUTH default wrong", "AUTH nobody wrong", "AUTH", "AUTH a b c", "GET k"],
        &["HELLO 3 AUTH default wrong", "GET k"],
        &[&right, "SET k v", "GET k", "RESET", "GET k", &right, "GET k"],
        &["AUTH wrong", &right, "AUTH wrong", "GET k"],
        &[&right, &many, "GET k"],
        &[&hello, &many, "GET k", "AUTH wrong", "GET k"],
        &[&format!("AUTH default {PASSWORD}"), "GET k"],
        &[&right, "CLIENT REPLY SKIP", &right, "PING"],
        &[&right, "CLIENT REPLY OFF", &right, "AUTH wrong", "CLIENT REPLY ON", "PING"],
        &[&right, "MULTI", &right, "SET w 2", "EXEC", "GET w"],
        &[&right, "SUBSCRIBE a", &right, "AUTH wrong"],
        &["AUTH bob word", &right, "ACL WHOAMI", "AUTH bob word", "ACL WHOAMI"],
        &["AUTH bob word", &hello, "ACL WHOAMI", "AUTH default wrong", "ACL WHOAMI"],
        &["NOSUCH", "NOSUCH a b", "GET", "GET a b", "CONFIG", "CONFIG NOSUCH", "CONFIG GET"],
        &["CLIENT NOSUCH", "CLIENT ID 1", "HOTKEYS GET", "HOTKEYS NOSUCH"],
        &["MULTI", "EXEC", "EXEC a", "DISCARD", "RESET a", "RESET", "EXEC", "DEBUG"],
        &["AUTH", "AUTH a b c", &format!("AUTH default {PASSWORD} c"), "GET k"],
        &["HELLO abc", "HELLO 03", "HELLO 9", "HELLO 3 BAD", "HELLO 3 AUTH x", "HELLO BAD 3"],
        &["HELLO 3 SETNAME 'a b'", "HELLO 3 SETNAME", "HELLO 3 SETNAME me", "GET k"],
        &["HELLO 9 AUTH default wrong", &format!("HELLO 9 AUTH default {PASSWORD}"), "GET k"],
        &[&right, "HELLO 2 AUTH bob word BAD", "MULTI", "HELLO 2 BAD AUTH bob word", "EXEC"],
        &[&format!("AUTH {STORES_PASSWORD}"), "AUTH ''", "GET k"],
        &[&right, &format!("AUTH {STORES_PASSWORD}"), "AUTH ''", "GET k"],
        &["PING", "QUIT a", "PING"],
        &[&many],
        &[&format!("ECHO {}", "x".repeat(20_000))],
    ] {
        let sent: Vec<u8> = lines.iter().flat_map(|line| written(line)).collect();
        let through = harness.wire().exchange(&sent);
        // In one write, Redis 8 would not answer a wrong password behind other replies.
        let mut direct = RespClient::open(reference.port());
        for line in lines {
            direct.try_send(&written(line)).ok();
            // By its second reply, the command before has been answered.
            (0..2).for_each(|_| witness.expect("PING", "+PONG"));
        }
        direct.finish();
        assert_eq!(without_id(&through), without_id(&direct.rest()), "{lines:?}");
    }
}

/// Removes the connection id from replies to HELLO, and wording that Redis 7.2 changed.
fn without_id(replies: &[u8]) -> String {
    let text = replies.escape_ascii().to_string().replace("HELLO <proto> AUTH", "HELLO AUTH");
    match text.split_once(r"$2\r\nid\r\n:") {
        Some((before, after)) => format!("{before}{}", after.trim_start_matches(char::is_numeric)),
        None => text,
    }
}

#[test]
fn larder_does_not_listen_to_other_machines_without_a_password() {
    let (code, text) = Larder::builder(env!("CARGO_BIN_EXE_larder"))
        .env("REDIS_URL", "redis://127.0.0.1:1")
        .args(&["--bind", "0.0.0.0", "--port", "1", "--http-port", "0"])
        .fails_with();
    assert_eq!(code, 78);
    assert!(text.contains("requirepass") && text.contains("protected-mode"), "{text}");
}

#[test]
fn a_client_above_the_limit_gets_an_error() {
    let Some(harness) = start(&["--maxclients", "3"]) else { return };
    let reference = RedisServer::builder().arg("--maxclients", "3").start();
    for port in [harness.resp_port(), reference.port()] {
        let mut clients: Vec<_> = (0..3).map(|_| RespClient::open(port)).collect();
        for wire in &mut clients {
            wire.expect("PING", "+PONG");
        }
        assert_eq!(RespClient::open(port).rest(), b"-ERR max number of clients reached\r\n");
        for wire in &mut clients {
            wire.expect("PING", "+PONG");
        }
        clients.pop();
        eventually(LIMIT, "a connection slot to be free", || {
            let mut wire = RespClient::open(port);
            wire.try_send(&written("PING")).is_ok() && wire.reply() == b"+PONG\r\n"
        });
    }
}

#[test]
fn an_idle_client_is_closed_but_a_blocked_one_is_not() {
    let Some(harness) = start(&["--timeout", "1s"]) else { return };
    let [mut idle, mut busy, mut waiting, mut subscriber] = std::array::from_fn(|_| harness.wire());
    waiting.send(&written("BLPOP jobs 0"));
    subscriber.expect("SUBSCRIBE a", "*3 $9 subscribe $1 a :1");
    idle.expect("PING", "+PONG");
    let mut rounds = 0;
    while idle.is_silent_for(Duration::from_millis(100)) {
        busy.expect("GET k", "$-1");
        rounds += 1;
        assert!(rounds < 200, "it is still open");
    }
    assert!(idle.is_closed() && rounds >= 5, "closed after {rounds} rounds");
    for _ in 0..15 {
        assert!(waiting.is_silent_for(Duration::from_millis(100)));
        busy.expect("GET k", "$-1");
    }
    busy.expect("RPUSH jobs work", ":1");
    waiting.expect_next("*2 $4 jobs $4 work");
    harness.direct().expect("PUBLISH a text", ":1");
    subscriber.expect_next("*3 $7 message $1 a $4 text");
}

#[test]
fn pending_commands_are_answered_before_shutdown() {
    let Some(harness) = start_with_relay(&["--drain-timeout", "20s"]) else { return };
    let relay = harness.relay();
    let [mut idle, mut writer] = std::array::from_fn(|_| harness.wire());
    let clients = ConnectionFilter::NotSent("TRACKING");
    idle.expect("PING", "+PONG");
    writer.expect("PING", "+PONG");
    relay.hold(clients, Direction::ToClient);
    writer.send(&written("INCR n"));
    eventually(LIMIT, "the reply to be in transit", || {
        relay.buffered_bytes(clients, Direction::ToClient) > 0
    });
    harness.larder.signal(larder_testkit::Signal::TERM);
    assert!(idle.is_closed());
    relay.release(clients, Direction::ToClient);
    assert_eq!(writer.rest(), b":1\r\n");
    assert!(harness.larder.wait().success(), "{}", harness.larder.log());
}

#[test]
fn a_refused_login_leaves_no_connection_to_redis() {
    let user = "bob on >word ~* &* +@all";
    let redis = RedisServer::builder().user_acl(user);
    let harness = Harness::builder(env!("CARGO_BIN_EXE_larder")).redis(redis);
    let Some(harness) = harness.flags(&["--requirepass", PASSWORD]).start() else { return };
    let mut clients: Vec<_> = (0..10).map(|_| harness.wire()).collect();
    for client in &mut clients {
        for line in ["AUTH bob wrong", "HELLO 3 AUTH nobody x", "AUTH nobody x"] {
            assert!(client.line(line).starts_with(b"-WRONGPASS"));
        }
    }
    eventually(LIMIT, "no upstream connection", || {
        harness.larder.count("/resp/upstream_connections") == 0
    });
    // A later login starts anew.
    for client in &mut clients {
        client.expect("AUTH bob word", "+OK");
        client.expect("ACL WHOAMI", "$3 bob");
    }
}

/// Redis since 7.2 checks the name of a connection before the password.
#[test]
fn a_hello_that_redis_refuses_authenticates_nobody() {
    if !require_server(&TestServer::Redis8) {
        return;
    }
    let redis = RedisServer::builder().server(TestServer::Redis8);
    let harness = Harness::builder(env!("CARGO_BIN_EXE_larder")).redis(redis);
    let Some(harness) = harness.flags(&["--requirepass", PASSWORD]).start() else { return };
    let mut client = harness.wire();
    let reply = client.line(&format!("HELLO 3 AUTH default {PASSWORD} SETNAME 'a b'"));
    assert!(reply.starts_with(b"-ERR"), "{}", reply.escape_ascii());
    assert!(client.line("GET k").starts_with(b"-NOAUTH"));
    client.expect(&format!("AUTH {PASSWORD}"), "+OK");
    client.expect("GET k", "$-1");
}
