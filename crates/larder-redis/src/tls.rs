//! TLS over TCP, by rustls, for both ends of Larder: its connections to Redis, and its clients'.
//!
//! [`TlsStream`] moves bytes when its socket is ready, as a bare socket does; it starts no task and
//! holds no queue without a limit. [`ClientTls`] and [`ServerTls`] say who is trusted and who
//! Larder is; they are made of [`RootCertificates`] and an [`Identity`], once, before anything connects.

mod client;
mod error;
mod pem;
mod server;
mod session;
mod stream;

pub use client::ClientTls;
pub use pem::{CertificateChain, Identity, PrivateKey, RootCertificates};
pub use server::ServerTls;
pub use stream::{TlsReader, TlsStream};

use rustls::crypto::CryptoProvider;
use std::{fmt, sync::Arc};

/// Why TLS cannot be done with these files; for people, with no secret in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsError(String);

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TlsError {}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        Self(error.to_string())
    }
}

/// The cryptography: that of ring. Named, so that no other crate's choice for the process counts.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
