//! Traffic after the handshake.

use std::thread;
use std::time::Duration;

use larder_testkit::{CertificateAuthority, LIMIT, Larder, Signal, eventually, free_port};

use crate::setup::{LOCAL_NAMES, TlsHarness, text};
use crate::tls_client::{TlsClient, bulk, encode, random_bytes};

#[test]
fn misses_hits_and_writes_work() {
    let Some(harness) = TlsHarness::start(&[]) else { return };
    let mut wire = harness.tls_client();
    assert_eq!(wire.line("GET k"), b"$-1\r\n");
    assert_eq!(wire.line("SET k 1"), b"+OK\r\n");
    harness.warm_up(&mut wire, "GET k", &bulk(b"1"));
    assert_eq!(harness.tls_client().line("INCR k"), b":2\r\n");
    assert_eq!(wire.line("GET k"), bulk(b"2"));
    harness.warm_up(&mut wire, "GET k", &bulk(b"2"));
}

#[test]
fn the_embedded_store_works_over_tls() {
    let (authority, port) = (CertificateAuthority::new(), free_port());
    let certificate = authority.sign(LOCAL_NAMES);
    let _larder = Larder::builder(env!("CARGO_BIN_EXE_larder"))
        .args(&["--store", "memory", "--port", "0", "--tls-port", &port.to_string()])
        .args(&["--tls-cert-file", text(&certificate.certificate)])
        .args(&["--tls-key-file", text(&certificate.key)])
        .start();
    let mut wire = TlsClient::open(port, &authority, None).unwrap();
    let value = random_bytes(5 << 20);
    assert_eq!(wire.call(&[b"SET", b"k", &value]), b"+OK\r\n");
    assert!(wire.line("GET k") == bulk(&value));
    let list = wire.line("CLIENT LIST");
    let own = format!("laddr=127.0.0.1:{port}");
    assert!(String::from_utf8_lossy(&list).contains(&own), "{}", list.escape_ascii());
}

#[test]
fn tls_1_2_and_1_3_work() {
    let Some(harness) = TlsHarness::start(&[]) else { return };
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut wire =
            TlsClient::open_in(harness.port, &harness.authority, None, &[version]).unwrap();
        assert_eq!(wire.line("PING"), b"+PONG\r\n");
        wire.call(&[b"SET", b"v", &random_bytes(100_000)]);
        assert!(wire.line("GET v") == bulk(&random_bytes(100_000)));
    }
}

#[test]
fn a_pipeline_in_one_write_is_answered() {
    const COMMANDS: usize = 20_000;
    let Some(harness) = TlsHarness::start(&[]) else { return };
    let mut wire = harness.tls_client();
    let pipeline: Vec<u8> = (0..COMMANDS)
        .flat_map(|n| [encode(&format!("SET k:{n} {n}")), encode(&format!("GET k:{n}"))].concat())
        .collect();
    wire.send(&pipeline);
    for n in 0..COMMANDS {
        assert_eq!(wire.reply(), b"+OK\r\n");
        assert_eq!(wire.reply(), bulk(n.to_string().as_bytes()));
    }
}

#[test]
fn many_small_writes_are_answered_before_the_first_reply_is_read() {
    let Some(harness) = TlsHarness::start(&[]) else { return };
    let mut wire = harness.tls_client();
    wire.line("SET hot value");
    harness.warm_up(&mut wire, "GET hot", &bulk(b"value"));
    let command = encode("GET hot");
    for n in 0..5_000 {
        // Some arrive in pieces.
        let (head, tail) = command.split_at(if n % 3 == 0 { 5 } else { 0 });
        wire.send(head);
        wire.send(tail);
    }
    for _ in 0..5_000 {
        assert_eq!(wire.reply(), bulk(b"value"));
    }
}

#[test]
fn ten_megabytes_pass_in_both_directions() {
    let Some(harness) = TlsHarness::start(&["--maxmemory", "256mb", "--near-max-value", "16mb"])
    else {
        return;
    };
    let value = random_bytes(10 << 20);
    let mut wire = harness.tls_client();
    assert_eq!(wire.call(&[b"SET", b"large", &value]), b"+OK\r\n");
    // Fetched from Redis, from memory, and over the client's own upstream connection.
    harness.warm_up(&mut wire, "GET large", &bulk(&value));
    assert!(wire.line("GETRANGE large 0 -1") == bulk(&value));
    assert_eq!(wire.line("PING"), b"+PONG\r\n");
}

#[test]
fn a_slow_reader_gets_all_replies() {
    const READS: usize = 100;
    let Some(harness) = TlsHarness::start(&["--near-max-value", "2mb"]) else { return };
    let value = random_bytes(1 << 20);
    let mut wire = harness.tls_client();
    wire.call(&[b"SET", b"large", &value]);
    harness.warm_up(&mut wire, "GET large", &bulk(&value));
    for command in ["GET large", "GETRANGE large 0 -1"] {
        wire.send(&encode(command).repeat(READS));
        // Far more than the sockets hold, so the server must have stopped writing by now.
        thread::sleep(Duration::from_millis(300));
        for _ in 0..READS {
            assert!(wire.reply() == bulk(&value));
        }
    }
}

#[test]
fn the_last_reply_arrives_complete_for_any_socket_buffer() {
    let Some(harness) = TlsHarness::start(&[]) else { return };
    let value = random_bytes(4 << 20);
    harness.tls_client().call(&[b"SET", b"large", &value]);
    // One of these lengths is fully encrypted but not fully sent before the client reads.
    for length in (32..4096).step_by(48).map(|kib| kib << 10) {
        let mut wire = TlsClient::open_with_small_receive_buffer(harness.port, &harness.authority);
        wire.send(&encode(&format!("GETRANGE large 0 {}", length - 1)));
        wire.finish();
        thread::sleep(Duration::from_millis(20));
        assert!(wire.rest() == bulk(&value[..length]), "{length}");
    }
}

#[test]
fn a_slow_reader_does_not_block_others() {
    let Some(harness) = TlsHarness::start(&["--io-threads", "1", "--near-max-value", "2mb"]) else {
        return;
    };
    let mut slow = harness.tls_client();
    slow.call(&[b"SET", b"large", &random_bytes(1 << 20)]);
    slow.send(&encode("GET large").repeat(500));
    let mut other = harness.tls_client();
    for _ in 0..100 {
        assert_eq!(other.line("PING"), b"+PONG\r\n");
    }
}

#[test]
fn a_client_that_sends_close_notify_gets_its_replies_and_close_notify() {
    let Some(harness) = TlsHarness::start(&[]) else { return };
    for goodbye in [TlsClient::finish, TlsClient::shut_down_without_close_notify] {
        let mut wire = harness.tls_client();
        wire.send(&[encode("SET k v"), encode("GET k"), encode("ECHO last")].concat());
        goodbye(&mut wire);
        assert_eq!(wire.rest(), b"+OK\r\n$1\r\nv\r\n$4\r\nlast\r\n");
    }
    let mut wire = harness.tls_client();
    wire.send(b"QUIT\r\n");
    assert_eq!(wire.rest(), b"+OK\r\n");
}

#[test]
fn connections_without_close_notify_are_cleaned_up() {
    let Some(harness) = TlsHarness::start(&[]) else { return };
    for n in 0..50 {
        let mut wire = harness.tls_client();
        wire.send(&encode("SET k v")[..n % 20]);
        wire.shut_down_without_close_notify();
    }
    eventually(LIMIT, "all clients to be gone", || harness.clients() == 0);
    assert_eq!(harness.tls_client().line("EXISTS k"), b":0\r\n");
}

#[test]
fn pushes_are_delivered() {
    let Some(harness) = TlsHarness::start(&[]) else { return };
    let mut wire = harness.tls_client();
    wire.line("SUBSCRIBE channel");
    assert_eq!(harness.tls_client().line("PUBLISH channel text"), b":1\r\n");
    assert!(wire.reply().ends_with(b"$4\r\ntext\r\n"));
}

#[test]
fn an_idle_client_is_closed_with_close_notify() {
    let Some(harness) = TlsHarness::start(&["--timeout", "1"]) else { return };
    assert_eq!(harness.tls_client().rest(), b"");
}

#[test]
fn a_client_above_the_limit_is_closed() {
    let Some(harness) = TlsHarness::start(&["--maxclients", "2"]) else { return };
    let (mut one, _two) = (harness.tls_client(), harness.tls_client());
    assert!(TlsClient::open(harness.port, &harness.authority, None).is_err());
    assert_eq!(one.line("PING"), b"+PONG\r\n");
    drop(one);
    eventually(LIMIT, "a connection slot to be free", || {
        TlsClient::open(harness.port, &harness.authority, None).is_ok_and(TlsClient::accepted)
    });
}

#[test]
fn shutdown_sends_close_notify() {
    let Some(harness) = TlsHarness::start(&[]) else { return };
    let mut idle = harness.tls_client();
    idle.line("PING");
    harness.larder.signal(Signal::TERM);
    assert_eq!(idle.rest(), b"");
    assert!(harness.larder.wait().success());
}
