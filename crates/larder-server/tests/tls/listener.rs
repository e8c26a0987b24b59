//! What clients do once they have shaken hands.

use std::thread;
use std::time::Duration;

use larder_testkit::{CertificateAuthority, LIMIT, Larder, Signal, eventually, free_port};

use crate::setup::{HERE, TlsHarness, text};
use crate::wire::{Wire, bulk, noise, written};

#[test]
fn misses_hits_and_writes() {
    let Some(harness) = TlsHarness::start(&[]) else { return };
    let mut wire = harness.wire();
    assert_eq!(wire.line("GET k"), b"$-1\r\n");
    assert_eq!(wire.line("SET k 1"), b"+OK\r\n");
    harness.heat(&mut wire, "GET k", &bulk(b"1"));
    assert_eq!(harness.wire().line("INCR k"), b":2\r\n");
    assert_eq!(wire.line("GET k"), bulk(b"2"));
    harness.heat(&mut wire, "GET k", &bulk(b"2"));
}

#[test]
fn without_a_redis_behind_it() {
    let (authority, port) = (CertificateAuthority::new(), free_port());
    let signed = authority.sign(HERE);
    let _larder = Larder::builder(env!("CARGO_BIN_EXE_larder"))
        .args(&["--store", "memory", "--port", "0", "--tls-port", &port.to_string()])
        .args(&["--tls-cert-file", text(&signed.certificate)])
        .args(&["--tls-key-file", text(&signed.key)])
        .start();
    let mut wire = Wire::open(port, &authority, None).unwrap();
    let value = noise(5 << 20);
    assert_eq!(wire.call(&[b"SET", b"k", &value]), b"+OK\r\n");
    assert!(wire.line("GET k") == bulk(&value));
    let list = wire.line("CLIENT LIST");
    let own = format!("laddr=127.0.0.1:{port}");
    assert!(String::from_utf8_lossy(&list).contains(&own), "{}", list.escape_ascii());
}

#[test]
fn both_versions_of_tls() {
    let Some(harness) = TlsHarness::start(&[]) else { return };
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut wire = Wire::open_in(harness.port, &harness.authority, None, &[version]).unwrap();
        assert_eq!(wire.line("PING"), b"+PONG\r\n");
        wire.call(&[b"SET", b"v", &noise(100_000)]);
        assert!(wire.line("GET v") == bulk(&noise(100_000)));
    }
}

#[test]
fn a_pipeline_in_one_write() {
    const COMMANDS: usize = 20_000;
    let Some(harness) = TlsHarness::start(&[]) else { return };
    let mut wire = harness.wire();
    let pipeline: Vec<u8> = (0..COMMANDS)
        .flat_map(|n| [written(&format!("SET k:{n} {n}")), written(&format!("GET k:{n}"))].concat())
        .collect();
    wire.send(&pipeline);
    for n in 0..COMMANDS {
        assert_eq!(wire.reply(), b"+OK\r\n");
        assert_eq!(wire.reply(), bulk(n.to_string().as_bytes()));
    }
}

#[test]
fn many_small_writes_before_the_first_reply_is_read() {
    let Some(harness) = TlsHarness::start(&[]) else { return };
    let mut wire = harness.wire();
    wire.line("SET hot value");
    harness.heat(&mut wire, "GET hot", &bulk(b"value"));
    let command = written("GET hot");
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
fn ten_megabytes_both_ways() {
    let Some(harness) = TlsHarness::start(&["--maxmemory", "256mb", "--near-max-value", "16mb"])
    else {
        return;
    };
    let value = noise(10 << 20);
    let mut wire = harness.wire();
    assert_eq!(wire.call(&[b"SET", b"large", &value]), b"+OK\r\n");
    // Fetched, from memory, and over the client's own connection.
    harness.heat(&mut wire, "GET large", &bulk(&value));
    assert!(wire.line("GETRANGE large 0 -1") == bulk(&value));
    assert_eq!(wire.line("PING"), b"+PONG\r\n");
}

#[test]
fn who_reads_slowly_gets_everything_in_the_end() {
    const READS: usize = 100;
    let Some(harness) = TlsHarness::start(&["--near-max-value", "2mb"]) else { return };
    let value = noise(1 << 20);
    let mut wire = harness.wire();
    wire.call(&[b"SET", b"large", &value]);
    harness.heat(&mut wire, "GET large", &bulk(&value));
    for command in ["GET large", "GETRANGE large 0 -1"] {
        wire.send(&written(command).repeat(READS));
        // Far more than sockets hold: the server must have stopped by now.
        thread::sleep(Duration::from_millis(300));
        for _ in 0..READS {
            assert!(wire.reply() == bulk(&value));
        }
    }
}

#[test]
fn the_last_reply_arrives_whole_whatever_the_socket_holds() {
    let Some(harness) = TlsHarness::start(&[]) else { return };
    let value = noise(4 << 20);
    harness.wire().call(&[b"SET", b"large", &value]);
    // Among these lengths is one that is encrypted to its end, but not sent to its end, before
    // the client reads.
    for length in (32..4096).step_by(48).map(|kib| kib << 10) {
        let mut wire = Wire::open_narrow(harness.port, &harness.authority);
        wire.send(&written(&format!("GETRANGE large 0 {}", length - 1)));
        wire.finish();
        thread::sleep(Duration::from_millis(20));
        assert!(wire.rest() == bulk(&value[..length]), "{length}");
    }
}

#[test]
fn a_slow_reader_keeps_nobody_else_waiting() {
    let Some(harness) = TlsHarness::start(&["--io-threads", "1", "--near-max-value", "2mb"]) else {
        return;
    };
    let mut slow = harness.wire();
    slow.call(&[b"SET", b"large", &noise(1 << 20)]);
    slow.send(&written("GET large").repeat(500));
    let mut other = harness.wire();
    for _ in 0..100 {
        assert_eq!(other.line("PING"), b"+PONG\r\n");
    }
}

#[test]
fn who_says_goodbye_still_gets_its_replies_and_a_goodbye() {
    let Some(harness) = TlsHarness::start(&[]) else { return };
    for goodbye in [Wire::finish, Wire::cut_writing] {
        let mut wire = harness.wire();
        wire.send(&[written("SET k v"), written("GET k"), written("ECHO last")].concat());
        goodbye(&mut wire);
        assert_eq!(wire.rest(), b"+OK\r\n$1\r\nv\r\n$4\r\nlast\r\n");
    }
    let mut wire = harness.wire();
    wire.send(b"QUIT\r\n");
    assert_eq!(wire.rest(), b"+OK\r\n");
}

#[test]
fn connections_that_are_cut_leave_nothing_behind() {
    let Some(harness) = TlsHarness::start(&[]) else { return };
    for n in 0..50 {
        let mut wire = harness.wire();
        wire.send(&written("SET k v")[..n % 20]);
        wire.cut_writing();
    }
    eventually(LIMIT, "all clients to be gone", || harness.clients() == 0);
    assert_eq!(harness.wire().line("EXISTS k"), b":0\r\n");
}

#[test]
fn pushes_arrive_unasked() {
    let Some(harness) = TlsHarness::start(&[]) else { return };
    let mut wire = harness.wire();
    wire.line("SUBSCRIBE channel");
    assert_eq!(harness.wire().line("PUBLISH channel text"), b":1\r\n");
    assert!(wire.reply().ends_with(b"$4\r\ntext\r\n"));
}

#[test]
fn an_idle_client_is_closed_with_a_goodbye() {
    let Some(harness) = TlsHarness::start(&["--timeout", "1"]) else { return };
    assert_eq!(harness.wire().rest(), b"");
}

#[test]
fn one_client_too_many_is_closed() {
    let Some(harness) = TlsHarness::start(&["--maxclients", "2"]) else { return };
    let (mut one, _two) = (harness.wire(), harness.wire());
    assert!(Wire::open(harness.port, &harness.authority, None).is_err());
    assert_eq!(one.line("PING"), b"+PONG\r\n");
    drop(one);
    eventually(LIMIT, "a place to be free", || {
        Wire::open(harness.port, &harness.authority, None).is_ok_and(Wire::gets_an_answer)
    });
}

#[test]
fn a_server_that_stops_says_goodbye() {
    let Some(harness) = TlsHarness::start(&[]) else { return };
    let mut idle = harness.wire();
    idle.line("PING");
    harness.larder.signal(Signal::TERM);
    assert_eq!(idle.rest(), b"");
    assert!(harness.larder.wait().success());
}
