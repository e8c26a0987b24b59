//! Larder as the client of a Redis that speaks TLS.

use super::{Identity, RootCertificates, TlsError, TlsStream, provider};
use rustls::{
    ClientConfig, ClientConnection, client::ResolvesClientCert, pki_types::ServerName,
    sign::SingleCertAndKey,
};
use std::{fmt, io, sync::Arc};
use tokio::net::TcpStream;

/// Whose certificates are believed, and what Larder shows who asks for its own. Two are equal only
/// when they are the same one.
#[derive(Clone)]
pub struct ClientTls(Arc<ClientConfig>);

impl ClientTls {
    /// Believes who was signed by these roots, and shows the identity, if there is one.
    ///
    /// # Errors
    /// When the library has no protocol version in common with itself; never, in other words.
    pub fn new(roots: RootCertificates, identity: Option<&Identity>) -> Result<Self, TlsError> {
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots.into_store());
        let config = match identity {
            Some(identity) => {
                let shown: Arc<dyn ResolvesClientCert> =
                    Arc::new(SingleCertAndKey::from(identity.certified_key()));
                config.with_client_cert_resolver(shown)
            }
            None => config.with_no_client_auth(),
        };
        Ok(Self(Arc::new(config)))
    }

    /// Shakes hands over a socket that is connected to this host, whose certificate must name it.
    pub(crate) async fn connect(&self, socket: TcpStream, host: &str) -> io::Result<TlsStream> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| io::Error::other("no certificate can be for a host of this name"))?;
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
