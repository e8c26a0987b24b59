//! Which clients are accepted, and what happens to those that never complete a handshake.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use larder_testkit::{CertificateAuthority, CertificateFiles, LIMIT, Signal, eventually};

use crate::setup::{TlsHarness, text};
use crate::tls_client::TlsClient;

/// Limit for a client to complete its handshake, with a margin for a busy machine.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(20);

/// The start of a handshake record of 512 bytes that is never completed.
const PARTIAL_CLIENT_HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

#[test]
fn clients_need_a_certificate_if_it_is_required() {
    let requires_certificate = |authority: &CertificateAuthority| {
        vec!["--tls-ca-cert-file".to_owned(), text(&authority.file()).to_owned()]
    };
    let Some(harness) = TlsHarness::start_with(requires_certificate) else { return };
    let stranger = CertificateAuthority::new();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let is_let_in = |certificate: Option<&CertificateFiles>| {
            TlsClient::open_in(harness.port, &harness.authority, certificate, &[version])
                .is_ok_and(TlsClient::accepted)
        };
        assert!(is_let_in(Some(&harness.authority.sign(&["a-client"]))));
        assert!(!is_let_in(None), "without a certificate");
        assert!(!is_let_in(Some(&stranger.sign(&["a-client"]))), "signed by another authority");
        assert!(!is_let_in(Some(&harness.authority.sign_expired(&["a-client"]))), "expired");
    }
}

#[test]
fn an_unrequested_certificate_is_ignored() {
    let Some(harness) = TlsHarness::start(&[]) else { return };
    let certificate = harness.authority.sign(&["a-client"]);
    assert!(
        TlsClient::open(harness.port, &harness.authority, Some(&certificate)).unwrap().accepted()
    );
}

#[test]
fn a_password_is_required_over_tls_too() {
    let Some(harness) = TlsHarness::start(&["--requirepass", "secret"]) else { return };
    let mut wire = harness.tls_client();
    assert!(wire.line("GET k").starts_with(b"-NOAUTH"));
    assert_eq!(wire.line("AUTH secret"), b"+OK\r\n");
    assert_eq!(wire.line("GET k"), b"$-1\r\n");
}

#[test]
fn a_client_without_tls_is_disconnected() {
    let Some(harness) = TlsHarness::start(&[]) else { return };
    let garbage: [&[u8]; 6] = [
        b"PING\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x00\x05\xff\xff\xff\xff\xff",
        b"\x16\x03\x01\xff\xff",
        &[0; 1000],
    ];
    for bytes in garbage {
        let mut socket = connect(&harness);
        socket.write_all(bytes).unwrap();
        let start = Instant::now();
        let mut reply = Vec::new();
        // A reset also counts as the end.
        socket.read_to_end(&mut reply).ok();
        assert!(start.elapsed() < Duration::from_secs(5), "{}", bytes.escape_ascii());
        assert!(!reply.windows(4).any(|part| part == b"PONG"), "{}", reply.escape_ascii());
    }
    assert_eq!(harness.tls_client().line("PING"), b"+PONG\r\n");
}

#[test]
fn garbage_after_the_handshake_closes_only_that_connection() {
    let Some(harness) = TlsHarness::start(&[]) else { return };
    let (mut good, mut bad) = (harness.tls_client(), harness.tls_client());
    bad.send_raw(b"\x17\x03\x03\x00\x20this is not what was agreed upon");
    assert!(bad.is_closed());
    assert_eq!(good.line("PING"), b"+PONG\r\n");
}

#[test]
fn unfinished_handshakes_do_not_block_others_and_time_out() {
    let Some(harness) = TlsHarness::start(&["--io-threads", "2"]) else { return };
    let mut halves: Vec<_> = (0..500).map(|_| connect(&harness)).collect();
    for (number, half) in halves.iter_mut().enumerate() {
        half.write_all(&PARTIAL_CLIENT_HELLO[..number % PARTIAL_CLIENT_HELLO.len()]).unwrap();
    }
    let start = Instant::now();
    for n in 0..20 {
        let mut wire = harness.tls_client();
        assert_eq!(wire.line(&format!("SET k:{n} v")), b"+OK\r\n");
    }
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    for half in &mut halves {
        half.set_read_timeout(Some(HANDSHAKE_LIMIT)).unwrap();
        let mut reply = Vec::new();
        half.read_to_end(&mut reply).unwrap();
    }
    assert_eq!(harness.tls_client().line("PING"), b"+PONG\r\n");
}

#[test]
fn shutdown_does_not_wait_for_handshakes() {
    let Some(harness) = TlsHarness::start(&[]) else { return };
    let mut half = connect(&harness);
    half.write_all(PARTIAL_CLIENT_HELLO).unwrap();
    // It is accepted before this one.
    harness.tls_client().line("PING");
    let start = Instant::now();
    harness.larder.signal(Signal::TERM);
    assert!(harness.larder.wait().success());
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn a_handshake_may_arrive_byte_by_byte_followed_by_a_command() {
    let Some(harness) = TlsHarness::start(&[]) else { return };
    let relay = larder_testkit::Relay::to((Ipv4Addr::LOCALHOST, harness.port));
    for pieces in [1, 7, usize::MAX] {
        relay.trickle(
            larder_testkit::ConnectionFilter::All,
            larder_testkit::Direction::ToServer,
            pieces,
        );
        let mut wire = TlsClient::open(relay.addr().port(), &harness.authority, None).unwrap();
        assert_eq!(wire.line("PING"), b"+PONG\r\n");
    }
}

#[test]
fn a_client_that_trusts_another_authority_disconnects() {
    let Some(harness) = TlsHarness::start(&[]) else { return };
    assert!(TlsClient::open(harness.port, &CertificateAuthority::new(), None).is_err());
    eventually(LIMIT, "all clients to be gone", || harness.clients() == 0);
}

fn connect(harness: &TlsHarness) -> TcpStream {
    let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, harness.port)).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    socket
}
