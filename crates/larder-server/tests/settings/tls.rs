//! Certificates and keys in the settings: what is right, and every way to be wrong.

use larder_server::config::StoreKind;
use larder_testkit::{Authority, Signed};

use crate::typed::{Typed, larder};

/// A command line that names files of this authority, and one of the certificate's own.
struct Files {
    authority: Authority,
    signed: Signed,
}

impl Files {
    fn new() -> Self {
        let authority = Authority::new();
        let signed = authority.sign(&["localhost"]);
        Self { authority, signed }
    }

    /// The words with `CA`, `CERT` and `KEY` filled in.
    fn typed(&self, words: &str) -> Typed {
        let Signed { certificate, key } = &self.signed;
        let words = words
            .replace("CA", &self.authority.file().display().to_string())
            .replace("CERT", &certificate.display().to_string())
            .replace("KEY", &key.display().to_string());
        larder().args(&words)
    }
}

#[test]
fn a_tls_listener() {
    let files = Files::new();
    let config = files.typed("--tls-port 6390 --tls-cert-file CERT --tls-key-file KEY").config();
    assert_eq!(config.resp.tls.unwrap().address, "127.0.0.1:6390".parse().unwrap());
    assert_eq!(config.resp.address, "127.0.0.1:6380".parse().ok());
    let alone = "--port 0 --http-port 0 --store redis://h --tls-port 6390 --tls-cert-file CERT \
                 --tls-key-file KEY --tls-ca-cert-file CA";
    let config = files.typed(alone).config();
    assert_eq!(config.resp.address, None);
    assert!(config.resp.tls.is_some());
    // As in Redis, its files are of no account while it is off.
    assert_eq!(larder().args("--tls-cert-file nowhere").config().resp.tls, None);
}

#[test]
fn a_store_behind_tls() {
    let files = Files::new();
    let all = "--store rediss://u:p@h/1 --store-ca-file CA --store-cert-file CERT \
               --store-key-file KEY";
    for words in ["--store valkeys://h --store-ca-file CA", all] {
        match files.typed(words).config().store.kind {
            StoreKind::Redis(url) => assert!(url.is_tls() && url.tls.is_some(), "{words}"),
            StoreKind::Memory => panic!("{words}"),
        }
    }
}

#[test]
fn what_belongs_together_is_missed_when_it_is_missing() {
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
                "--tls-port: port and tls-port are both 6390: choose another port for one of them, or \
               set it to 0 to turn that listener off",
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
    for (words, mistakes) in table {
        assert_eq!(files.typed(words).mistakes(), mistakes, "{words}");
    }
}

#[test]
fn files_that_are_of_no_use_are_named_all_at_once() {
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
    let mut mistakes = files.typed(words).mistakes();
    mistakes.sort();
    assert_eq!(mistakes.len(), expected.len(), "{mistakes:#?}");
    for (mistake, expected) in mistakes.iter().zip(&expected) {
        assert!(mistake.starts_with(expected.as_str()), "{mistake}, not {expected}");
    }
}

#[test]
fn a_key_must_be_that_of_its_certificate() {
    let (files, other) = (Files::new(), Files::new());
    let key = other.signed.key.display();
    let listener = format!("--tls-port 6390 --tls-cert-file CERT --tls-key-file {key}");
    let store = format!(
        "--store rediss://h --store-ca-file CA --store-cert-file CERT --store-key-file {key}"
    );
    for (words, flag) in [(listener, "--tls-key-file"), (store, "--store-key-file")] {
        let mistakes = files.typed(&words).mistakes();
        assert_eq!(mistakes, [format!("{flag}: the private key does not match the certificate")]);
    }
}

#[test]
fn a_port_with_tls_is_an_open_door_as_well() {
    let files = Files::new();
    let words = "--port 0 --bind 0.0.0.0 --store redis://h --tls-port 6390 --tls-cert-file CERT \
                 --tls-key-file KEY";
    let mistakes = files.typed(words).mistakes();
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    assert!(mistakes[0].starts_with("--bind: bind 0.0.0.0 is reachable from other machines"));
    files.typed(&format!("{words} --requirepass secret")).config();
}
