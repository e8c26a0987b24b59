//! Two sessions and no socket between them: what one sends the other is handed over as a test
//! wants it.

use super::*;
use crate::tls::{CertificateChain, Identity, PrivateKey, RootCertificates, provider};
use larder_testkit::Authority;
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};
use rustls::{server::ResolvesServerCert, sign::SingleCertAndKey};
use std::sync::Arc;

/// A client and a server that have yet to shake hands.
fn pair() -> (TlsSession, TlsSession) {
    let authority = Authority::new();
    let signed = authority.sign(&["localhost"]);
    let chain = CertificateChain::from_pem_file(&signed.certificate).unwrap();
    let identity = Identity::new(chain, PrivateKey::from_pem_file(&signed.key).unwrap()).unwrap();
    let shown: Arc<dyn ResolvesServerCert> =
        Arc::new(SingleCertAndKey::from(identity.certified_key()));
    let server = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(shown);
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

/// The same when both are done, the server's tickets included.
fn shaken() -> (TlsSession, TlsSession) {
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

/// All ciphertext that waits.
fn all(session: &mut TlsSession) -> Vec<u8> {
    let mut sent = Vec::new();
    assert!(session.send(&mut sent).unwrap());
    sent
}

/// What these bytes look like on a socket: all at once, then nothing.
fn once(bytes: &[u8]) -> impl FnMut(&mut [u8]) -> io::Result<usize> {
    in_pieces(bytes, usize::MAX)
}

/// At most so many bytes a time, then nothing.
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

/// The ciphertext of this.
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
fn one_read_hands_on_everything_that_was_received() {
    let (mut client, mut server) = shaken();
    let sent: Vec<u8> = (0..100_u8).flat_map(|n| encrypted(&mut client, &[n; 300])).collect();
    let mut receive = once(&sent);
    let mut got = BytesMut::from(&b"before"[..]);
    assert_eq!(server.read(&mut got, &mut receive).unwrap(), 100 * 300);
    assert_eq!(got.len(), 6 + 100 * 300);
    assert!(is_would_block(&server.read(&mut got, &mut receive)));
    assert!(!server.has_input());
}

#[test]
fn half_a_record_waits_for_the_rest() {
    let (mut client, mut server) = shaken();
    let mut got = BytesMut::new();
    let sent = encrypted(&mut client, &[7; 1000]);
    let (head, tail) = sent.split_at(sent.len() - 1);
    assert!(is_would_block(&server.read(&mut got, in_pieces(head, 1))));
    assert!(got.is_empty() && !server.has_input());
    assert_eq!(server.read(&mut got, once(tail)).unwrap(), 1000);
    assert_eq!(got, [7; 1000][..]);
}

#[test]
fn what_comes_right_behind_the_handshake_is_read_without_the_socket() {
    let (mut client, mut server) = pair();
    server.handshake(once(&all(&mut client))).unwrap();
    client.handshake(once(&all(&mut server))).unwrap();
    // The last word of the handshake, and a command, in one piece.
    let mut sent = all(&mut client);
    sent.extend(encrypted(&mut client, b"PING\r\n"));
    server.handshake(once(&sent)).unwrap();
    assert!(!server.is_handshaking() && server.has_input());
    let mut got = BytesMut::with_capacity(10);
    assert_eq!(server.read(&mut got, |_| panic!("no need to")).unwrap(), 6);
    assert_eq!(got, b"PING\r\n"[..]);
    assert!(!server.has_input());
}

#[test]
fn plaintext_is_taken_as_far_as_its_ciphertext_may_wait() {
    let (mut client, mut server) = shaken();
    let mut output = BytesMut::from(&*vec![1; 1 << 20]);
    assert!(client.encrypt(&mut output).unwrap());
    let taken = (1 << 20) - output.len();
    assert!(taken > 0 && taken <= OUTPUT_BYTES_MAX, "{taken}");
    assert!(!client.encrypt(&mut output).unwrap(), "more than may wait");
    assert!(client.has_output());
    let sent = all(&mut client);
    assert!(!client.has_output());
    let (mut got, mut receive) = (BytesMut::new(), once(&sent));
    while !is_would_block(&server.read(&mut got, &mut receive)) {}
    assert_eq!(got.len(), taken);
}

#[test]
fn a_goodbye_and_an_end_without_one_are_ends() {
    let (mut client, mut server) = shaken();
    let mut sent = encrypted(&mut client, b"last");
    client.send_close_notify();
    sent.extend(all(&mut client));
    let mut got = BytesMut::new();
    assert_eq!(server.read(&mut got, once(&sent)).unwrap(), 4);
    assert!(server.has_input());
    assert_eq!(server.read(&mut got, |_| panic!("no need to")).unwrap(), 0);
    // The other direction is open.
    let sent = encrypted(&mut server, b"reply");
    assert_eq!(client.read(&mut got, once(&sent)).unwrap(), 5);
    assert_eq!(client.read(&mut got, |_| Ok(0)).unwrap(), 0);
    assert!(client.has_input());
}

#[test]
fn who_leaves_during_the_handshake_is_said_to() {
    let (mut client, _) = pair();
    let error = client.handshake(|_| Ok(0)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn nothing_waits_for_a_socket_that_is_broken() {
    struct Broken;
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (mut client, mut server) = shaken();
    let reply = encrypted(&mut server, b"reply");
    client.encrypt(&mut BytesMut::from(&b"command"[..])).unwrap();
    assert_eq!(client.send(&mut Broken).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    assert!(!client.has_output());
    assert_eq!(client.send(&mut Vec::new()).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    // What came before can still be read.
    assert_eq!(client.read(&mut BytesMut::new(), once(&reply)).unwrap(), 5);
}

#[test]
fn a_broken_record_is_an_error_that_is_told_to_the_other_side() {
    let (mut client, mut server) = shaken();
    let mut sent = encrypted(&mut client, b"command");
    *sent.last_mut().unwrap() ^= 1;
    let error = server.read(&mut BytesMut::new(), once(&sent)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    let alert = all(&mut server);
    let error = client.read(&mut BytesMut::new(), once(&alert)).unwrap_err();
    assert_eq!(error.to_string(), "the server broke off TLS: BadRecordMac");
}
