//! Certificates and keys in PEM files.
//!
//! No error quotes anything of a file: it may be a key that was named in the wrong place.

use super::{TlsError, provider};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use std::{fs::File, io::Read, path::Path, sync::Arc};

/// The bundle of a whole system has a quarter of this.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Whose signatures are believed.
#[derive(Clone, Debug)]
pub struct RootCertificates(RootCertStore);

impl RootCertificates {
    /// The certificates in a file.
    ///
    /// # Errors
    /// When the file cannot be read, or holds none.
    pub fn from_pem_file(path: &Path) -> Result<Self, TlsError> {
        let mut store = RootCertStore::empty();
        for certificate in CertificateChain::from_pem_file(path)?.0 {
            store.add(certificate).map_err(|_| no_certificate(path))?;
        }
        Ok(Self(store))
    }

    /// Those that this system trusts; `SSL_CERT_FILE` and `SSL_CERT_DIR` name others.
    ///
    /// # Errors
    /// When there are none.
    pub fn from_system() -> Result<Self, TlsError> {
        let mut store = RootCertStore::empty();
        // A few that cannot be read do no harm: who they would vouch for is refused.
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
    /// The certificates in a file, that of the owner first.
    ///
    /// # Errors
    /// When the file cannot be read, or holds none.
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
    /// The first private key in a file.
    ///
    /// # Errors
    /// When the file cannot be read, or holds none.
    pub fn from_pem_file(path: &Path) -> Result<Self, TlsError> {
        PrivateKeyDer::from_pem_slice(&read(path)?).map(Self).map_err(|_| {
            let path = path.display();
            TlsError(format!("{path} holds no private key in PEM form that needs no password"))
        })
    }
}

/// Who somebody is: a certificate and its key.
#[derive(Clone, Debug)]
pub struct Identity(Arc<CertifiedKey>);

impl Identity {
    /// Joins them.
    ///
    /// # Errors
    /// When the key is of no use, or not that of the certificate.
    pub fn new(chain: CertificateChain, key: PrivateKey) -> Result<Self, TlsError> {
        match CertifiedKey::from_der(chain.0, key.0, &provider()) {
            Ok(certified_key) => Ok(Self(Arc::new(certified_key))),
            Err(rustls::Error::InconsistentKeys(_)) => {
                Err(TlsError("the key is not that of the certificate".into()))
            }
            Err(error) => Err(TlsError(format!("certificate and key are of no use: {error}"))),
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
    TlsError(format!("{} holds no certificates in PEM form, or a broken one", path.display()))
}
