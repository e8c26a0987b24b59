//! TLS over TCP with rustls, for connections to Redis and from clients.
//!
//! [`TlsStream`] is used like a plain socket: it moves bytes when the socket is ready, starts no
//! task, and bounds what it buffers. [`ClientTls`] and [`ServerTls`] hold the trusted roots and
//! Larder's own identity. They are built once, from [`RootCertificates`] and an [`Identity`],
//! before anything connects.

mod client;
mod error;
mod pem;
mod provider;
mod server;
mod session;
mod stream;

pub use client::ClientTls;
pub use error::TlsError;
pub use pem::{CertificateChain, Identity, PrivateKey, RootCertificates};
pub use server::ServerTls;
pub use stream::{TlsReader, TlsStream};
