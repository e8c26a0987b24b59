//! The types of values that settings have: how each is typed, parsed and shown.
//!
//! Every type that implements [`Value`] can be a setting. An error says what would be right; types
//! that hold a secret never quote it.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use larder_core::near::Policy;
use larder_redis::{RedisUrl, RedisUrlError, Secret};

use super::types::StoreKind;
use super::units::{parse_duration, parse_size, show_duration, show_size};

/// A type of value.
pub(crate) trait Value: Clone + Send + Sync + 'static {
    /// Stands for a value in `--help`.
    const PLACEHOLDER: &'static str;
    /// The TOML type that it takes.
    const TOML_TYPE: TomlType;
    /// Whether it may also be in a file that a `*_FILE` variable names.
    const SECRET: bool = false;

    /// Parses a text. The error says what is wrong and what would be right.
    fn parse(text: &str) -> Result<Self, String>;

    /// Returns the value as it would be typed; secrets as `***`.
    fn show(&self) -> String;
}

/// The TOML types that a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TomlType {
    /// A string.
    String,
    /// An integer, or a string with a unit.
    Number,
    /// `true`, `false`, or a string.
    Bool,
    /// An array of strings, or one string with commas.
    List,
}

/// Bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(crate) struct Size(pub(crate) u64);

impl Value for Size {
    const PLACEHOLDER: &'static str = "SIZE";
    const TOML_TYPE: TomlType = TomlType::Number;

    fn parse(text: &str) -> Result<Self, String> {
        parse_size(text).map(Self).ok_or_else(|| {
            format!("{text:?} is not a size: write for example 256mb, 64kb or a number of bytes")
        })
    }

    fn show(&self) -> String {
        show_size(self.0)
    }
}

impl Value for Duration {
    const PLACEHOLDER: &'static str = "TIME";
    const TOML_TYPE: TomlType = TomlType::Number;

    fn parse(text: &str) -> Result<Self, String> {
        parse_duration(text).ok_or_else(|| {
            format!(
                "{text:?} is not a duration: write for example 1500ms, 5m, 24h, 2d or a number of \
                 seconds"
            )
        })
    }

    fn show(&self) -> String {
        show_duration(*self)
    }
}

/// A count.
impl Value for usize {
    const PLACEHOLDER: &'static str = "NUMBER";
    const TOML_TYPE: TomlType = TomlType::Number;

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| format!("{text:?} is not a whole number: write for example 1024"))
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// A port.
impl Value for u16 {
    const PLACEHOLDER: &'static str = "PORT";
    const TOML_TYPE: TomlType = TomlType::Number;

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| format!("{text:?} is not a port: write a number from 0 to 65535"))
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for bool {
    const PLACEHOLDER: &'static str = "yes|no";
    const TOML_TYPE: TomlType = TomlType::Bool;

    fn parse(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "yes" | "true" => Ok(true),
            "no" | "false" => Ok(false),
            _ => Err(format!("{text:?} is neither yes nor no")),
        }
    }

    fn show(&self) -> String {
        if *self { "yes" } else { "no" }.to_owned()
    }
}

impl Value for IpAddr {
    const PLACEHOLDER: &'static str = "ADDRESS";
    const TOML_TYPE: TomlType = TomlType::String;

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| {
            format!(
                "{text:?} is not an IP address: write for example 127.0.0.1, or 0.0.0.0 for every \
                 IPv4 address of this machine"
            )
        })
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// The URL of a server, or an empty string.
impl Value for String {
    const PLACEHOLDER: &'static str = "URL";
    const TOML_TYPE: TomlType = TomlType::String;

    fn parse(text: &str) -> Result<Self, String> {
        match url::Url::parse(text) {
            Ok(url) if url.scheme() == "http" && url.has_host() => Ok(text.to_owned()),
            _ => Err(format!(
                "{text:?} is not an http:// URL: write for example http://127.0.0.1:8000"
            )),
        }
    }

    fn show(&self) -> String {
        if self.is_empty() { "none".to_owned() } else { self.clone() }
    }
}

/// The path of a file.
impl Value for Option<PathBuf> {
    const PLACEHOLDER: &'static str = "FILE";
    const TOML_TYPE: TomlType = TomlType::String;

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("the path is empty".to_owned()),
            path => Ok(Some(path.into())),
        }
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(|| "none".to_owned(), |path| path.display().to_string())
    }
}

/// Host names and IP addresses, in lower case.
impl Value for Vec<String> {
    const PLACEHOLDER: &'static str = "NAME,...";
    const TOML_TYPE: TomlType = TomlType::List;

    fn parse(text: &str) -> Result<Self, String> {
        // An empty text is an empty list: it overrides the list of a weaker layer.
        let names = (!text.is_empty()).then(|| text.split(',')).into_iter().flatten();
        names.map(|name| host_name(name.trim())).collect()
    }

    fn show(&self) -> String {
        if self.is_empty() { "none".to_owned() } else { self.join(",") }
    }
}

/// Prefixes of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyPrefixes(pub(crate) Vec<String>);

impl Value for KeyPrefixes {
    const PLACEHOLDER: &'static str = "PREFIX,...";
    const TOML_TYPE: TomlType = TomlType::List;

    fn parse(text: &str) -> Result<Self, String> {
        // As above, an empty text is an empty list.
        let prefixes = (!text.is_empty()).then(|| text.split(',')).into_iter().flatten();
        let parse = |prefix: &str| match prefix.trim() {
            "" => Err(format!("{text:?} contains an empty prefix, which matches every key")),
            prefix => Ok(prefix.to_owned()),
        };
        prefixes.map(parse).collect::<Result<_, _>>().map(Self)
    }

    fn show(&self) -> String {
        if self.0.is_empty() { "none".to_owned() } else { self.0.join(",") }
    }
}

/// The share of events to sample, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(crate) struct SampleRate(pub(crate) u32);

/// Millionths in one percent.
const PERCENT: f64 = 10_000.0;

impl Value for SampleRate {
    const PLACEHOLDER: &'static str = "PERCENT";
    const TOML_TYPE: TomlType = TomlType::Number;

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to a million")]
    fn parse(text: &str) -> Result<Self, String> {
        let percent = match text {
            "0" => Some(0.0),
            // A bare 0.1 could mean 0.1% or 10%.
            text => text.strip_suffix('%').and_then(|text| text.trim_end().parse::<f64>().ok()),
        };
        match percent.filter(|percent| (0.0..=100.0).contains(percent)) {
            Some(0.0) => Ok(Self(0)),
            Some(percent) => Ok(Self(((percent * PERCENT).round() as u32).max(1))),
            None => Err(format!("{text:?} is not a percentage: write for example 0.1%")),
        }
    }

    fn show(&self) -> String {
        format!("{}%", f64::from(self.0) / PERCENT)
    }
}

fn host_name(text: &str) -> Result<String, String> {
    let is_name =
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
    if is_name || text.parse::<IpAddr>().is_ok() {
        return Ok(text.to_ascii_lowercase());
    }
    Err(format!(
        "{text:?} is not a host name: write names without scheme, port or path, with commas \
         between them"
    ))
}

impl Value for Policy {
    const PLACEHOLDER: &'static str = "clock-pro|lru";
    const TOML_TYPE: TomlType = TomlType::String;

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|()| format!("{text:?} is not a policy: write clock-pro or lru"))
    }

    fn show(&self) -> String {
        self.name().to_owned()
    }
}

impl Value for StoreKind {
    const PLACEHOLDER: &'static str = "URL|memory";
    const TOML_TYPE: TomlType = TomlType::String;
    const SECRET: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        if text == "memory" {
            return Ok(Self::Memory);
        }
        if text.starts_with("embedded:") {
            return Err("the durable embedded store is not available yet: write memory".to_owned());
        }
        text.parse::<RedisUrl>().map(Self::Redis).map_err(|error| match error {
            RedisUrlError::Scheme => "a store is memory or a URL that starts with redis://, \
                                      rediss://, valkey://, valkeys:// or unix://; write for \
                                      example redis://127.0.0.1:6379/0 or \
                                      unix:///run/redis.sock?db=0"
                .to_owned(),
            other => other.to_string(),
        })
    }

    fn show(&self) -> String {
        match self {
            Self::Memory => "memory".to_owned(),
            Self::Redis(url) => url.to_string(),
        }
    }
}

/// A password. Unlike a token it may be any text.
impl Value for Option<Secret> {
    const PLACEHOLDER: &'static str = "PASSWORD";
    const TOML_TYPE: TomlType = TomlType::String;
    const SECRET: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("the password is empty".to_owned()),
            password => Ok(Some(Secret::new(password))),
        }
    }

    fn show(&self) -> String {
        show_secret(self.as_ref())
    }
}

/// A bearer token.
#[derive(Clone)]
pub(crate) struct Token(pub(crate) Option<Secret>);

impl Value for Token {
    const PLACEHOLDER: &'static str = "TOKEN";
    const TOML_TYPE: TomlType = TomlType::String;
    const SECRET: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("the token is empty".to_owned());
        }
        // The characters of an `Authorization` header, see RFC 6750.
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("the token has characters other than visible ASCII".to_owned());
        }
        Ok(Self(Some(Secret::new(text))))
    }

    fn show(&self) -> String {
        show_secret(self.0.as_ref())
    }
}

fn show_secret(secret: Option<&Secret>) -> String {
    secret.map_or("none", |_| "***").to_owned()
}
