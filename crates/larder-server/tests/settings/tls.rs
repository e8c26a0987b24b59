//! Settings of certificates and keys, and the errors about them.

use larder_server::config::StoreKind;
use larder_testkit::{CertificateAuthority, CertificateFiles};

use crate::invocation::{Invocation, larder};

/// The files of a certificate authority and of a certificate that it signed.
struct Files {
    authority: CertificateAuthority,
    signed: CertificateFiles,
}

impl Files {
    fn new() -> Self {
        let authority = CertificateAuthority::new();
        let signed = authority.sign(&["localhost"]);
        Self { authority, signed }
    }

    /// Returns a command line of these words, with file names for `CA`, `CERT` and `KEY`.
    fn invocation(&self, words: &str) -> Invocation {
        let CertificateFiles { certificate, key } = &self.signed;
        let words = words
            .replace("CA", &self.authority.file().display().to_string())
            .replace("CERT", &certificate.display().to_string())
            .replace("KEY", &key.display().to_string());
        larder().args(&words)
    }
}

#[test]
fn a_tls_listener_works_beside_or_without_the_plain_one() {
    let files = Files::new();
    let config =
        files.invocation("--tls-port 6390 --tls-cert-file CERT --tls-key-file KEY").config();
    assert_eq!(config.resp.tls.unwrap().address, "127.0.0.1:6390".parse().unwrap());
    assert_eq!(config.resp.address, "127.0.0.1:6380".parse().ok());
    let tls_only = "--port 0 --http-port 0 --store redis://h --tls-port 6390 --tls-cert-file CERT \
                 --tls-key-file KEY --tls-ca-cert-file CA";
    let config = files.invocation(tls_only).config();
    assert_eq!(config.resp.address, None);
    assert!(config.resp.tls.is_some());
    // As in Redis, the files are ignored while the TLS listener is off.
    assert_eq!(larder().args("--tls-cert-file nowhere").config().resp.tls, None);
}

#[test]
fn a_store_over_tls_may_have_its_own_ca_and_client_certificate() {
    let files = Files::new();
    let all = "--store rediss://u:p@h/1 --store-ca-file CA --store-cert-file CERT \
               --store-key-file KEY";
    for words in ["--store valkeys://h --store-ca-file CA", all] {
        match files.invocation(words).config().store.kind {
            StoreKind::Redis(url) => assert!(url.is_tls() && url.tls.is_some(), "{words}"),
            StoreKind::Memory => panic!("{words}"),
        }
    }
}

#[test]
fn a_missing_companion_of_a_tls_setting_is_reported() {
    let files = Files::new();
    let table: [(&str, &[&str]); 6] = [
        (
            "--tls-port 6390",
            &[
                "--tls-port: tls-port requires tls-cert-file",
                "--tls-port: tls-port requires tls-key-file",
            ],
        ),
        ("--tls-port 6390 --tls-key-file KEY", &["--tls-port: tls-port requires tls-cert-file"]),
        (
            "--tls-port 6390 --port 6390 --tls-cert-file CERT --tls-key-file KEY",
            &[
                "--tls-port: port (6390, --port) and tls-port (6390, --tls-port) are the same: choose \
                 another port for one of them, or set it to 0 to turn that listener off",
            ],
        ),
        (
            "--store rediss://h --store-ca-file CA --store-cert-file CERT",
            &["--store-cert-file: store-cert-file requires store-key-file"],
        ),
        (
            "--store rediss://h --store-ca-file CA --store-key-file KEY",
            &["--store-key-file: store-key-file requires store-cert-file"],
        ),
        (
            "--store redis://h --store-ca-file CA",
            &[
                "--store-ca-file: store-ca-file is for a store over TLS, and this one is not: write rediss:// or valkeys:// in its URL",
            ],
        ),
    ];
    for (words, errors) in table {
        assert_eq!(files.invocation(words).errors(), errors, "{words}");
    }
}

#[test]
fn all_invalid_files_are_reported_at_once() {
    let words = "--store rediss://h --store-ca-file /nowhere/ca --store-cert-file KEY \
                 --store-key-file CERT --tls-port 6390 --tls-cert-file /nowhere/cert \
                 --tls-key-file /nowhere/key --tls-ca-cert-file KEY";
    let files = Files::new();
    let (cert, key) = (files.signed.certificate.display(), files.signed.key.display());
    let nowhere = |name| format!("/nowhere/{name} cannot be read: No such file or directory");
    let no_certificate = format!("{key} contains no certificate in PEM form, or an invalid one");
    let mut expected = [
        format!("--store-ca-file: {}", nowhere("ca")),
        format!("--store-cert-file: {no_certificate}"),
        format!("--store-key-file: {cert} contains no unencrypted private key in PEM form"),
        format!("--tls-ca-cert-file: {no_certificate}"),
        format!("--tls-cert-file: {}", nowhere("cert")),
        format!("--tls-key-file: {}", nowhere("key")),
    ];
    expected.sort();
    let mut errors = files.invocation(words).errors();
    errors.sort();
    assert_eq!(errors.len(), expected.len(), "{errors:#?}");
    for (error, expected) in errors.iter().zip(&expected) {
        assert!(error.starts_with(expected.as_str()), "{error} does not start with {expected}");
    }
}

#[test]
fn a_key_that_does_not_match_its_certificate_is_reported() {
    let (files, other) = (Files::new(), Files::new());
    let key = other.signed.key.display();
    let listener = format!("--tls-port 6390 --tls-cert-file CERT --tls-key-file {key}");
    let store = format!(
        "--store rediss://h --store-ca-file CA --store-cert-file CERT --store-key-file {key}"
    );
    for (words, flag) in [(listener, "--tls-key-file"), (store, "--store-key-file")] {
        let errors = files.invocation(&words).errors();
        assert_eq!(errors, [format!("{flag}: the private key does not match the certificate")]);
    }
}

#[test]
fn an_exposed_tls_listener_requires_a_password() {
    let files = Files::new();
    let words = "--port 0 --bind 0.0.0.0 --store redis://h --tls-port 6390 --tls-cert-file CERT \
                 --tls-key-file KEY";
    let errors = files.invocation(words).errors();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].starts_with("--bind: bind 0.0.0.0 is reachable from other machines"));
    files.invocation(&format!("{words} --requirepass secret")).config();
}
