//! Larder as a server that speaks TLS.

use super::{Identity, RootCertificates, TlsError, TlsStream, provider};
use rustls::{
    ServerConfig, ServerConnection,
    server::{NoClientAuth, ResolvesServerCert, WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::SingleCertAndKey,
};
use std::{fmt, io, sync::Arc};
use tokio::net::TcpStream;

/// Who Larder is to its clients, and whether they must show a certificate. Two are equal only when
/// they are the same one.
#[derive(Clone)]
pub struct ServerTls(Arc<ServerConfig>);

impl ServerTls {
    /// Shows this identity. With `clients`, takes only who shows a certificate that these roots
    /// signed.
    ///
    /// # Errors
    /// When there is no root.
    pub fn new(identity: &Identity, clients: Option<RootCertificates>) -> Result<Self, TlsError> {
        let verifier: Arc<dyn ClientCertVerifier> = match clients {
            None => Arc::new(NoClientAuth),
            Some(roots) => {
                let roots = Arc::new(roots.into_store());
                WebPkiClientVerifier::builder_with_provider(roots, provider())
                    .build()
                    .map_err(|error| TlsError(error.to_string()))?
            }
        };
        let shown: Arc<dyn ResolvesServerCert> =
            Arc::new(SingleCertAndKey::from(identity.certified_key()));
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(shown);
        Ok(Self(Arc::new(config)))
    }

    /// A stream over a client's socket, yet to shake hands.
    ///
    /// # Errors
    /// When the library refuses its own configuration; never, in other words.
    pub fn accept(&self, socket: TcpStream) -> io::Result<TlsStream> {
        let session = ServerConnection::new(Arc::clone(&self.0)).map_err(io::Error::other)?;
        Ok(TlsStream::new(socket, session.into()))
    }
}

impl PartialEq for ServerTls {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for ServerTls {}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").finish_non_exhaustive()
    }
}
