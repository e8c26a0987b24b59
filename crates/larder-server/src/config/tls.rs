//! The settings that name certificates and keys. The files are read here, once.

use std::path::{Path, PathBuf};

use larder_redis::tls::{
    CertificateChain, ClientTls, Identity, PrivateKey, RootCertificates, ServerTls, TlsError,
};

use super::raw::RawSettings;
use super::table::{
    AnySetting, STORE, STORE_CA_FILE, STORE_CERT_FILE, STORE_KEY_FILE, Setting, TLS_CA_CERT_FILE,
    TLS_CERT_FILE, TLS_KEY_FILE, TLS_PORT,
};
use super::types::StoreKind;

type File = Setting<Option<PathBuf>>;

/// Reads the files that TLS needs, if TLS is on.
pub(crate) fn read(settings: &mut RawSettings) {
    if settings.are_valid(&[&STORE, &STORE_CA_FILE, &STORE_CERT_FILE, &STORE_KEY_FILE]) {
        settings.store_tls = store(settings);
    }
    if settings.are_valid(&[&TLS_PORT, &TLS_CERT_FILE, &TLS_KEY_FILE, &TLS_CA_CERT_FILE]) {
        settings.server_tls = server(settings);
    }
}

fn store(settings: &mut RawSettings) -> Option<ClientTls> {
    if !matches!(settings.get(&STORE), StoreKind::Redis(url) if url.is_tls()) {
        for file in [&STORE_CA_FILE, &STORE_CERT_FILE, &STORE_KEY_FILE] {
            refuse_without_tls(file, settings);
        }
        return None;
    }
    for (one, other) in [(&STORE_CERT_FILE, &STORE_KEY_FILE), (&STORE_KEY_FILE, &STORE_CERT_FILE)] {
        if settings.get(one).is_some() {
            must_have(one, other, settings);
        }
    }
    let identity = identity(&STORE_CERT_FILE, &STORE_KEY_FILE, settings);
    let roots = match settings.get(&STORE_CA_FILE) {
        Some(_) => of_file(&STORE_CA_FILE, RootCertificates::from_pem_file, settings)?,
        None => system_roots(settings)?,
    };
    let tls = ClientTls::new(roots, identity.as_ref());
    tls.map_err(|error| refuse(&STORE, &error, settings)).ok()
}

/// Refuses a certificate for a store without TLS: the user expects TLS there.
fn refuse_without_tls(file: &'static File, settings: &mut RawSettings) {
    if settings.get(file).is_some() {
        let text = format!(
            "{} is for a store over TLS, and this one is not: write rediss:// or valkeys:// in its \
             URL",
            file.flag
        );
        settings.error(settings.source(file), text);
    }
}

fn system_roots(settings: &mut RawSettings) -> Option<RootCertificates> {
    RootCertificates::from_system()
        .map_err(|error| {
            let text = format!("{error}: set store-ca-file to the CA of the store's certificate");
            settings.error(settings.source(&STORE), text);
        })
        .ok()
}

fn server(settings: &mut RawSettings) -> Option<ServerTls> {
    if settings.get(&TLS_PORT) == 0 {
        return None;
    }
    for file in [&TLS_CERT_FILE, &TLS_KEY_FILE] {
        must_have(&TLS_PORT, file, settings);
    }
    let identity = identity(&TLS_CERT_FILE, &TLS_KEY_FILE, settings);
    let clients = of_file(&TLS_CA_CERT_FILE, RootCertificates::from_pem_file, settings);
    // Without its CA the listener would accept every client.
    if clients.is_none() && settings.get(&TLS_CA_CERT_FILE).is_some() {
        return None;
    }
    let tls = ServerTls::new(&identity?, clients);
    tls.map_err(|error| refuse(&TLS_CA_CERT_FILE, &error, settings)).ok()
}

fn must_have(one: &dyn AnySetting, other: &'static File, settings: &mut RawSettings) {
    if settings.get(other).is_none() {
        let text = format!("{} requires {}", one.info().flag, other.flag);
        settings.error(settings.source(one), text);
    }
}

/// Reads a certificate and its key.
fn identity(
    certificate: &'static File,
    key: &'static File,
    settings: &mut RawSettings,
) -> Option<Identity> {
    let chain = of_file(certificate, CertificateChain::from_pem_file, settings);
    let private = of_file(key, PrivateKey::from_pem_file, settings);
    Identity::new(chain?, private?).map_err(|error| refuse(key, &error, settings)).ok()
}

/// Reads the file of a setting, if it is set.
fn of_file<T>(
    file: &'static File,
    read: impl FnOnce(&Path) -> Result<T, TlsError>,
    settings: &mut RawSettings,
) -> Option<T> {
    let path = settings.get(file)?;
    read(&path).map_err(|error| refuse(file, &error, settings)).ok()
}

fn refuse(setting: &dyn AnySetting, error: &TlsError, settings: &mut RawSettings) {
    settings.error(settings.source(setting), error.to_string());
}
