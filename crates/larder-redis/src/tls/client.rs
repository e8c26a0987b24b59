//! TLS towards Redis: Larder is the client.

use super::{
    error::TlsError,
    pem::{Identity, RootCertificates},
    provider::provider,
    stream::TlsStream,
};
use rustls::{
    ClientConfig, ClientConnection, client::ResolvesClientCert, pki_types::ServerName,
    sign::SingleCertAndKey,
};
use std::{fmt, io, sync::Arc};
use tokio::net::TcpStream;

/// The roots that Larder trusts as a TLS client, and the certificate that it presents. Two values
/// are equal only if one is a clone of the other.
#[derive(Clone)]
pub struct ClientTls(Arc<ClientConfig>);

impl ClientTls {
    /// Trusts servers whose certificate one of `roots` signed. Presents `identity` to a server that
    /// asks for a certificate.
    ///
    /// # Errors
    /// When rustls supports no protocol version with its own provider; in practice never.
    pub fn new(roots: RootCertificates, identity: Option<&Identity>) -> Result<Self, TlsError> {
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots.into_store());
        let config = match identity {
            Some(identity) => {
                let resolver: Arc<dyn ResolvesClientCert> =
                    Arc::new(SingleCertAndKey::from(identity.certified_key()));
                config.with_client_cert_resolver(resolver)
            }
            None => config.with_no_client_auth(),
        };
        Ok(Self(Arc::new(config)))
    }

    /// Completes the handshake over a socket connected to `host`, which the server's certificate
    /// must name.
    pub(crate) async fn connect(&self, socket: TcpStream, host: &str) -> io::Result<TlsStream> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| io::Error::other("the host's name cannot appear in a certificate"))?;
        let session = ClientConnection::new(Arc::clone(&self.0), name).map_err(io::Error::other)?;
        let mut stream = TlsStream::new(socket, session.into());
        stream.handshake().await?;
        Ok(stream)
    }
}

impl PartialEq for ClientTls {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for ClientTls {}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls").finish_non_exhaustive()
    }
}
