//! TLS over TCP with rustls, for connections to Redis and from clients.
//!
//! [`TlsStream`] is used like a plain socket: it moves bytes when the socket is ready, starts no
//! task, and bounds what it buffers. [`ClientTls`] and [`ServerTls`] hold the trusted roots and
//! Larder's own identity. They are built once, from [`RootCertificates`] and an [`Identity`],
//! before anything connects.
//!
//! This is own code over rustls rather than `tokio-rustls` because it costs less. Measured as CPU
//! time, user and system, of one connection to Redis 7.0 over TLS 1.3, means of 6 runs; the
//! instructions are those of user space, counted by callgrind:
//!
//! | per request | here | `tokio-rustls` 0.26 | instructions |
//! | --- | --- | --- | --- |
//! | `GET` of a missing key, one at a time | 6.4 µs | 7.0 µs | 8.3 k, 9.7 k |
//! | `GET` of 1000 bytes, 64 in a pipeline | 0.71 µs | 0.84 µs | 6.8 k, 7.1 k |
//! | `GET` of 64 KiB, 8 in a pipeline | 33 µs | 34 µs | 393 k, 373 k |
//!
//! One read here takes up to 64 KiB of ciphertext and returns all of its plaintext. `tokio-rustls`
//! reads about 4 KiB at a time (3.7 times as many reads with large values) and returns one record,
//! without a way to ask whether more are buffered: a caller that waits for the socket must poll until
//! it would block.

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
