//! TLS errors as messages that say what to do.

use rustls::{AlertDescription, CertificateError, Connection, Error};
use std::io;

/// Why TLS cannot be set up with the given files: a message for people, without secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TlsError(pub(super) String);

impl From<Error> for TlsError {
    fn from(error: Error) -> Self {
        Self(error.to_string())
    }
}

/// How rustls reports a certificate that `openssl req -x509` made with its defaults. It has no
/// variant for this error.
const CA_AS_END_ENTITY: &str = "CaUsedAsEndEntity";

/// Returns the error of a session that cannot continue.
pub(super) fn to_io_error(session: &Connection, error: &Error) -> io::Error {
    let text = match session {
        Connection::Client(_) => describe(error),
        Connection::Server(_) => error.to_string(),
    };
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// Returns the error of a peer that closed the connection during the handshake.
pub(super) fn closed_during_handshake() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "closed during the TLS handshake")
}

/// Describes an error of a connection to a server.
fn describe(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(error) => describe_certificate(error),
        Error::InvalidMessage(_) => "the server's answer is not TLS: if it does not speak TLS on \
                                     this port, use redis://"
            .into(),
        Error::AlertReceived(alert) => describe_alert(*alert),
        other => format!("TLS failed: {other}"),
    }
}

fn describe_certificate(error: &CertificateError) -> String {
    match error {
        // BadSignature: the issuer has the name of a trusted CA but another key.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "no trusted CA has signed the server's certificate: name its CA in store-ca-file".into()
        }
        CertificateError::NotValidForNameContext { expected, presented } => format!(
            "the server's certificate is not for {}, but for {}",
            expected.to_str(),
            match presented.is_empty() {
                true => "no name at all: it has no subjectAltName".to_owned(),
                false => {
                    presented.iter().map(|name| strip_variant(name)).collect::<Vec<_>>().join(", ")
                }
            }
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired".into()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet: is this machine's clock right?".into()
        }
        other if other.to_string().contains(CA_AS_END_ENTITY) => {
            "the server's certificate is a CA certificate (CA:TRUE): give the server one that the \
             CA has signed"
                .into()
        }
        other => format!("the server's certificate is not accepted: {other}"),
    }
}

/// Returns the name in a text such as `DnsName("cache.example")`.
fn strip_variant(name: &str) -> &str {
    let inner = name.split_once('(').map_or(name, |(_, inner)| inner);
    inner.trim_end_matches(')').trim_matches('"')
}

fn describe_alert(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateRequired | AlertDescription::HandshakeFailure => {
            "the server refused the handshake: does it require a client certificate? See \
             store-cert-file and store-key-file"
                .into()
        }
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::AccessDenied => {
            format!("the server does not accept the certificate in store-cert-file: {alert:?}")
        }
        other => format!("the server ended TLS with an alert: {other:?}"),
    }
}
