//! Commands about the server and the session whose replies cannot be the same as in Redis.

use larder_resp::reply::Frame;
use larder_testkit::{RedisServer, TestServer, require_server};

use crate::resp_client::{RespClient, readable, written};
use crate::setup::Embedded;

#[test]
fn a_command_that_needs_redis_is_refused_with_the_reason() {
    let server = Embedded::start(&[]);
    let mut client = server.client();
    let reason =
        "needs a Redis behind Larder (set REDIS_URL); without one Larder serves strings and keys";
    for (line, name) in [
        ("LPUSH list a", "LPUSH"),
        ("hset h f v", "HSET"),
        ("EVAL x 0", "EVAL"),
        ("SUBSCRIBE c", "SUBSCRIBE"),
        ("PUBLISH c m", "PUBLISH"),
        ("MONITOR", "MONITOR"),
        ("OBJECT ENCODING k", "OBJECT ENCODING"),
        ("CLIENT KILL ID 1", "CLIENT KILL"),
        ("CLIENT TRACKING on", "CLIENT TRACKING"),
        ("CONFIG SET save 1", "CONFIG SET"),
        ("CLUSTER SLOTS", "CLUSTER SLOTS"),
        ("WAIT 1 1", "WAIT"),
    ] {
        client.expect(line, &format!("-ERR {name} {reason}"));
    }
    client.expect("MULTI", "+OK");
    client.expect("LPUSH list a", &format!("-ERR LPUSH {reason}"));
    client.expect("EXEC", "-EXECABORT Transaction discarded because of previous errors.");
    client.expect("PING", "+PONG");
}

#[test]
fn hello_returns_the_version_and_the_client_id() {
    let server = Embedded::start(&[]);
    let mut client = server.client();
    let id = readable(&client.line("CLIENT ID"));
    let rest = format!("$2 id {id} $4 mode $10 standalone $4 role $6 master $7 modules *0");
    let start = "$6 server $5 redis $7 version $6 7.0.15 $5 proto";
    client.expect("HELLO", &format!("*14 {start} :2 {rest}"));
    client.expect("HELLO 3 SETNAME me", &format!("%7 {start} :3 {rest}"));
    client.expect("CLIENT GETNAME", "$2 me");
    client.expect("GET nothing", "_");
    client.expect("HELLO", &format!("%7 {start} :3 {rest}"));
    client.expect("HELLO 2", &format!("*14 {start} :2 {rest}"));
    client.expect("GET nothing", "$-1");
    let other = readable(&server.client().line("CLIENT ID"));
    assert_ne!(id, other, "client IDs are unique");
}

#[test]
fn the_protocol_may_change_within_a_transaction() {
    let server = Embedded::start(&[]);
    let mut client = server.client();
    client.expect("MULTI", "+OK");
    for line in ["GET nothing", "HELLO 3", "GET nothing"] {
        client.expect(line, "+QUEUED");
    }
    let reply = client.line("EXEC");
    assert!(reply.starts_with(b"*3\r\n$-1\r\n%7\r\n") && reply.ends_with(b"*0\r\n_\r\n"));
}

#[test]
fn a_transaction_may_contain_every_served_command() {
    let server = Embedded::start(&[]);
    let mut client = server.client();
    client.expect("MULTI", "+OK");
    let lines = ["SET a 1", "INFO", "CLIENT LIST", "TIME", "CONFIG GET save", "COMMAND COUNT"];
    for line in lines {
        client.expect(line, "+QUEUED");
    }
    let reply = client.line("EXEC");
    let Ok(Frame::Array(items)) = Frame::parse(&reply) else { panic!("an array") };
    assert_eq!(items.len(), lines.len());
    assert!(items.into_iter().all(|item| !item.is_error()), "{}", reply.escape_ascii());
}

#[test]
fn client_list_describes_each_client() {
    let server = Embedded::start(&[]);
    let mut client = server.client();
    client.expect("CLIENT SETNAME first", "+OK");
    client.expect("CLIENT SETINFO LIB-NAME tests", "+OK");
    client.expect("CLIENT SETINFO lib-ver 1.2", "+OK");
    client.expect(
        "CLIENT SETINFO lib-name 'a b'",
        "-ERR lib-name cannot contain spaces, newlines or special characters.",
    );
    client.expect("CLIENT SETINFO foo x", "-ERR Unrecognized option 'foo'");
    client.expect("CLIENT NO-TOUCH on", "+OK");
    client.expect("SELECT 3", "+OK");
    let mut other = server.client().speaking("3");
    other.expect("MULTI", "+OK");
    other.expect("PING", "+QUEUED");
    let list = String::from_utf8(client.line("CLIENT LIST")).unwrap();
    let lines: Vec<_> = list.lines().filter(|line| line.starts_with("id=")).collect();
    let has = |line: &str, fields: &[&str]| {
        for field in fields {
            assert!(line.split(' ').any(|it| it == *field), "{field} is not in {line}");
        }
    };
    assert_eq!(lines.len(), 2, "{list}");
    let first = ["name=first", "db=3", "lib-name=tests", "lib-ver=1.2", "resp=2", "flags=N"];
    has(lines[0], &first);
    has(lines[0], &["cmd=client|list", "multi=-1", "user=default"]);
    assert!(lines[0].contains(&format!("laddr=127.0.0.1:{}", server.port)), "{list}");
    has(lines[1], &["name=", "db=0", "resp=3", "flags=x", "multi=1", "cmd=multi"]);
    let info = String::from_utf8(client.line("CLIENT INFO")).unwrap();
    has(info.lines().nth(1).unwrap(), &first);
    let id = readable(&client.line("CLIENT ID"))[1..].to_owned();
    let one = String::from_utf8(client.line(&format!("CLIENT LIST ID {id}"))).unwrap();
    assert_eq!(one.matches("id=").count(), 1, "{one}");
    drop(other);
}

#[test]
fn client_reply_turns_replies_off_and_on() {
    let server = Embedded::start(&[]);
    let mut client = server.client();
    client
        .send(b"CLIENT REPLY OFF\r\nSET a 1\r\nNOSUCH\r\nCLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\n");
    assert_eq!(client.reply(), b"+OK\r\n");
    client.send(b"CLIENT REPLY SKIP\r\nINCR a\r\nINCR a\r\n");
    assert_eq!(client.reply(), b":3\r\n");
    client.expect("GET a", "$1 3");
    client.send(b"CLIENT REPLY SKIP\r\nRESET\r\nPING 2\r\nCLIENT REPLY OFF\r\nRESET\r\n");
    assert_eq!((client.reply(), client.reply()), (b"$1\r\n2\r\n".into(), b"+RESET\r\n".into()));
}

#[test]
fn client_reply_off_also_suppresses_the_last_reply() {
    let server = Embedded::start(&[]);
    for end in ["QUIT\r\n", "*1\r\n:5\r\n"] {
        let mut client = server.client();
        client.send(format!("CLIENT REPLY OFF\r\n{end}").as_bytes());
        assert!(client.is_closed(), "{end:?}");
    }
}

#[test]
fn info_reports_the_state_of_the_server() {
    let server = Embedded::start(&[]);
    let mut client = server.client();
    client.line("MSET a 1 b 2");
    client.line("SETEX c 100 3");
    client.line("GET nothing");
    client.line("MGET a b c");
    let info = String::from_utf8(client.line("INFO")).unwrap();
    for line in [
        "# Server",
        "redis_version:7.0.15",
        "redis_mode:standalone",
        "# Clients",
        "connected_clients:1",
        "# Memory",
        "maxmemory:1073741824",
        "loading:0",
        "role:master",
        "keyspace_hits:3",
        "keyspace_misses:1",
        "# Keyspace",
        "db0:keys=3,expires=1,avg_ttl=0",
        "# Larder",
        "larder_hits:3",
        "larder_misses:1",
    ] {
        assert!(info.contains(&format!("{line}\r\n")), "{line} is not in {info}");
    }
    let keyspace = client.line("INFO keyspace");
    assert_eq!(keyspace, b"$44\r\n# Keyspace\r\ndb0:keys=3,expires=1,avg_ttl=0\r\n\r\n");
    assert!(client.line("INFO larder").windows(15).any(|part| part == b"larder_version:"));
    let mut client = client.speaking("3");
    assert!(client.line("INFO").starts_with(b"="), "a verbatim string");
    assert!(client.line("INFO server").starts_with(b"="));
}

#[test]
fn time_returns_the_current_time() {
    let server = Embedded::start(&[]);
    let reply = server.client().line("TIME");
    let frame = Frame::parse(&reply).unwrap();
    let parts: Vec<u64> = frame
        .items()
        .unwrap()
        .map(|part| String::from_utf8(part.as_str_bytes().unwrap().to_vec()).unwrap())
        .map(|part| part.parse().unwrap())
        .collect();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    assert!(parts[0].abs_diff(now) < 20 && parts[1] < 1_000_000, "{parts:?}");
}

#[test]
fn requirepass_requires_a_password() {
    let server = Embedded::start(&["--requirepass", "secret"]);
    let mut client = server.client();
    client.expect("GET a", "-NOAUTH Authentication required.");
    client.expect("AUTH wrong", "-WRONGPASS invalid username-password pair or user is disabled.");
    client.expect(
        "HELLO 3 AUTH other secret",
        "-WRONGPASS invalid username-password pair or user is disabled.",
    );
    client.expect("GET a", "-NOAUTH Authentication required.");
    client.expect("AUTH secret", "+OK");
    client.expect("GET a", "$-1");
    let mut client = server.client();
    assert!(client.line("HELLO 3 AUTH default secret").starts_with(b"%7\r\n"));
    client.expect("GET a", "_");
    client.expect(&format!("SET a {}", "x".repeat(100_000)), "+OK");
    client.expect("RESET", "+RESET");
    client.expect("GET a", "-NOAUTH Authentication required.");
}

#[test]
fn password_errors_equal_those_of_redis() {
    if !require_server(&TestServer::Redis7) {
        return;
    }
    let server = Embedded::start(&["--requirepass", "pw"]);
    let redis = RedisServer::builder().server(TestServer::Redis7).password("pw").start();
    for lines in [
        &["NOSUCH a", "GET", "MULTI", "EXEC", "LPUSH a b", "CONFIG NOSUCH", "HELLO", "PING"][..],
        &["AUTH", "AUTH a b c", "AUTH default pw c", "RESET a", "AUTH wrong", "GET k"],
        &["HELLO 9", "HELLO abc", "HELLO 3 BAD", "HELLO 9 AUTH default pw", "GET k"],
        &["AUTH pw", "CLIENT REPLY SKIP", "AUTH pw", "PING"],
        &["AUTH pw", "MULTI", "AUTH pw", "AUTH wrong", "SET w 2", "EXEC", "GET w"],
        &["AUTH pw", "AUTH nobody pw", "GET k", "RESET", "GET k"],
    ] {
        let sent: Vec<u8> = lines.iter().flat_map(|line| written(line)).collect();
        let [larder, redis] = [server.port, redis.port()]
            .map(|port| RespClient::open(port).exchange(&sent).escape_ascii().to_string());
        assert_eq!(larder.replace("HELLO <proto> AUTH", "HELLO AUTH"), redis, "{lines:?}");
    }
}

#[test]
fn a_pipeline_is_answered_in_order() {
    let server = Embedded::start(&[]);
    let mut client = server.client();
    let pipeline: Vec<_> = (0..5000).map(|n| format!("SET k {n}\r\nGET k\r\n")).collect();
    client.send(pipeline.concat().as_bytes());
    for n in 0..5000 {
        assert_eq!(client.reply(), b"+OK\r\n");
        let n = n.to_string();
        assert_eq!(client.reply(), format!("${}\r\n{n}\r\n", n.len()).into_bytes());
    }
}
