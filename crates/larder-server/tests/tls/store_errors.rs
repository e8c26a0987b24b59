//! Errors in reaching a store over TLS: they state the reason and never contain a password.

use larder_testkit::{
    CertificateAuthority, CertificateFiles, LIMIT, RedisServer, eventually, http, require_redis,
    require_redis_tls,
};

use crate::setup::{LOCAL_NAMES, TlsHarness, TlsToRedis, redis, text};

const PASSWORD: &str = "a-very-secret-word";

/// Asserts the error for a Redis with this certificate if Larder trusts `trusted`.
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

/// Asserts that `/readyz`, the log and the reply to a client give the reason, and that none
/// contains the password.
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
    eventually(LIMIT, "an entry in the log", || behind.larder.log().contains(expected));
    assert!(!format!("{}{}", ready(), behind.larder.log()).contains(PASSWORD));
}

#[test]
fn a_certificate_of_an_unknown_authority_is_reported() {
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
fn a_certificate_unknown_to_the_system_is_reported() {
    if !require_redis_tls() {
        return;
    }
    let authority = CertificateAuthority::new();
    let redis = redis(&authority, &authority.sign(LOCAL_NAMES), false);
    let url = format!("rediss://localhost:{}", redis.tls_addr().port());
    // Stands in for the system's certificates, which a machine that only runs tests may lack.
    let other = CertificateAuthority::new();
    let behind = TlsToRedis::start_in(&url, &[], ("SSL_CERT_FILE", text(&other.file())));
    assert_refused(&behind, "name its CA in store-ca-file");
}

#[test]
fn an_expired_certificate_is_reported() {
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
fn a_ca_certificate_used_by_a_server_is_reported() {
    if !require_redis_tls() {
        return;
    }
    let authority = CertificateAuthority::new();
    assert_message(&authority, &authority.itself(), &authority, "certificate is a CA certificate");
}

#[test]
fn a_certificate_for_another_host_is_reported() {
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
fn an_ip_address_must_be_in_the_certificate() {
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
fn a_missing_client_certificate_is_reported() {
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
fn a_redis_without_tls_is_reported_for_rediss() {
    if !require_redis() {
        return;
    }
    let redis = RedisServer::start();
    let url = format!("rediss://127.0.0.1:{}", redis.port());
    let ca = CertificateAuthority::new();
    let behind = TlsToRedis::start(&url, &["--store-ca-file", text(&ca.file())]);
    // Redis waits for the rest of a line, or takes the bytes for a command.
    let ready = || http::get(&behind.larder.url("/readyz"), &[]).text();
    eventually(LIMIT, "a hint", || {
        let said = ready();
        said.contains("does the server speak TLS on this port?")
            || said.contains("if it does not speak TLS on this port, use redis://")
    });
}

#[test]
fn a_redis_with_tls_is_reported_for_redis() {
    if !require_redis_tls() {
        return;
    }
    let authority = CertificateAuthority::new();
    let redis = redis(&authority, &authority.sign(LOCAL_NAMES), false);
    let url = format!("redis://127.0.0.1:{}", redis.tls_addr().port());
    assert_reported(&TlsToRedis::start(&url, &[]), "if it speaks TLS on this port, use rediss://");
}

#[test]
fn a_tls_record_in_place_of_a_reply_is_recognized() {
    let Some(harness) = TlsHarness::start(&[]) else { return };
    let url = format!("redis://127.0.0.1:{}", harness.port);
    assert_reported(&TlsToRedis::start(&url, &[]), "looks like TLS: use rediss://");
}
