//! What a client is told about the server and itself, where it cannot be the same as in Redis.

use larder_resp::reply::Frame;

use crate::pair::Alone;
use crate::wire::readable;

#[test]
fn what_needs_a_redis_says_so() {
    let alone = Alone::start(&[]);
    let mut wire = alone.wire();
    let why =
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
        wire.expect(line, &format!("-ERR {name} {why}"));
    }
    wire.expect("MULTI", "+OK");
    wire.expect("LPUSH list a", &format!("-ERR LPUSH {why}"));
    wire.expect("EXEC", "-EXECABORT Transaction discarded because of previous errors.");
    wire.expect("PING", "+PONG");
}

#[test]
fn hello_tells_the_version_and_the_number_of_the_client() {
    let alone = Alone::start(&[]);
    let mut wire = alone.wire();
    let id = readable(&wire.line("CLIENT ID"));
    let rest = format!("$2 id {id} $4 mode $10 standalone $4 role $6 master $7 modules *0");
    let server = "$6 server $5 redis $7 version $6 7.0.15 $5 proto";
    wire.expect("HELLO", &format!("*14 {server} :2 {rest}"));
    wire.expect("HELLO 3 SETNAME me", &format!("%7 {server} :3 {rest}"));
    wire.expect("CLIENT GETNAME", "$2 me");
    wire.expect("GET nothing", "_");
    wire.expect("HELLO", &format!("%7 {server} :3 {rest}"));
    wire.expect("HELLO 2", &format!("*14 {server} :2 {rest}"));
    wire.expect("GET nothing", "$-1");
    let other = readable(&alone.wire().line("CLIENT ID"));
    assert_ne!(id, other, "no two clients have the same number");
}

#[test]
fn the_protocol_may_change_within_a_transaction() {
    let alone = Alone::start(&[]);
    let mut wire = alone.wire();
    wire.expect("MULTI", "+OK");
    for line in ["GET nothing", "HELLO 3", "GET nothing"] {
        wire.expect(line, "+QUEUED");
    }
    let reply = wire.line("EXEC");
    assert!(reply.starts_with(b"*3\r\n$-1\r\n%7\r\n") && reply.ends_with(b"*0\r\n_\r\n"));
}

#[test]
fn a_transaction_may_ask_for_anything_that_is_served() {
    let alone = Alone::start(&[]);
    let mut wire = alone.wire();
    wire.expect("MULTI", "+OK");
    let lines = ["SET a 1", "INFO", "CLIENT LIST", "TIME", "CONFIG GET save", "COMMAND COUNT"];
    for line in lines {
        wire.expect(line, "+QUEUED");
    }
    let reply = wire.line("EXEC");
    let Ok(Frame::Array(items)) = Frame::parse(&reply) else { panic!("an array") };
    assert_eq!(items.len(), lines.len());
    assert!(items.into_iter().all(|item| !item.is_error()), "{}", reply.escape_ascii());
}

#[test]
fn clients_are_listed() {
    let alone = Alone::start(&[]);
    let mut wire = alone.wire();
    wire.expect("CLIENT SETNAME first", "+OK");
    wire.expect("CLIENT SETINFO LIB-NAME tests", "+OK");
    wire.expect("CLIENT SETINFO lib-ver 1.2", "+OK");
    wire.expect(
        "CLIENT SETINFO lib-name 'a b'",
        "-ERR lib-name cannot contain spaces, newlines or special characters.",
    );
    wire.expect("CLIENT SETINFO foo x", "-ERR Unrecognized option 'foo'");
    wire.expect("CLIENT NO-TOUCH on", "+OK");
    wire.expect("SELECT 3", "+OK");
    let mut other = alone.wire().speaking("3");
    other.expect("MULTI", "+OK");
    other.expect("PING", "+QUEUED");
    let list = String::from_utf8(wire.line("CLIENT LIST")).unwrap();
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
    assert!(lines[0].contains(&format!("laddr=127.0.0.1:{}", alone.port)), "{list}");
    has(lines[1], &["name=", "db=0", "resp=3", "flags=x", "multi=1", "cmd=multi"]);
    let info = String::from_utf8(wire.line("CLIENT INFO")).unwrap();
    has(info.lines().nth(1).unwrap(), &first);
    let id = readable(&wire.line("CLIENT ID"))[1..].to_owned();
    let one = String::from_utf8(wire.line(&format!("CLIENT LIST ID {id}"))).unwrap();
    assert_eq!(one.matches("id=").count(), 1, "{one}");
    drop(other);
}

#[test]
fn replies_can_be_turned_off() {
    let alone = Alone::start(&[]);
    let mut wire = alone.wire();
    wire.send(b"CLIENT REPLY OFF\r\nSET a 1\r\nNOSUCH\r\nCLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\n");
    assert_eq!(wire.reply(), b"+OK\r\n");
    wire.send(b"CLIENT REPLY SKIP\r\nINCR a\r\nINCR a\r\n");
    assert_eq!(wire.reply(), b":3\r\n");
    wire.expect("GET a", "$1 3");
    wire.send(b"CLIENT REPLY SKIP\r\nRESET\r\nPING 2\r\nCLIENT REPLY OFF\r\nRESET\r\n");
    assert_eq!((wire.reply(), wire.reply()), (b"$1\r\n2\r\n".into(), b"+RESET\r\n".into()));
}

#[test]
fn who_wants_no_replies_gets_none_at_the_end_either() {
    let alone = Alone::start(&[]);
    for end in ["QUIT\r\n", "*1\r\n:5\r\n"] {
        let mut wire = alone.wire();
        wire.send(format!("CLIENT REPLY OFF\r\n{end}").as_bytes());
        assert!(wire.is_closed(), "{end:?}");
    }
}

#[test]
fn info_tells_what_there_is() {
    let alone = Alone::start(&[]);
    let mut wire = alone.wire();
    wire.line("MSET a 1 b 2");
    wire.line("SETEX c 100 3");
    wire.line("GET nothing");
    wire.line("MGET a b c");
    let info = String::from_utf8(wire.line("INFO")).unwrap();
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
        "larder_hits:4",
    ] {
        assert!(info.contains(&format!("{line}\r\n")), "{line} is not in {info}");
    }
    let keyspace = wire.line("INFO keyspace");
    assert_eq!(keyspace, b"$44\r\n# Keyspace\r\ndb0:keys=3,expires=1,avg_ttl=0\r\n\r\n");
    assert!(wire.line("INFO larder").windows(15).any(|part| part == b"larder_version:"));
    let mut wire = wire.speaking("3");
    assert!(wire.line("INFO").starts_with(b"="), "a text for people");
    assert!(wire.line("INFO server").starts_with(b"="));
}

#[test]
fn time_is_the_time_of_day() {
    let alone = Alone::start(&[]);
    let reply = alone.wire().line("TIME");
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
fn a_password_is_asked_for() {
    let alone = Alone::start(&["--requirepass", "secret"]);
    let mut wire = alone.wire();
    wire.expect("GET a", "-NOAUTH Authentication required.");
    wire.expect("AUTH wrong", "-WRONGPASS invalid username-password pair or user is disabled.");
    wire.expect(
        "HELLO 3 AUTH other secret",
        "-WRONGPASS invalid username-password pair or user is disabled.",
    );
    wire.expect("GET a", "-NOAUTH Authentication required.");
    wire.expect("AUTH secret", "+OK");
    wire.expect("GET a", "$-1");
    let mut wire = alone.wire();
    assert!(wire.line("HELLO 3 AUTH default secret").starts_with(b"%7\r\n"));
    wire.expect("GET a", "_");
    wire.expect(&format!("SET a {}", "x".repeat(100_000)), "+OK");
    wire.expect("RESET", "+RESET");
    wire.expect("GET a", "-NOAUTH Authentication required.");
}

#[test]
fn a_pipeline_is_answered_in_order() {
    let alone = Alone::start(&[]);
    let mut wire = alone.wire();
    let pipeline: Vec<_> = (0..5000).map(|n| format!("SET k {n}\r\nGET k\r\n")).collect();
    wire.send(pipeline.concat().as_bytes());
    for n in 0..5000 {
        assert_eq!(wire.reply(), b"+OK\r\n");
        let n = n.to_string();
        assert_eq!(wire.reply(), format!("${}\r\n{n}\r\n", n.len()).into_bytes());
    }
}
