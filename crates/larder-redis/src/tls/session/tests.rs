//! Two sessions without a socket: each test passes the ciphertext of one to the other by hand.

use super::*;
use crate::tls::{CertificateChain, Identity, PrivateKey, RootCertificates, provider::provider};
use larder_testkit::CertificateAuthority;
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};
use rustls::{server::ResolvesServerCert, sign::SingleCertAndKey};
use std::sync::Arc;

/// A client and a server before their handshake.
fn pair() -> (TlsSession, TlsSession) {
    let authority = CertificateAuthority::new();
    let signed = authority.sign(&["localhost"]);
    let chain = CertificateChain::from_pem_file(&signed.certificate).unwrap();
    let identity = Identity::new(chain, PrivateKey::from_pem_file(&signed.key).unwrap()).unwrap();
    let resolver: Arc<dyn ResolvesServerCert> =
        Arc::new(SingleCertAndKey::from(identity.certified_key()));
    let server = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    let client = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(
            RootCertificates::from_pem_file(&authority.file()).unwrap().into_store(),
        )
        .with_no_client_auth();
    let name = "localhost".try_into().unwrap();
    let client = ClientConnection::new(Arc::new(client), name).unwrap();
    let server = ServerConnection::new(Arc::new(server)).unwrap();
    (TlsSession::new(client.into()), TlsSession::new(server.into()))
}

/// A client and a server after their handshake, the server's tickets included.
fn connected() -> (TlsSession, TlsSession) {
    let (mut client, mut server) = pair();
    while client.is_handshaking() || server.is_handshaking() {
        let sent = all(&mut client);
        if !sent.is_empty() {
            server.handshake(once(&sent)).unwrap();
        }
        let sent = all(&mut server);
        if !sent.is_empty() {
            client.handshake(once(&sent)).unwrap();
        }
    }
    (client, server)
}

/// Takes all waiting ciphertext.
fn all(session: &mut TlsSession) -> Vec<u8> {
    let mut sent = Vec::new();
    assert!(session.send(&mut sent).unwrap());
    sent
}

/// A socket that returns these bytes at once, then would block.
fn once(bytes: &[u8]) -> impl FnMut(&mut [u8]) -> io::Result<usize> {
    in_pieces(bytes, usize::MAX)
}

/// A socket that returns at most `piece` bytes at a time, then would block.
fn in_pieces(bytes: &[u8], piece: usize) -> impl FnMut(&mut [u8]) -> io::Result<usize> {
    let mut rest = bytes;
    move |buf| {
        let (now, later) = rest.split_at(rest.len().min(piece).min(buf.len()));
        if now.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        buf[..now.len()].copy_from_slice(now);
        rest = later;
        Ok(now.len())
    }
}

/// Encrypts `plaintext`.
fn encrypted(session: &mut TlsSession, plaintext: &[u8]) -> Vec<u8> {
    let (mut rest, mut sent) = (BytesMut::from(plaintext), Vec::new());
    while !rest.is_empty() {
        assert!(session.encrypt(&mut rest).unwrap());
        sent.extend(all(session));
    }
    sent
}

fn is_would_block(read: &io::Result<usize>) -> bool {
    read.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

#[test]
fn one_read_returns_everything_that_was_received() {
    let (mut client, mut server) = connected();
    let sent: Vec<u8> = (0..100_u8).flat_map(|n| encrypted(&mut client, &[n; 300])).collect();
    let mut receive = once(&sent);
    let mut got = BytesMut::from(&b"before"[..]);
    assert_eq!(server.read(&mut got, &mut receive).unwrap(), 100 * 300);
    assert_eq!(got.len(), 6 + 100 * 300);
    assert!(is_would_block(&server.read(&mut got, &mut receive)));
    assert!(!server.has_input());
}

#[test]
fn an_incomplete_record_is_kept_until_the_rest_arrives() {
    let (mut client, mut server) = connected();
    let mut got = BytesMut::new();
    let sent = encrypted(&mut client, &[7; 1000]);
    let (head, tail) = sent.split_at(sent.len() - 1);
    assert!(is_would_block(&server.read(&mut got, in_pieces(head, 1))));
    assert!(got.is_empty() && !server.has_input());
    assert_eq!(server.read(&mut got, once(tail)).unwrap(), 1000);
    assert_eq!(got, [7; 1000][..]);
}

#[test]
fn plaintext_right_behind_the_handshake_is_read_without_the_socket() {
    let (mut client, mut server) = pair();
    server.handshake(once(&all(&mut client))).unwrap();
    client.handshake(once(&all(&mut server))).unwrap();
    // The client's last handshake message and a command, in one piece.
    let mut sent = all(&mut client);
    sent.extend(encrypted(&mut client, b"PING\r\n"));
    server.handshake(once(&sent)).unwrap();
    assert!(!server.is_handshaking() && server.has_input());
    let mut got = BytesMut::with_capacity(10);
    assert_eq!(server.read(&mut got, |_| panic!("the socket is not needed")).unwrap(), 6);
    assert_eq!(got, b"PING\r\n"[..]);
    assert!(!server.has_input());
}

#[test]
fn encrypt_stops_at_the_limit_on_waiting_ciphertext() {
    let (mut client, mut server) = connected();
    let mut output = BytesMut::from(&*vec![1; 1 << 20]);
    assert!(client.encrypt(&mut output).unwrap());
    let taken = (1 << 20) - output.len();
    assert!(taken > 0 && taken <= OUTPUT_BYTES_MAX, "{taken}");
    assert!(!client.encrypt(&mut output).unwrap(), "the limit is reached");
    assert!(client.has_output());
    let sent = all(&mut client);
    assert!(!client.has_output());
    let (mut got, mut receive) = (BytesMut::new(), once(&sent));
    while !is_would_block(&server.read(&mut got, &mut receive)) {}
    assert_eq!(got.len(), taken);
}

#[test]
fn close_notify_and_a_closed_socket_both_end_the_input() {
    let (mut client, mut server) = connected();
    let mut sent = encrypted(&mut client, b"last");
    client.send_close_notify();
    sent.extend(all(&mut client));
    let mut got = BytesMut::new();
    assert_eq!(server.read(&mut got, once(&sent)).unwrap(), 4);
    assert!(server.has_input());
    assert_eq!(server.read(&mut got, |_| panic!("the socket is not needed")).unwrap(), 0);
    // The other direction stays open.
    let sent = encrypted(&mut server, b"reply");
    assert_eq!(client.read(&mut got, once(&sent)).unwrap(), 5);
    assert_eq!(client.read(&mut got, |_| Ok(0)).unwrap(), 0);
    assert!(client.has_input());
}

#[test]
fn a_peer_that_closes_during_the_handshake_is_an_error() {
    let (mut client, _) = pair();
    let error = client.handshake(|_| Ok(0)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn a_failed_write_leaves_no_output_waiting() {
    struct Broken;
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (mut client, mut server) = connected();
    let reply = encrypted(&mut server, b"reply");
    client.encrypt(&mut BytesMut::from(&b"command"[..])).unwrap();
    assert_eq!(client.send(&mut Broken).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    assert!(!client.has_output());
    assert_eq!(client.send(&mut Vec::new()).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    // What arrived before can still be read.
    assert_eq!(client.read(&mut BytesMut::new(), once(&reply)).unwrap(), 5);
}

#[test]
fn a_corrupt_record_is_an_error_and_sends_an_alert() {
    let (mut client, mut server) = connected();
    let mut sent = encrypted(&mut client, b"command");
    *sent.last_mut().unwrap() ^= 1;
    let error = server.read(&mut BytesMut::new(), once(&sent)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    let alert = all(&mut server);
    let error = client.read(&mut BytesMut::new(), once(&alert)).unwrap_err();
    assert_eq!(error.to_string(), "the server ended TLS with an alert: BadRecordMac");
}
