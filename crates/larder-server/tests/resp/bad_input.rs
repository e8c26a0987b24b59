//! Input that is no valid RESP gets the error of Redis or closes the connection, and affects no
//! other client.

use std::process::{Child, Command, Stdio};
use std::time::Instant;

use larder_testkit::{Exception, Harness, LIMIT, RedisServer, eventually};

use crate::resp_client::{RespClient, written};
use crate::setup::{RespHarness, start};

/// Each input is followed by the end of the stream. (None has a zero byte in a line: Redis takes
/// that for the end of what it has read so far, and waits.)
const SMALL: &[&[u8]] = &[
    // Truncated input.
    b"*",
    b"*3\r\n$3\r\nSET\r\n",
    b"*1\r\n$4\r\nPI",
    b"PING",
    b"PING\r\n*1\r\n$4",
    // Invalid lengths.
    b"*x\r\n",
    b"*\r\n",
    b"*1.5\r\n",
    b"* 1\r\n",
    b"*+1\r\n$4\r\nPING\r\n",
    b"*01\r\n$4\r\nPING\r\n",
    b"*1\r\n$x\r\n",
    b"*1\r\n$\r\n",
    b"*1\r\n$4x\r\nPING\r\n",
    b"*1\rx$4\r\nPING\r\n",
    b"*1\n$4\nPING\n",
    // Negative lengths.
    b"*-5\r\nPING\r\n",
    b"*1\r\n$-1\r\n",
    b"*1\r\n$-5\r\nPING\r\n",
    // After input that is ignored.
    b"\r\n*1\r\n$-1\r\n",
    b"PING\r\n*0\r\n\r\n*1\r\n:1\r\n",
    // Huge lengths.
    b"*2147483648\r\nPING\r\n",
    b"*99999999999999999999\r\nPING\r\n",
    b"*1\r\n$536870913\r\nPING\r\n",
    b"*1\r\n$2147483648\r\nPING\r\n",
    b"*1\r\n$99999999999999999999\r\nPING\r\n",
    b"*1048576\r\n$4\r\nPING\r\n",
    b"*1\r\n$536870912\r\nPING\r\n",
    // Types that are invalid in a command.
    b"*1\r\nPING\r\n",
    b"*1\r\n:4\r\n",
    b"*1\r\n+PING\r\n",
    b"*1\r\n*1\r\n$4\r\nPING\r\n",
    b"*1\r\n\r\n",
    b"*2\r\n$4\r\nPING\r\n\x00",
    // A string longer than its length says.
    b"*1\r\n$4\r\nPINGPING\r\nPING\r\n",
    // Quotes.
    b"PING \"open\r\n",
    b"PING 'open\r\nPING\r\n",
    // Other protocols.
    b"$4\r\nPING\r\n",
    b"\x16\x03\x01\x02\x01\x01\xfc\x03\x03\r\n\x80\xfe\r\n",
    b"SSH-2.0-OpenSSH_9.2p1\r\n",
];

/// Inline commands that Valkey splits in another way.
const ODD_INLINE: &[&[u8]] = &[b"*1\r\n$4\r\nPING\r\nPING\r\n\xff\xfe\r\n", b"PING \"a\"b\r\n"];

#[test]
fn protocol_errors_equal_those_of_redis() {
    let Some(harness) = start(&[]) else { return };
    let reference = RedisServer::start();
    let odd = if Exception::InlineWords.applies() { &[] } else { ODD_INLINE };
    for sent in SMALL.iter().chain(odd) {
        let through = harness.wire().exchange(sent);
        let direct = RespClient::open(reference.port()).exchange(sent);
        assert_eq!(
            through.escape_ascii().to_string(),
            direct.escape_ascii().to_string(),
            "{}",
            sent.escape_ascii()
        );
    }
    assert_healthy(&harness);
}

/// Requests that a browser can be made to send, with commands in them.
const HTTP: &[&[u8]] = &[
    b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 19\r\n\r\nSET hacked 1\r\nPING\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\nSET hacked 1\r\nPING\r\n",
    b"post /\r\nSET hacked 1\r\nPING\r\n",
    b"*2\r\n$4\r\nPOST\r\n$1\r\n/\r\nSET hacked 1\r\nPING\r\n",
    b"host: x\r\nSET hacked 1\r\nPING\r\n",
];

#[test]
fn http_requests_are_closed_before_any_command_runs() {
    let Some(harness) = start(&[]) else { return };
    for sent in HTTP {
        let through = harness.wire().exchange(sent);
        // Redis discards the reply to an earlier line; Larder may have sent it already.
        let refused = through.is_empty() || through.starts_with(b"-ERR wrong number");
        assert!(refused, "{}: {}", sent.escape_ascii(), through.escape_ascii());
        assert!(!through.ends_with(b"+PONG\r\n"), "{}", sent.escape_ascii());
    }
    assert_healthy(&harness);
    harness.direct().expect("EXISTS hacked", ":0");
}

#[test]
fn a_command_of_more_than_a_million_arguments_is_refused() {
    let Some(harness) = start(&[]) else { return };
    // Redis 7 accepts two thousand times as many.
    let refusal = harness.wire().exchange(b"*1048577\r\n$4\r\nPING\r\n");
    assert_eq!(refusal, b"-ERR Protocol error: invalid multibulk length\r\n");
}

#[test]
fn unterminated_lines_are_refused() {
    let Some(harness) = start(&[]) else { return };
    let reference = RedisServer::start();
    for (start, bytes) in [
        ("", 10 << 20),
        ("", 70 << 10),
        ("*", 70 << 10),
        ("*1\r\n$", 70 << 10),
        ("PING ", 10 << 20),
        ("*1\r\n$4\r\nPING\r\n*", 1 << 20),
    ] {
        let sent = [start.as_bytes(), &vec![b'1'; bytes]].concat();
        let through = harness.wire().exchange(&sent);
        let direct = RespClient::open(reference.port()).exchange(&sent);
        // A client that keeps sending after the close may lose earlier replies.
        let may_be_lost = through.is_empty() || direct.is_empty();
        assert!(
            through == direct || may_be_lost && bytes > 1 << 20,
            "{start:?}: {}, not {}",
            through.escape_ascii(),
            direct.escape_ascii()
        );
    }
    assert_healthy(&harness);
}

#[test]
fn garbage_closes_only_its_own_connection() {
    let Some(harness) = start(&[]) else { return };
    let mut other = harness.wire();
    other.line("SET k v");
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for length in 1..200_usize {
        let mut sent = Vec::new();
        for _ in 0..length * 7 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            sent.push(random.to_be_bytes()[0]);
        }
        if length % 2 == 0 {
            sent.splice(..0, *b"*3\r\n$3\r\nGET\r\n$");
        }
        harness.wire().exchange(&sent);
        other.expect("GET k", "$1 v");
    }
    drop(other);
    assert_healthy(&harness);
}

#[test]
fn two_thousand_idle_clients_and_a_slow_one_do_not_delay_others() {
    const IDLE: u64 = 2000;
    let Some(harness) = start(&[]) else { return };
    let idle = idle_clients(harness.resp_port(), IDLE);
    eventually(LIMIT, "the idle clients to be connected", || {
        harness.larder.count("/resp/connected_clients") == IDLE
    });
    assert_eq!(
        harness.larder.count("/resp/upstream_connections"),
        0,
        "idle clients caused commands in Redis"
    );

    let (mut slow, mut other) = (harness.wire(), harness.wire());
    let start_time = Instant::now();
    let command = written("SET slow 1");
    let (last, others) = command.split_last().unwrap();
    for byte in others {
        slow.send(&[*byte]);
        for _ in 0..20 {
            other.expect("ECHO hello", "$5 hello");
            other.expect("EXISTS slow", ":0");
        }
    }
    slow.send(&[*last]);
    slow.expect_next("+OK");
    assert!(start_time.elapsed() < LIMIT, "{:?}", start_time.elapsed());
    drop(idle);
    eventually(LIMIT, "the idle clients to be gone", || {
        harness.larder.count("/resp/connected_clients") == 2
    });
}

/// Idle clients, closed on drop.
struct IdleClients(Child);

fn idle_clients(port: u16, count: u64) -> IdleClients {
    // The shell's soft limit of open files may be lower.
    let open = format!(
        "ulimit -n $(ulimit -H -n); exec redis-benchmark -p {port} -c {count} -I >/dev/null 2>&1"
    );
    let child = Command::new("sh").args(["-c", &open]).stdin(Stdio::null()).spawn();
    IdleClients(child.unwrap())
}

impl Drop for IdleClients {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Asserts that no earlier client is left and that new ones are served.
fn assert_healthy(harness: &Harness) {
    eventually(LIMIT, "no client to be left", || {
        harness.larder.count("/resp/connected_clients") == 0
    });
    assert_eq!(harness.larder.count("/resp/upstream_connections"), 0);
    let mut wire = harness.wire();
    wire.expect("SET after v", "+OK");
    harness.warm_up(&mut wire, "GET after", "$1 v");
}

#[test]
fn limits_can_be_lower_than_those_of_redis() {
    let flags = [
        "--proto-max-bulk-len",
        "1kb",
        "--proto-max-multibulk-len",
        "16",
        "--proto-inline-max-size",
        "1kb",
    ];
    let Some(harness) = start(&flags) else { return };
    let inline = [b"ECHO ", "x".repeat(2_000).as_bytes()].concat();
    for (bytes, words) in [
        (&b"*2\r\n$4\r\nECHO\r\n$1025\r\n"[..], "invalid bulk length"),
        (b"*17\r\n", "invalid multibulk length"),
        (&inline, "too big inline request"),
    ] {
        let reply = harness.wire().exchange(bytes);
        let text = String::from_utf8_lossy(&reply);
        assert!(text.starts_with("-ERR Protocol error: ") && text.contains(words), "{text}");
    }
    let value = "x".repeat(1_024);
    let mut wire = harness.wire();
    wire.expect(&format!("SET k {value}"), "+OK");
    wire.expect("GET k", &format!("$1024 {value}"));
}
