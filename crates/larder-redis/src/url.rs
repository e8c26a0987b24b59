//! Redis URLs: `redis://user:password@host:port/db`.
//!
//! These types do not reveal a password by accident: `Debug` and `Display` write `***`. No error
//! quotes any part of the text that it refuses, because a password with an unescaped `/`, `?` or
//! `#` ends up in the other parts of a URL.

use crate::tls::ClientTls;
use percent_encoding::percent_decode_str;
use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};
use subtle::ConstantTimeEq;
use url::Url;

const DEFAULT_PORT: u16 = 6379;

/// A store's address and credentials.
///
/// | URL | meaning |
/// | --- | --- |
/// | `redis://user:password@host:port/db` | TCP; everything but the host is optional; `valkey://` is the same |
/// | `rediss://user:password@host:port/db` | the same over TLS; `valkeys://` is the same |
/// | `unix://user:password@/path?db=2` | Unix socket; also `unix:/path`, and the user name and the password as options `username` and `password`, or `user` and `pass` |
///
/// User names, passwords and paths may contain `%XX`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisUrl {
    /// Where the server listens.
    pub endpoint: Endpoint,
    /// The user for `AUTH`. Without a password, `AUTH` is sent with an empty one.
    pub username: Option<String>,
    /// The password for `AUTH`: without a user name, that of the default user.
    pub password: Option<Secret>,
    /// The database for `SELECT`.
    pub db: u32,
    /// The roots and identity for [`Endpoint::Tls`]. They are not part of the URL's text; a
    /// connection to such an endpoint fails without them.
    pub tls: Option<ClientTls>,
}

/// Where a Redis server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A TCP port.
    Tcp {
        /// A host name or an IP address, an IPv6 address without its brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// A TCP port that speaks TLS.
    Tls {
        /// A host name or an IP address, an IPv6 address without its brackets. The server's
        /// certificate must name it.
        host: String,
        /// The port.
        port: u16,
    },
    /// The path of a Unix socket.
    Unix(PathBuf),
}

/// A text that is never displayed: `Debug` writes `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text, for code that sends or compares it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Compares in time that does not depend on where the first difference is.
    pub fn matches(&self, given: &[u8]) -> bool {
        given.ct_eq(self.0.as_bytes()).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Why a text is not a [`RedisUrl`]. Never quotes the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedisUrlError {
    /// The scheme is unknown.
    #[error(
        "the URL must start with redis://, rediss://, valkey://, valkeys:// or unix://; for \
         example redis://127.0.0.1:6379/0 or unix:///run/redis.sock?db=0"
    )]
    Scheme,
    /// It is not a URL.
    #[error(
        "this is not a valid URL; write for example redis://user:password@host:6379/0, with \
         special characters in the user name and the password as %XX"
    )]
    Malformed,
    /// The host is missing, or has characters that a host cannot have.
    #[error(
        "the URL has no host, or an invalid one; write for example \
         redis://user:password@host:6379/0, with special characters in the user name and the \
         password as %XX"
    )]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error(
        "the URL's port is not a number from 1 to 65535; special characters in the user name and \
         the password must be written as %XX"
    )]
    Port,
    /// The database is not a number.
    #[error(
        "the URL's database is not a number; write for example redis://host:6379/2 or \
         unix:///path?db=2"
    )]
    Database,
    /// A Unix URL has no absolute path, or a host.
    #[error(
        "the URL of a Unix socket is unix:// and an absolute path; write for example \
         unix:///run/redis.sock?db=2 or unix://user:password@/run/redis.sock, with special \
         characters in the user name and the password as %XX"
    )]
    SocketPath,
    /// There is a fragment, or an unknown option after `?`.
    #[error(
        "the URL has an unknown option; the options are db and, with unix://, username and \
         password; in the user name and the password, ? and # must be written as %3F and %23"
    )]
    Options,
    /// A user name or a password is there twice.
    #[error(
        "the URL has two user names or two passwords; write for example \
         unix://user:password@/run/redis.sock?db=2"
    )]
    Credentials,
    /// The user name, password or path is not UTF-8 once decoded.
    #[error("the %XX in the URL do not decode to UTF-8")]
    Encoding,
}

impl RedisUrl {
    /// Returns the user name, if the URL has one.
    pub fn user(&self) -> Option<&str> {
        self.username.as_deref()
    }

    /// Returns the user and the password for `AUTH`. A user without a password may have any.
    pub fn credentials(&self) -> (&[u8], &[u8]) {
        let user = self.username.as_deref().unwrap_or("default");
        let password = self.password.as_ref().map_or("", |password| password.reveal());
        (user.as_bytes(), password.as_bytes())
    }

    /// Returns whether the endpoint is [`Endpoint::Tls`].
    pub fn is_tls(&self) -> bool {
        matches!(self.endpoint, Endpoint::Tls { .. })
    }
}

impl FromStr for RedisUrl {
    type Err = RedisUrlError;

    fn from_str(text: &str) -> Result<Self, RedisUrlError> {
        // The URL standard removes these silently; a password would be changed.
        if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(RedisUrlError::Malformed);
        }
        let (scheme, _) = text.split_once(':').ok_or(RedisUrlError::Scheme)?;
        match scheme.to_ascii_lowercase().as_str() {
            "redis" | "valkey" => {
                parse_tcp(&parse_url(text)?, |host, port| Endpoint::Tcp { host, port })
            }
            "rediss" | "valkeys" => {
                parse_tcp(&parse_url(text)?, |host, port| Endpoint::Tls { host, port })
            }
            // The others are how clients for Rust, Java and Python spell it.
            "unix" | "redis+unix" | "valkey+unix" | "redis-socket" | "redis+socket" => {
                parse_unix(text)
            }
            _ => Err(RedisUrlError::Scheme),
        }
    }
}

impl fmt::Display for RedisUrl {
    /// Writes the URL with `***` in place of the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.endpoint {
            Endpoint::Tcp { host, port } => self.fmt_network("redis", host, *port, f),
            Endpoint::Tls { host, port } => self.fmt_network("rediss", host, *port, f),
            Endpoint::Unix(path) => self.fmt_unix(path, f),
        }
    }
}

impl RedisUrl {
    fn fmt_network(
        &self,
        scheme: &str,
        host: &str,
        port: u16,
        f: &mut fmt::Formatter<'_>,
    ) -> fmt::Result {
        let user = self.username.as_deref().unwrap_or_default();
        let credentials = match self.password {
            Some(_) => format!("{user}:***@"),
            None if user.is_empty() => String::new(),
            None => format!("{user}@"),
        };
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        write!(f, "{scheme}://{credentials}{host}:{port}/{}", self.db)
    }

    fn fmt_unix(&self, path: &Path, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unix://{}?db={}", path.display(), self.db)?;
        if let Some(user) = &self.username {
            write!(f, "&username={user}")?;
        }
        if self.password.is_some() { f.write_str("&password=***") } else { Ok(()) }
    }
}

fn parse_url(text: &str) -> Result<Url, RedisUrlError> {
    let url = Url::parse(text).map_err(|error| match error {
        url::ParseError::InvalidPort => RedisUrlError::Port,
        url::ParseError::EmptyHost
        | url::ParseError::InvalidIpv6Address
        | url::ParseError::InvalidDomainCharacter => RedisUrlError::Host,
        _ => RedisUrlError::Malformed,
    })?;
    if url.fragment().is_some() {
        return Err(RedisUrlError::Options);
    }
    Ok(url)
}

fn parse_tcp(
    url: &Url,
    endpoint: impl FnOnce(String, u16) -> Endpoint,
) -> Result<RedisUrl, RedisUrlError> {
    if url.cannot_be_a_base() {
        return Err(RedisUrlError::Malformed);
    }
    let options = Options::of(url)?;
    if options.username.is_some() || options.password.is_some() {
        return Err(RedisUrlError::Options);
    }
    let in_path = match url.path().strip_prefix('/').unwrap_or_default() {
        "" => None,
        number => Some(parse_db(number)?),
    };
    Ok(RedisUrl {
        endpoint: endpoint(host(url)?, port(url)?),
        username: percent_decode(url.username())?,
        password: percent_decode(url.password().unwrap_or_default())?.map(Secret),
        db: either(in_path, options.db)?,
        tls: None,
    })
}

fn parse_unix(text: &str) -> Result<RedisUrl, RedisUrlError> {
    let (_, rest) = text.split_once(':').ok_or(RedisUrlError::Scheme)?;
    let (credentials, path) = match rest.strip_prefix("//") {
        Some(rest) => split_credentials(rest)?,
        None => ("", rest),
    };
    let url = parse_url(&format!("unix://{path}"))?;
    if url.host_str().is_some_and(|host| !host.is_empty()) {
        return Err(RedisUrlError::SocketPath);
    }
    let path = percent_decode(url.path())?.filter(|path| path.len() > 1);
    let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    let options = Options::of(&url)?;
    Ok(RedisUrl {
        endpoint: Endpoint::Unix(path.ok_or(RedisUrlError::SocketPath)?.into()),
        username: one_of(percent_decode(user)?, options.username)?,
        password: one_of(percent_decode(password)?.map(Secret), options.password)?,
        db: options.db.unwrap_or(0),
        tls: None,
    })
}

/// Splits `user:password@/path` before the path. The URL standard allows no user without a host.
fn split_credentials(rest: &str) -> Result<(&str, &str), RedisUrlError> {
    let (authority, _) = rest.split_once('/').ok_or(RedisUrlError::SocketPath)?;
    if authority.contains(['?', '#']) {
        return Err(RedisUrlError::Options);
    }
    let path = rest.get(authority.len()..).unwrap_or_default();
    match authority.rsplit_once('@') {
        Some((credentials, "")) => Ok((credentials, path)),
        None if authority.is_empty() => Ok(("", path)),
        Some(_) | None => Err(RedisUrlError::SocketPath),
    }
}

fn one_of<T>(one: Option<T>, other: Option<T>) -> Result<Option<T>, RedisUrlError> {
    match (one, other) {
        (Some(_), Some(_)) => Err(RedisUrlError::Credentials),
        (one, other) => Ok(one.or(other)),
    }
}

fn host(url: &Url) -> Result<String, RedisUrlError> {
    match url.host() {
        Some(url::Host::Ipv6(address)) => Ok(address.to_string()),
        Some(url::Host::Ipv4(address)) => Ok(address.to_string()),
        Some(url::Host::Domain(name)) if is_host_name(name) => Ok(name.to_owned()),
        _ => Err(RedisUrlError::Host),
    }
}

fn is_host_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
}

fn port(url: &Url) -> Result<u16, RedisUrlError> {
    match url.port().unwrap_or(DEFAULT_PORT) {
        0 => Err(RedisUrlError::Port),
        port => Ok(port),
    }
}

fn parse_db(number: &str) -> Result<u32, RedisUrlError> {
    number.parse().map_err(|_| RedisUrlError::Database)
}

fn either(in_path: Option<u32>, in_options: Option<u32>) -> Result<u32, RedisUrlError> {
    match (in_path, in_options) {
        (Some(_), Some(_)) => Err(RedisUrlError::Database),
        (one, other) => Ok(one.or(other).unwrap_or(0)),
    }
}

/// Decodes `%XX`. Returns `None` for an empty text.
fn percent_decode(text: &str) -> Result<Option<String>, RedisUrlError> {
    let text = percent_decode_str(text).decode_utf8().map_err(|_| RedisUrlError::Encoding)?;
    Ok(Some(text.into_owned()).filter(|text| !text.is_empty()))
}

/// The options after `?`. A `+` is a plus here, not a space: this is not an HTML form.
#[derive(Default)]
struct Options {
    db: Option<u32>,
    username: Option<String>,
    password: Option<Secret>,
}

impl Options {
    fn of(url: &Url) -> Result<Self, RedisUrlError> {
        let mut options = Self::default();
        for option in url.query().unwrap_or_default().split('&').filter(|text| !text.is_empty()) {
            match option.split_once('=') {
                Some(("db", number)) => options.db = Some(parse_db(number)?),
                Some(("username" | "user", text)) => options.username = percent_decode(text)?,
                Some(("password" | "pass", text)) => {
                    options.password = percent_decode(text)?.map(Secret);
                }
                _ => return Err(RedisUrlError::Options),
            }
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests;
