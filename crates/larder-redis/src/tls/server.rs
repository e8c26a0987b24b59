//! TLS towards clients: Larder is the server.

use super::{
    error::TlsError,
    pem::{Identity, RootCertificates},
    provider::provider,
    stream::TlsStream,
};
use rustls::{
    ServerConfig, ServerConnection,
    server::{NoClientAuth, ResolvesServerCert, WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::SingleCertAndKey,
};
use std::{fmt, io, sync::Arc};
use tokio::net::TcpStream;

/// The certificate that Larder presents as a TLS server, and the roots that it trusts for clients'
/// certificates. Two values are equal only if one is a clone of the other.
#[derive(Clone)]
pub struct ServerTls(Arc<ServerConfig>);

impl ServerTls {
    /// Presents `identity`. With `client_roots`, only clients with a certificate that one of them
    /// signed are accepted.
    ///
    /// # Errors
    /// When `client_roots` is empty.
    pub fn new(
        identity: &Identity,
        client_roots: Option<RootCertificates>,
    ) -> Result<Self, TlsError> {
        let verifier: Arc<dyn ClientCertVerifier> = match client_roots {
            None => Arc::new(NoClientAuth),
            Some(roots) => {
                let roots = Arc::new(roots.into_store());
                WebPkiClientVerifier::builder_with_provider(roots, provider())
                    .build()
                    .map_err(|error| TlsError(error.to_string()))?
            }
        };
        let resolver: Arc<dyn ResolvesServerCert> =
            Arc::new(SingleCertAndKey::from(identity.certified_key()));
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(resolver);
        Ok(Self(Arc::new(config)))
    }

    /// Returns a stream over a client's socket. Its handshake is still to come.
    ///
    /// # Errors
    /// When rustls refuses its own configuration; in practice never.
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
