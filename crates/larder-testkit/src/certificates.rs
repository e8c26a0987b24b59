//! A certificate authority that writes its certificates to files.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use tempfile::TempDir;

/// A certificate authority that no system trusts by default. Its files are removed on drop.
pub struct CertificateAuthority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
    signed: AtomicUsize,
}

/// A certificate and its private key, in PEM files.
#[derive(Clone, Debug)]
pub struct CertificateFiles {
    /// The file with the certificate.
    pub certificate: PathBuf,
    /// The file with the private key.
    pub key: PathBuf,
}

impl CertificateAuthority {
    /// Creates an authority with a new key.
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().expect("a key");
        let folder = TempDir::with_prefix("larder-certificates-").expect("a temporary folder");
        // The folder makes the name unique among authorities.
        let name = folder.path().display().to_string();
        params.distinguished_name.push(DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a root");
        write(&folder.path().join("ca.pem"), &issuer.pem());
        write(&folder.path().join("ca.key"), &issuer.key().serialize_pem());
        Self { issuer, folder, signed: AtomicUsize::new(0) }
    }

    /// Returns the file with the authority's own certificate.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Returns the authority's own certificate and key, for a server that uses them as its own.
    pub fn itself(&self) -> CertificateFiles {
        CertificateFiles { certificate: self.file(), key: self.folder.path().join("ca.key") }
    }

    /// Issues a certificate for these host names and IP addresses.
    pub fn sign(&self, names: &[&str]) -> CertificateFiles {
        self.sign_with(&params(names))
    }

    /// Issues a certificate that has expired.
    pub fn sign_expired(&self, names: &[&str]) -> CertificateFiles {
        let mut params = params(names);
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
        self.sign_with(&params)
    }

    fn sign_with(&self, params: &CertificateParams) -> CertificateFiles {
        let number = self.signed.fetch_add(1, Ordering::Relaxed);
        let path = |end: &str| self.folder.path().join(format!("{number}.{end}"));
        let (certificate, key) = (path("pem"), path("key"));
        let pair = KeyPair::generate().expect("a key");
        let signed = params.signed_by(&pair, &self.issuer).expect("a certificate");
        write(&certificate, &signed.pem());
        write(&key, &pair.serialize_pem());
        CertificateFiles { certificate, key }
    }
}

impl Default for CertificateAuthority {
    fn default() -> Self {
        Self::new()
    }
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
    CertificateParams::new(names).expect("valid host names or addresses")
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).expect("a file in a temporary folder");
}
