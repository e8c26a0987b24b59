//! Checks who may send requests: `Host`, `Origin` and `Sec-Fetch-Site`, and the bearer token.
//!
//! A web page in a browser on this machine can send requests to a local server. `Host` exposes pages
//! whose own name resolves to this machine (DNS rebinding); `Origin` and `Sec-Fetch-Site` expose
//! pages of other sites. The token keeps out all other clients.

use super::problem::Problem;
use crate::config::HttpConfig;
use headers::{Authorization, HeaderMapExt, authorization::Bearer};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version,
    header::{HOST, ORIGIN, WWW_AUTHENTICATE},
};
use std::net::IpAddr;
use subtle::ConstantTimeEq;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Checks whether the sender of a request may use this server.
pub(super) fn check(
    config: &HttpConfig,
    method: &Method,
    uri: &Uri,
    version: Version,
    headers: &HeaderMap,
) -> Result<(), Problem> {
    check_host_count(version, headers)?;
    if !is_health(uri.path()) && !has_own_host(uri, headers, &config.allowed_hosts) {
        return Err(foreign_host());
    }
    check_page(method, headers)?;
    if is_open(uri.path()) || has_token(headers, config) { Ok(()) } else { Err(unauthorized()) }
}

/// Requires one `Host`, which only HTTP/1.0 may leave out. No browser does.
fn check_host_count(version: Version, headers: &HeaderMap) -> Result<(), Problem> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(_), None) => Ok(()),
        (None, _) if version == Version::HTTP_10 => Ok(()),
        _ => Err(Problem::bad_request("the request must have exactly one Host header")),
    }
}

/// Returns whether `Host`, if there is one, is an address, `localhost`, a name without a dot (as in
/// compose files and clusters; such names cannot be registered) or an allowed name.
pub(super) fn has_own_host(uri: &Uri, headers: &HeaderMap, allowed: &[String]) -> bool {
    let is_good = |host: &str| host_name(host).is_some_and(|name| cannot_be_rebound(name, allowed));
    let target = uri.authority().map(http::uri::Authority::as_str);
    headers.get(HOST).is_none_or(|host| host.to_str().is_ok_and(is_good))
        && target.is_none_or(is_good)
}

fn cannot_be_rebound(name: &str, allowed: &[String]) -> bool {
    !name.is_empty() && name.bytes().all(is_label_byte)
        || name.parse::<IpAddr>().is_ok()
        || name.rsplit('.').next().is_some_and(|last| last.eq_ignore_ascii_case("localhost"))
        || allowed.iter().any(|host| host.eq_ignore_ascii_case(name))
}

fn is_label_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// Returns the name in `name:port`, without the brackets of an IPv6 address.
fn host_name(host: &str) -> Option<&str> {
    let (name, rest) = match host.strip_prefix('[') {
        Some(address) => {
            let (address, rest) = address.split_once(']')?;
            address.parse::<std::net::Ipv6Addr>().ok()?;
            (address, rest)
        }
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let port = rest.strip_prefix(':').unwrap_or(rest);
    let is_port = rest.is_empty() || port.parse::<u16>().is_ok();
    is_port.then(|| name.strip_suffix('.').unwrap_or(name))
}

/// Refuses requests that pages of other sites send. They may link to this server.
fn check_page(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    if headers.contains_key(ORIGIN) {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let is_own = |origin: &HeaderValue| {
            let from = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
            from.zip(host).is_some_and(|((_, from), host)| from.eq_ignore_ascii_case(host))
        };
        let all_own = headers.get_all(ORIGIN).iter().all(is_own);
        return if all_own { Ok(()) } else { Err(foreign_page()) };
    }
    let fetch = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    match fetch(&SEC_FETCH_SITE) {
        None | Some("same-origin" | "none") => Ok(()),
        Some(_) if *method == Method::GET && fetch(&SEC_FETCH_MODE) == Some("navigate") => Ok(()),
        Some(_) => Err(foreign_page()),
    }
}

/// Returns whether a path is read by load balancers, which send any `Host`.
fn is_health(path: &str) -> bool {
    matches!(path, "/livez" | "/readyz")
}

/// Returns whether a path needs no token: those that load balancers read, and the page in which a
/// user enters the token.
fn is_open(path: &str) -> bool {
    is_health(path) || matches!(path, "/openapi.json" | "/docs") || path.starts_with("/docs/")
}

fn has_token(headers: &HeaderMap, config: &HttpConfig) -> bool {
    let Some(token) = &config.token else { return true };
    let given = headers.typed_get::<Authorization<Bearer>>();
    // In constant time, so that the time does not tell how many bytes of a guess are right.
    given.is_some_and(|given| given.token().as_bytes().ct_eq(token.reveal().as_bytes()).into())
}

fn foreign_host() -> Problem {
    Problem::forbidden(
        "the Host header names a host that this server does not serve; add it to \
         http-allowed-hosts",
    )
}

pub(super) fn foreign_page() -> Problem {
    Problem::forbidden("a web page of another site sent this request")
}

pub(super) fn unauthorized() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "this server requires Authorization: Bearer with its http-token",
    )
    .with(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host_passes(host: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        has_own_host(&Uri::from_static("/"), &headers, &["larder.example.com".into()])
    }

    #[test]
    fn only_hosts_safe_from_dns_rebinding_pass() {
        for host in [
            "localhost",
            "localhost:8000",
            "LOCALHOST:8000",
            "127.0.0.1:8000",
            "10.1.2.3",
            "[::1]:8000",
            "[::1]",
            "larder:8000",
            "a.localhost",
            "larder.example.com",
            "Larder.Example.com:80",
            "larder.example.com.",
        ] {
            assert!(host_passes(host), "{host}");
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example",
            "larder.example.com.evil.example",
            "",
            ":80",
            "localhost:x",
            "[evil.example]",
            "[::1",
            "localhost:80:80",
            "user@localhost",
            "a b",
        ] {
            assert!(!host_passes(host), "{host}");
        }
    }

    #[test]
    fn requests_from_pages_of_other_sites_are_refused() {
        let passes = |method: &Method, headers: &[(&'static str, &str)]| {
            let mut map = HeaderMap::new();
            map.insert(HOST, "localhost:8000".parse().unwrap());
            for (name, value) in headers {
                map.insert(*name, value.parse().unwrap());
            }
            check_page(method, &map).is_ok()
        };
        assert!(passes(&Method::POST, &[]));
        assert!(passes(&Method::POST, &[("origin", "http://localhost:8000")]));
        assert!(passes(&Method::GET, &[("sec-fetch-site", "none")]));
        let link = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")];
        assert!(passes(&Method::GET, &link));
        assert!(!passes(&Method::POST, &link), "a form of another site");
        for origin in ["http://evil.example", "null", "http://localhost:8001", "localhost:8000"] {
            assert!(!passes(&Method::GET, &[("origin", origin)]), "{origin}");
        }
        assert!(!passes(&Method::GET, &[("sec-fetch-site", "cross-site")]), "an image");
        assert!(!passes(&Method::GET, &[("sec-fetch-site", "same-site")]), "another port");
    }
}
