//! Why TLS with the other side did not come about, or broke off, in words that say what to do.

use rustls::{AlertDescription, CertificateError, Connection, Error};
use std::io;

/// What `openssl req -x509` makes unless it is told otherwise. The library has no variant for it.
const CA_AS_END_ENTITY: &str = "CaUsedAsEndEntity";

/// The error of a session that cannot go on.
pub(super) fn to_io_error(session: &Connection, error: &Error) -> io::Error {
    let text = match session {
        Connection::Client(_) => describe(error),
        Connection::Server(_) => error.to_string(),
    };
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// The other side left before both knew each other.
pub(super) fn closed_during_handshake() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "closed during the TLS handshake")
}

/// What a server did wrong, in the eyes of its client.
fn describe(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(error) => describe_certificate(error),
        Error::InvalidMessage(_) => {
            "what the server sent is no TLS: if it speaks none on this port, use redis://".into()
        }
        Error::AlertReceived(alert) => describe_alert(*alert),
        other => format!("TLS failed: {other}"),
    }
}

fn describe_certificate(error: &CertificateError) -> String {
    match error {
        // The second is what an issuer looks like that only bears a trusted one's name.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "the server's certificate is signed by nobody who is trusted here: name its CA in \
             store-ca-file"
                .into()
        }
        CertificateError::NotValidForNameContext { expected, presented } => format!(
            "the server's certificate is not for {}, but for {}",
            expected.to_str(),
            match presented.is_empty() {
                true => "no name at all: it has no subjectAltName".to_owned(),
                false =>
                    presented.iter().map(|name| strip_variant(name)).collect::<Vec<_>>().join(", "),
            }
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired".into()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet: is this machine's clock right?".into()
        }
        other if other.to_string().contains(CA_AS_END_ENTITY) => {
            "the server's certificate is that of a CA (CA:TRUE): give it one that the CA has signed"
                .into()
        }
        other => format!("the server's certificate is not accepted: {other}"),
    }
}

/// `DnsName("cache.example")` without what only programmers want to know.
fn strip_variant(name: &str) -> &str {
    let inner = name.split_once('(').map_or(name, |(_, inner)| inner);
    inner.trim_end_matches(')').trim_matches('"')
}

fn describe_alert(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateRequired | AlertDescription::HandshakeFailure => {
            "the server refuses; does it want a certificate? See store-cert-file and \
             store-key-file"
                .into()
        }
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::AccessDenied => {
            format!("the server does not accept the certificate in store-cert-file: {alert:?}")
        }
        other => format!("the server broke off TLS: {other:?}"),
    }
}
