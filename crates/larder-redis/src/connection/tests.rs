use super::*;
use crate::tls::{
    CertificateChain, ClientTls, Identity, PrivateKey, RootCertificates, ServerTls, TlsStream,
};
use larder_testkit::CertificateAuthority;
use tokio::net::TcpListener;

/// More than the buffers of both sockets can take.
const SENT_BYTES_MAX: usize = 256 << 20;

/// A connection over TLS, and its peer.
async fn over_tls() -> (RespConnection, TlsStream) {
    let authority = CertificateAuthority::new();
    let signed = authority.sign(&["localhost", "127.0.0.1"]);
    let chain = CertificateChain::from_pem_file(&signed.certificate).unwrap();
    let identity = Identity::new(chain, PrivateKey::from_pem_file(&signed.key).unwrap()).unwrap();
    let server = ServerTls::new(&identity, None).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut url: RedisUrl = format!("rediss://{}", listener.local_addr().unwrap()).parse().unwrap();
    url.tls = Some(
        ClientTls::new(RootCertificates::from_pem_file(&authority.file()).unwrap(), None).unwrap(),
    );
    let accept = async {
        let mut stream = server.accept(listener.accept().await.unwrap().0).unwrap();
        stream.handshake().await.unwrap();
        stream
    };
    let (connection, peer) = tokio::join!(RespConnection::connect(&url), accept);
    (connection.unwrap(), peer)
}

#[tokio::test]
async fn waiting_ciphertext_counts_as_output_and_is_sent_once_the_socket_accepts_it() {
    let (mut connection, mut peer) = over_tls().await;
    let mut sent = 0;
    // The peer reads nothing, so at some point everything is encrypted and not everything is sent.
    while !connection.has_output() {
        connection.output().extend_from_slice(&[b'x'; 1000]);
        sent += 1000;
        connection.flush().unwrap();
        assert!(sent < SENT_BYTES_MAX, "no output is waiting");
    }
    assert!(connection.output.is_empty());
    let mut received = BytesMut::new();
    while received.len() < sent {
        tokio::select! {
            ready = connection.writable(), if connection.has_output() => {
                ready.unwrap();
                connection.flush().unwrap();
            }
            ready = peer.readable() => {
                ready.unwrap();
                match peer.try_read(&mut received) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    count => assert!(count.unwrap() > 0, "closed"),
                }
            }
        }
    }
    assert!(!connection.has_output());
}

#[tokio::test]
async fn dropping_a_connection_sends_close_notify() {
    let (connection, mut peer) = over_tls().await;
    drop(connection);
    peer.readable().await.unwrap();
    assert_eq!(peer.try_read(&mut BytesMut::new()).unwrap(), 0);
}
