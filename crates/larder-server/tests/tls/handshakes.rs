//! Who is let in, and what becomes of those who never shake hands.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use larder_testkit::{CertificateAuthority, CertificateFiles, LIMIT, Signal, eventually};

use crate::setup::{TlsHarness, text};
use crate::tls_client::TlsClient;

/// How long a client may take to shake hands, and something for a machine at work.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(20);

/// The head of a handshake whose rest does not come: a record of 512 bytes.
const HALF_A_HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

#[test]
fn clients_must_show_a_certificate_where_that_is_asked_for() {
    let requires_certificate = |authority: &CertificateAuthority| {
        vec!["--tls-ca-cert-file".to_owned(), text(&authority.file()).to_owned()]
    };
    let Some(harness) = TlsHarness::start_with(requires_certificate) else { return };
    let stranger = CertificateAuthority::new();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let is_let_in = |certificate: Option<&CertificateFiles>| {
            TlsClient::open_in(harness.port, &harness.authority, certificate, &[version])
                .is_ok_and(TlsClient::is_accepted)
        };
        assert!(is_let_in(Some(&harness.authority.sign(&["a-client"]))));
        assert!(!is_let_in(None), "without a certificate");
        assert!(!is_let_in(Some(&stranger.sign(&["a-client"]))), "signed by somebody else");
        assert!(!is_let_in(Some(&harness.authority.sign_expired(&["a-client"]))), "expired");
    }
}

#[test]
fn a_certificate_that_nobody_asked_for_does_no_harm() {
    let Some(harness) = TlsHarness::start(&[]) else { return };
    let certificate = harness.authority.sign(&["a-client"]);
    assert!(
        TlsClient::open(harness.port, &harness.authority, Some(&certificate))
            .unwrap()
            .is_accepted()
    );
}

#[test]
fn a_password_is_asked_for_behind_tls_too() {
    let Some(harness) = TlsHarness::start(&["--requirepass", "secret"]) else { return };
    let mut wire = harness.tls_client();
    assert!(wire.line("GET k").starts_with(b"-NOAUTH"));
    assert_eq!(wire.line("AUTH secret"), b"+OK\r\n");
    assert_eq!(wire.line("GET k"), b"$-1\r\n");
}

#[test]
fn who_speaks_no_tls_is_closed() {
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
        // A reset is an end too.
        socket.read_to_end(&mut reply).ok();
        assert!(start.elapsed() < Duration::from_secs(5), "{}", bytes.escape_ascii());
        assert!(!reply.windows(4).any(|part| part == b"PONG"), "{}", reply.escape_ascii());
    }
    assert_eq!(harness.tls_client().line("PING"), b"+PONG\r\n");
}

#[test]
fn garbage_behind_the_handshake_ends_that_connection_alone() {
    let Some(harness) = TlsHarness::start(&[]) else { return };
    let (mut good, mut bad) = (harness.tls_client(), harness.tls_client());
    bad.send_raw(b"\x17\x03\x03\x00\x20this is not what was agreed upon");
    assert!(bad.is_closed());
    assert_eq!(good.line("PING"), b"+PONG\r\n");
}

#[test]
fn hundreds_who_never_finish_their_handshake_stop_nobody_and_are_closed() {
    let Some(harness) = TlsHarness::start(&["--io-threads", "2"]) else { return };
    let mut halves: Vec<_> = (0..500).map(|_| connect(&harness)).collect();
    for (number, half) in halves.iter_mut().enumerate() {
        half.write_all(&HALF_A_HELLO[..number % HALF_A_HELLO.len()]).unwrap();
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
fn a_server_that_stops_does_not_wait_for_handshakes() {
    let Some(harness) = TlsHarness::start(&[]) else { return };
    let mut half = connect(&harness);
    half.write_all(HALF_A_HELLO).unwrap();
    // Its turn comes before that of this one.
    harness.tls_client().line("PING");
    let start = Instant::now();
    harness.larder.signal(Signal::TERM);
    assert!(harness.larder.wait().success());
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn the_handshake_may_come_byte_by_byte_and_with_a_command_behind_it() {
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
fn who_trusts_somebody_else_leaves() {
    let Some(harness) = TlsHarness::start(&[]) else { return };
    assert!(TlsClient::open(harness.port, &CertificateAuthority::new(), None).is_err());
    eventually(LIMIT, "nobody to be left", || harness.clients() == 0);
}

fn connect(harness: &TlsHarness) -> TcpStream {
    let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, harness.port)).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    socket
}
