//! Starts a Redis and a Larder in front of it, with TLS on either side or on both.

use std::{ops::Deref, path::Path};

use larder_testkit::{
    CertificateAuthority, CertificateFiles, Harness, Larder, RedisBuilder, RedisServer, free_port,
};

use crate::tls_client::TlsClient;

/// Host names in the certificate of a server on this machine.
pub(crate) const LOCAL_NAMES: &[&str] = &["localhost", "127.0.0.1"];

/// A Larder that serves its clients over TLS.
pub(crate) struct TlsHarness {
    harness: Harness,
    pub(crate) authority: CertificateAuthority,
    /// The port for clients with TLS.
    pub(crate) port: u16,
}

impl TlsHarness {
    /// Starts a Larder with these flags. `None` if this machine has no Redis.
    pub(crate) fn start(flags: &[&str]) -> Option<Self> {
        Self::start_with(|_| flags.iter().map(|&flag| flag.to_owned()).collect())
    }

    /// Like [`TlsHarness::start`], with flags that depend on the authority.
    pub(crate) fn start_with(
        flags: impl FnOnce(&CertificateAuthority) -> Vec<String>,
    ) -> Option<Self> {
        let (authority, port) = (CertificateAuthority::new(), free_port());
        let certificate = authority.sign(LOCAL_NAMES);
        let harness = Harness::builder(env!("CARGO_BIN_EXE_larder"))
            .no_resp()
            .flags(&["--tls-port", &port.to_string()])
            .flags(&["--tls-cert-file", text(&certificate.certificate)])
            .flags(&["--tls-key-file", text(&certificate.key)])
            .flags(&flags(&authority))
            .start()?;
        Some(Self { harness, authority, port })
    }

    /// Connects a client that trusts the authority.
    pub(crate) fn tls_client(&self) -> TlsClient {
        TlsClient::open(self.port, &self.authority, None).unwrap()
    }

    /// Returns how many clients have completed a handshake and are connected.
    pub(crate) fn clients(&self) -> u64 {
        self.larder.count("/resp/connected_clients")
    }

    /// Repeats a read until it is answered from memory. Every reply must be the expected one.
    pub(crate) fn warm_up(&self, wire: &mut TlsClient, line: &str, expected: &[u8]) {
        self.larder.wait_for_resp_hit(line, || {
            assert!(wire.line(line) == expected, "{line}");
            true
        });
    }
}

impl Deref for TlsHarness {
    type Target = Harness;

    fn deref(&self) -> &Harness {
        &self.harness
    }
}

/// A Larder that serves its clients without TLS, and reaches its Redis over TLS.
pub(crate) struct TlsToRedis {
    pub(crate) larder: Larder,
    pub(crate) port: u16,
}

impl TlsToRedis {
    /// Starts a Larder with these flags and does not wait until it is coherent.
    pub(crate) fn start(url: &str, flags: &[&str]) -> Self {
        Self::start_in(url, flags, ("RUST_LOG", "info"))
    }

    /// Like [`TlsToRedis::start`], with an environment variable.
    pub(crate) fn start_in(url: &str, flags: &[&str], variable: (&str, &str)) -> Self {
        let larder = Larder::builder(env!("CARGO_BIN_EXE_larder"))
            .env("REDIS_URL", url)
            .env(variable.0, variable.1)
            .resp()
            .args(flags)
            .start();
        let port = larder.resp_port();
        Self { larder, port }
    }

    /// Waits until cached values may be served.
    pub(crate) fn wait_until_coherent(self) -> Self {
        self.larder.wait_until_coherent();
        self
    }
}

impl Drop for TlsToRedis {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("larder's log:\n{}", self.larder.log());
        }
    }
}

/// Starts a Redis with this certificate. It requires client certificates if `requires_certificate`.
pub(crate) fn redis(
    authority: &CertificateAuthority,
    certificate: &CertificateFiles,
    requires_certificate: bool,
) -> RedisServer {
    RedisBuilder::default().tls(authority, certificate, requires_certificate).start()
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
