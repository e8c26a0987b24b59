//! Certificates and private keys in PEM files.
//!
//! No error quotes the contents of a file: it may be a key that was named in the wrong place.

use super::{error::TlsError, provider::provider};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use std::{fs::File, io::Read, path::Path, sync::Arc};

/// Longer files are cut here. The bundle of a whole system has a quarter of this.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Certificates of the CAs that are trusted.
#[derive(Clone, Debug)]
pub struct RootCertificates(RootCertStore);

impl RootCertificates {
    /// Reads the certificates in a file.
    ///
    /// # Errors
    /// When the file cannot be read or contains none.
    pub fn from_pem_file(path: &Path) -> Result<Self, TlsError> {
        let mut store = RootCertStore::empty();
        for certificate in CertificateChain::from_pem_file(path)?.0 {
            store.add(certificate).map_err(|_| no_certificate(path))?;
        }
        Ok(Self(store))
    }

    /// Returns the roots that this system trusts. The variables `SSL_CERT_FILE` and `SSL_CERT_DIR`
    /// replace them.
    ///
    /// # Errors
    /// When there are none.
    pub fn from_system() -> Result<Self, TlsError> {
        let mut store = RootCertStore::empty();
        // Roots that cannot be parsed are skipped: certificates that they signed are refused.
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        match store.is_empty() {
            true => Err(TlsError("this system has no root certificates".into())),
            false => Ok(Self(store)),
        }
    }

    pub(super) fn into_store(self) -> RootCertStore {
        self.0
    }
}

/// A certificate, and those that lead from it to a root.
#[derive(Clone, Debug)]
pub struct CertificateChain(Vec<CertificateDer<'static>>);

impl CertificateChain {
    /// Reads the certificates in a file, the owner's first.
    ///
    /// # Errors
    /// When the file cannot be read or contains none.
    pub fn from_pem_file(path: &Path) -> Result<Self, TlsError> {
        let text = read(path)?;
        let certificates = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
        match certificates {
            Ok(certificates) if !certificates.is_empty() => Ok(Self(certificates)),
            Ok(_) | Err(_) => Err(no_certificate(path)),
        }
    }
}

/// A private key.
pub struct PrivateKey(PrivateKeyDer<'static>);

impl PrivateKey {
    /// Reads the first private key in a file.
    ///
    /// # Errors
    /// When the file cannot be read or contains none.
    pub fn from_pem_file(path: &Path) -> Result<Self, TlsError> {
        PrivateKeyDer::from_pem_slice(&read(path)?).map(Self).map_err(|_| {
            let path = path.display();
            TlsError(format!("{path} contains no unencrypted private key in PEM form"))
        })
    }
}

/// A certificate chain and its private key.
#[derive(Clone, Debug)]
pub struct Identity(Arc<CertifiedKey>);

impl Identity {
    /// Joins a chain and a key.
    ///
    /// # Errors
    /// When the key is not supported or does not match the certificate.
    pub fn new(chain: CertificateChain, key: PrivateKey) -> Result<Self, TlsError> {
        match CertifiedKey::from_der(chain.0, key.0, &provider()) {
            Ok(certified) => Ok(Self(Arc::new(certified))),
            Err(rustls::Error::InconsistentKeys(_)) => {
                Err(TlsError("the private key does not match the certificate".into()))
            }
            Err(error) => {
                Err(TlsError(format!("the certificate and its key cannot be used: {error}")))
            }
        }
    }

    pub(super) fn certified_key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let mut text = Vec::new();
    let file = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut text));
    file.map_err(|error| TlsError(format!("{} cannot be read: {error}", path.display())))?;
    Ok(text)
}

fn no_certificate(path: &Path) -> TlsError {
    let path = path.display();
    TlsError(format!("{path} contains no certificate in PEM form, or an invalid one"))
}
