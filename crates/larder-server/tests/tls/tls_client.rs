//! A TLS client for tests. The TLS comes from rustls; nothing else is shared with the program under
//! test.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use larder_resp::Limits;
use larder_resp::reply::Scanner;
use larder_resp::request::write_command;
use larder_testkit::{CertificateAuthority, CertificateFiles};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};
use socket2::{Domain, Socket, Type};

/// Limit for a reply.
const RESPONSE_LIMIT: Duration = Duration::from_secs(30);

pub(crate) struct TlsClient {
    stream: StreamOwned<ClientConnection, TcpStream>,
    unread: BytesMut,
}

impl TlsClient {
    /// Connects, trusts this authority, presents the certificate if given, and completes the
    /// handshake.
    pub(crate) fn open(
        port: u16,
        roots: &CertificateAuthority,
        certificate: Option<&CertificateFiles>,
    ) -> io::Result<Self> {
        Self::open_in(port, roots, certificate, rustls::ALL_VERSIONS)
    }

    /// Like [`TlsClient::open`], restricted to these versions of TLS.
    pub(crate) fn open_in(
        port: u16,
        roots: &CertificateAuthority,
        certificate: Option<&CertificateFiles>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> io::Result<Self> {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        Self::over(socket, roots, certificate, versions)
    }

    /// Like [`TlsClient::open`], with a small receive buffer.
    pub(crate) fn open_with_small_receive_buffer(port: u16, roots: &CertificateAuthority) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(32 << 10).unwrap();
        socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into()).unwrap();
        Self::over(socket.into(), roots, None, rustls::ALL_VERSIONS).unwrap()
    }

    fn over(
        socket: TcpStream,
        roots: &CertificateAuthority,
        certificate: Option<&CertificateFiles>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> io::Result<Self> {
        socket.set_read_timeout(Some(RESPONSE_LIMIT))?;
        socket.set_nodelay(true)?;
        let name = "localhost".try_into().unwrap();
        let session = ClientConnection::new(config(roots, certificate, versions), name).unwrap();
        let mut stream = StreamOwned::new(session, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Self { stream, unread: BytesMut::new() })
    }

    /// Returns whether the server accepts this client. The server may reject it only after the
    /// handshake.
    pub(crate) fn accepted(mut self) -> bool {
        self.try_send(b"PING\r\n").is_ok() && self.receive().is_ok_and(|count| count > 0)
    }

    /// Sends a command of words between blanks and returns its reply.
    pub(crate) fn line(&mut self, line: &str) -> Vec<u8> {
        self.send(&encode(line));
        self.reply()
    }

    /// Sends a command of arbitrary bytes and returns its reply.
    pub(crate) fn call(&mut self, words: &[&[u8]]) -> Vec<u8> {
        let mut command = BytesMut::new();
        write_command(&mut command, words);
        self.send(&command);
        self.reply()
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).unwrap();
    }

    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// Sends bytes outside TLS, as if they had been encrypted.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        self.stream.sock.write_all(bytes).unwrap();
    }

    /// Sends `close_notify` and no more data. Replies can still be read.
    pub(crate) fn finish(&mut self) {
        self.stream.conn.send_close_notify();
        self.stream.flush().unwrap();
        self.stream.sock.shutdown(Shutdown::Write).unwrap();
    }

    /// Closes the sending side without `close_notify`.
    pub(crate) fn shut_down_without_close_notify(&mut self) {
        self.stream.sock.shutdown(Shutdown::Write).unwrap();
    }

    /// Waits for the next reply or push.
    pub(crate) fn reply(&mut self) -> Vec<u8> {
        let mut scanner = Scanner::new(Limits::default());
        loop {
            if let Some(length) = scanner.scan(&self.unread).unwrap() {
                let reply = self.unread[..length].to_vec();
                self.unread.advance(length);
                return reply;
            }
            let count = self.receive().unwrap();
            assert!(count > 0, "closed after {}", self.unread.escape_ascii());
        }
    }

    /// Returns everything up to the server's `close_notify`. Panics if the connection ends without
    /// one.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.receive().unwrap() > 0 {}
        self.unread.split().to_vec()
    }

    /// Waits until the connection ends in any way or a byte arrives. Returns whether it has ended.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.receive().map_or_else(
            |error| !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
            |count| count == 0,
        )
    }

    fn receive(&mut self) -> io::Result<usize> {
        let mut piece = [0; 16 << 10];
        let count = self.stream.read(&mut piece)?;
        self.unread.extend_from_slice(&piece[..count]);
        Ok(count)
    }
}

fn config(
    roots: &CertificateAuthority,
    certificate: Option<&CertificateFiles>,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let mut store = RootCertStore::empty();
    store.add(CertificateDer::from_pem_file(roots.file()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(store);
    Arc::new(match certificate {
        None => config.with_no_client_auth(),
        Some(certificate) => {
            let chain = vec![CertificateDer::from_pem_file(&certificate.certificate).unwrap()];
            let key = PrivateKeyDer::from_pem_file(&certificate.key).unwrap();
            config.with_client_auth_cert(chain, key).unwrap()
        }
    })
}

/// Encodes a command of words between blanks.
pub(crate) fn encode(line: &str) -> Vec<u8> {
    let mut command = BytesMut::new();
    let words: Vec<_> = line.split(' ').map(str::as_bytes).collect();
    write_command(&mut command, &words);
    command.to_vec()
}

/// Encodes a bulk string reply.
pub(crate) fn bulk(value: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", value.len()).as_bytes(), value, b"\r\n"].concat()
}

/// Returns bytes that are neither compressible nor repetitive.
pub(crate) fn random_bytes(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut random_bytes: Vec<u8> =
        std::iter::repeat_with(&mut next).take(bytes / 8 + 1).flatten().collect();
    random_bytes.truncate(bytes);
    random_bytes
}
