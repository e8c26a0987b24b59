//! Stores that are not believed or not understood: what people are told, and what they are not.

use larder_testkit::{
    CertificateAuthority, CertificateFiles, LIMIT, RedisServer, eventually, http, require_redis,
    require_redis_tls,
};

use crate::setup::{LOCAL_NAMES, TlsHarness, TlsToRedis, redis, text};

const PASSWORD: &str = "a-very-secret-word";

/// What Larder says of a Redis with this certificate, when it trusts this authority.
fn assert_message(
    authority: &CertificateAuthority,
    certificate: &CertificateFiles,
    trusted: &CertificateAuthority,
    expected: &str,
) {
    let redis = redis(authority, certificate, false);
    let url = format!("rediss://:{PASSWORD}@localhost:{}", redis.tls_addr().port());
    let ca = trusted.file();
    assert_refused(&TlsToRedis::start(&url, &["--store-ca-file", text(&ca)]), expected);
}

/// `/readyz` and the log say why, a client is told as well, and nobody the password.
fn assert_refused(behind: &TlsToRedis, expected: &str) {
    assert_reported(behind, expected);
    let client = redis::Client::open(format!("redis://127.0.0.1:{}", behind.port)).unwrap();
    let mut client = client.get_connection().unwrap();
    client.set_read_timeout(Some(LIMIT)).unwrap();
    let told = redis::cmd("INCR").arg("n").exec(&mut client).unwrap_err().to_string();
    assert!(told.contains("cannot reach the store") && told.contains(expected), "{told}");
    assert!(!told.contains(PASSWORD));
}

fn assert_reported(behind: &TlsToRedis, expected: &str) {
    let ready = || http::get(&behind.larder.url("/readyz"), &[]).text();
    eventually(LIMIT, expected, || ready().contains(expected));
    eventually(LIMIT, "a word in the log", || behind.larder.log().contains(expected));
    assert!(!format!("{}{}", ready(), behind.larder.log()).contains(PASSWORD));
}

#[test]
fn a_certificate_of_somebody_else() {
    if !require_redis_tls() {
        return;
    }
    let (authority, other) = (CertificateAuthority::new(), CertificateAuthority::new());
    assert_message(
        &authority,
        &authority.sign(LOCAL_NAMES),
        &other,
        "no trusted CA has signed the server's certificate",
    );
}

#[test]
fn a_certificate_that_the_system_does_not_know() {
    if !require_redis_tls() {
        return;
    }
    let authority = CertificateAuthority::new();
    let redis = redis(&authority, &authority.sign(LOCAL_NAMES), false);
    let url = format!("rediss://localhost:{}", redis.tls_addr().port());
    // Stands for the system's, which a machine that only runs tests may not have.
    let other = CertificateAuthority::new();
    let behind = TlsToRedis::start_in(&url, &[], ("SSL_CERT_FILE", text(&other.file())));
    assert_refused(&behind, "name its CA in store-ca-file");
}

#[test]
fn a_certificate_that_has_expired() {
    if !require_redis_tls() {
        return;
    }
    let authority = CertificateAuthority::new();
    assert_message(
        &authority,
        &authority.sign_expired(LOCAL_NAMES),
        &authority,
        "certificate has expired",
    );
}

#[test]
fn a_certificate_of_the_ca_itself() {
    if !require_redis_tls() {
        return;
    }
    let authority = CertificateAuthority::new();
    assert_message(&authority, &authority.itself(), &authority, "certificate is a CA certificate");
}

#[test]
fn a_certificate_for_another_host() {
    if !require_redis_tls() {
        return;
    }
    let authority = CertificateAuthority::new();
    let certificate = authority.sign(&["cache.example", "10.1.2.3"]);
    assert_message(
        &authority,
        &certificate,
        &authority,
        "not for localhost, but for cache.example, 10.1.2.3",
    );
    assert_message(&authority, &authority.sign(&[]), &authority, "it has no subjectAltName");
}

#[test]
fn an_address_must_be_in_the_certificate_too() {
    if !require_redis_tls() {
        return;
    }
    let authority = CertificateAuthority::new();
    let redis = redis(&authority, &authority.sign(&["localhost"]), false);
    let url = format!("rediss://127.0.0.1:{}", redis.tls_addr().port());
    let ca = authority.file();
    let behind = TlsToRedis::start(&url, &["--store-ca-file", text(&ca)]);
    assert_refused(&behind, "not for 127.0.0.1, but for localhost");
}

#[test]
fn a_redis_that_wants_a_certificate() {
    if !require_redis_tls() {
        return;
    }
    let authority = CertificateAuthority::new();
    let redis = redis(&authority, &authority.sign(LOCAL_NAMES), true);
    let url = format!("rediss://localhost:{}", redis.tls_addr().port());
    let ca = authority.file();
    assert_refused(
        &TlsToRedis::start(&url, &["--store-ca-file", text(&ca)]),
        "does it require a client certificate? See store-cert-file and store-key-file",
    );
    let stranger = CertificateAuthority::new();
    let certificate = stranger.sign(&["larder"]);
    let flags = ["--store-ca-file", text(&ca), "--store-cert-file", text(&certificate.certificate)];
    let flags = [&flags[..], &["--store-key-file", text(&certificate.key)]].concat();
    assert_refused(
        &TlsToRedis::start(&url, &flags),
        "does not accept the certificate in store-cert-file",
    );
}

#[test]
fn a_redis_without_tls_behind_rediss() {
    if !require_redis() {
        return;
    }
    let redis = RedisServer::start();
    let url = format!("rediss://127.0.0.1:{}", redis.port());
    let ca = CertificateAuthority::new();
    let behind = TlsToRedis::start(&url, &["--store-ca-file", text(&ca.file())]);
    // It waits for the rest of a line, or takes what it got for a command.
    let ready = || http::get(&behind.larder.url("/readyz"), &[]).text();
    eventually(LIMIT, "a hint", || {
        let said = ready();
        said.contains("does the server speak TLS on this port?")
            || said.contains("if it does not speak TLS on this port, use redis://")
    });
}

#[test]
fn a_redis_with_tls_behind_redis() {
    if !require_redis_tls() {
        return;
    }
    let authority = CertificateAuthority::new();
    let redis = redis(&authority, &authority.sign(LOCAL_NAMES), false);
    let url = format!("redis://127.0.0.1:{}", redis.tls_addr().port());
    assert_reported(&TlsToRedis::start(&url, &[]), "if it speaks TLS on this port, use rediss://");
}

#[test]
fn a_server_with_tls_that_says_so_behind_redis() {
    let Some(harness) = TlsHarness::start(&[]) else { return };
    let url = format!("redis://127.0.0.1:{}", harness.port);
    assert_reported(&TlsToRedis::start(&url, &[]), "looks like TLS: use rediss://");
}
