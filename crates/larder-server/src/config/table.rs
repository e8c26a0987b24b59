//! The table of settings: the only place that has their names, types, defaults, limits and help.
//!
//! Flags, `LARDER_*` variables, TOML keys, `--help` and `check-config` are all derived from it, so
//! they cannot differ. A new setting is one row here, one field in `types.rs` and one line in
//! `resolve.rs`.
//!
//! The table is own code because clap with serde or figment would repeat each name, default and
//! limit once per layer, stop at the first error of a layer, and quote secrets in errors. Here all
//! errors of all layers are reported together, each with its flag, variable or line.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use larder_core::near::Policy;
use larder_redis::Secret;

use super::types::StoreKind;
use super::units::{GIB, KIB, MIB};
use super::value::{KeyPrefixes, SampleRate, Size, Token, TomlType, Value};

/// One row: `--http-port` = `LARDER_HTTP_PORT` = `[http] port`.
pub(crate) struct Setting<T: 'static> {
    /// The name of the flag without `--`; the name of the variable is derived from it.
    pub(crate) flag: &'static str,
    /// The section in the file; empty for keys above the first section.
    pub(crate) section: &'static str,
    /// The key in the file; empty if the file cannot set it.
    pub(crate) key: &'static str,
    pub(crate) default: T,
    pub(crate) range: Option<Range<T>>,
    pub(crate) help: &'static str,
}

/// An inclusive range.
pub(crate) struct Range<T: 'static> {
    min: T,
    max: Option<T>,
    is_less: fn(&T, &T) -> bool,
}

macro_rules! table {
    ($($heading:literal { $($name:ident: $kind:ty = $row:expr;)* })*) => {
        $($(pub(crate) static $name: Setting<$kind> = $row;)*)*

        /// Every setting under its heading, in the order of `--help`.
        pub(crate) static TABLE: &[Group] =
            &[$(Group { heading: $heading, settings: &[$(&$name),*] }),*];
    };
}

table! {
    "Configuration" {
        CONFIG: Option<PathBuf> = Setting {
            flag: "config", section: "", key: "", default: None, range: None,
            help: "TOML file with settings and origins",
        };
    }
    "Store" {
        STORE: StoreKind = Setting {
            flag: "store", section: "store", key: "url", default: StoreKind::Memory, range: None,
            help: "Where values are stored: a redis://, rediss:// (TLS), valkey://, valkeys:// \
                   (TLS) or unix:// URL, or memory for the memory of this process",
        };
        STORE_CA_FILE: Option<PathBuf> = Setting {
            flag: "store-ca-file", section: "store", key: "ca-file", default: None, range: None,
            help: "CA certificates (PEM) to verify the store's certificate with, instead of the \
                   system's",
        };
        STORE_CERT_FILE: Option<PathBuf> = Setting {
            flag: "store-cert-file", section: "store", key: "cert-file",
            default: None, range: None,
            help: "Client certificate (PEM) to present to a store over TLS",
        };
        STORE_KEY_FILE: Option<PathBuf> = Setting {
            flag: "store-key-file", section: "store", key: "key-file", default: None, range: None,
            help: "Private key (PEM) of store-cert-file",
        };
        STORE_TIMEOUT: Duration = Setting {
            flag: "store-timeout", section: "store", key: "timeout",
            default: secs(5), range: Some(between(millis(10), secs(300))),
            help: "Maximum time to wait for a reply from the store",
        };
        STORE_MAXMEMORY: Size = Setting {
            flag: "store-maxmemory", section: "store", key: "maxmemory",
            default: Size(GIB), range: Some(at_least(Size(MIB))),
            help: "Memory limit of the memory store; not used with Redis",
        };
    }
    "Near cache" {
        STALENESS_BOUND: Duration = Setting {
            flag: "staleness-bound", section: "", key: "staleness-bound",
            default: secs(1), range: Some(between(millis(50), secs(60))),
            help: "Maximum time without a heartbeat from the store before cached values stop \
                   being served",
        };
        MAXMEMORY: Size = Setting {
            flag: "maxmemory", section: "", key: "maxmemory",
            default: Size(256 * MIB), range: Some(at_least(Size(MIB))),
            help: "Memory limit of the near cache",
        };
        NEAR_MAX_ENTRIES: usize = Setting {
            flag: "near-max-entries", section: "near", key: "max-entries",
            default: 0, range: None,
            help: "Maximum number of entries in the near cache; 0 for no limit",
        };
        NEAR_MAX_VALUE: Size = Setting {
            flag: "near-max-value", section: "near", key: "max-value",
            default: Size(MIB), range: Some(between(Size(KIB), Size(512 * MIB))),
            help: "Maximum size of a cached value; at most an eighth of maxmemory",
        };
        NEAR_TTL: Duration = Setting {
            flag: "near-ttl", section: "near", key: "ttl",
            default: secs(5 * 60), range: Some(between(millis(1), TTL_MAX)),
            help: "Maximum time that an entry stays in the near cache",
        };
        NEAR_POLICY: Policy = Setting {
            flag: "near-policy", section: "near", key: "policy",
            default: Policy::ClockPro, range: None,
            help: "Eviction policy of the near cache",
        };
        NEAR_ALLOW: KeyPrefixes = Setting {
            flag: "near-allow", section: "near", key: "allow",
            default: KeyPrefixes(Vec::new()), range: None,
            help: "Prefixes of the keys that may be cached; by default all keys may",
        };
        NEAR_DENY: KeyPrefixes = Setting {
            flag: "near-deny", section: "near", key: "deny",
            default: KeyPrefixes(Vec::new()), range: None,
            help: "Prefixes of the keys that are never cached; takes precedence over near-allow",
        };
        NEAR_VERIFY: SampleRate = Setting {
            flag: "near-verify", section: "near", key: "verify",
            default: SampleRate(0), range: None,
            help: "Percentage of hits to compare with the store, such as 0.1%; mismatches are \
                   counted, logged and invalidated",
        };
    }
    "RESP" {
        BIND: IpAddr = Setting {
            flag: "bind", section: "resp", key: "bind",
            default: IpAddr::V4(Ipv4Addr::LOCALHOST), range: None,
            help: "Address to listen on for Redis clients",
        };
        PORT: u16 = Setting {
            flag: "port", section: "resp", key: "port", default: 6380, range: None,
            help: "Port to listen on for Redis clients; 0 turns the listener off",
        };
        UNIXSOCKET: Option<PathBuf> = Setting {
            flag: "unixsocket", section: "resp", key: "unixsocket", default: None, range: None,
            help: "Path of a Unix socket to listen on for Redis clients",
        };
        REQUIREPASS: Option<Secret> = Setting {
            flag: "requirepass", section: "resp", key: "requirepass", default: None, range: None,
            help: "Password that Redis clients must authenticate with; other users can see a \
                   command line, so prefer the variable or a file",
        };
        TIMEOUT: Duration = Setting {
            flag: "timeout", section: "resp", key: "timeout",
            default: secs(0), range: Some(between(secs(0), secs(365 * 24 * 3600))),
            help: "Close the connection of a Redis client that has been idle for this long; 0 \
                   for never",
        };
        PROTO_MAX_BULK_LEN: Size = Setting {
            flag: "proto-max-bulk-len", section: "resp", key: "proto-max-bulk-len",
            default: Size(512 * MIB), range: Some(between(Size(KIB), Size(512 * MIB))),
            help: "Maximum size of one argument of a command",
        };
        PROTO_MAX_MULTIBULK_LEN: usize = Setting {
            flag: "proto-max-multibulk-len", section: "resp", key: "proto-max-multibulk-len",
            default: 1 << 20, range: Some(between(16, 1 << 20)),
            help: "Maximum number of arguments of a command",
        };
        PROTO_INLINE_MAX_SIZE: Size = Setting {
            flag: "proto-inline-max-size", section: "resp", key: "proto-inline-max-size",
            default: Size(64 * KIB), range: Some(between(Size(KIB), Size(64 * KIB))),
            help: "Maximum size of an inline command",
        };
        CLIENT_QUERY_BUFFER_LIMIT: Size = Setting {
            flag: "client-query-buffer-limit", section: "resp", key: "client-query-buffer-limit",
            default: Size(GIB), range: Some(between(Size(MIB), Size(GIB))),
            help: "Maximum size of the commands buffered while a client does not read its replies; \
                   beyond it the connection is closed",
        };
        IO_THREADS: usize = Setting {
            flag: "io-threads", section: "resp", key: "io-threads",
            default: 0, range: Some(between(0, 128)),
            help: "Threads that serve Redis clients; 0 for one per core",
        };
        TLS_PORT: u16 = Setting {
            flag: "tls-port", section: "resp", key: "tls-port", default: 0, range: None,
            help: "Port to listen on for Redis clients over TLS; 0 turns the listener off",
        };
        TLS_CERT_FILE: Option<PathBuf> = Setting {
            flag: "tls-cert-file", section: "resp", key: "tls-cert-file",
            default: None, range: None,
            help: "Server certificate (PEM) of the TLS listener, followed by its chain",
        };
        TLS_KEY_FILE: Option<PathBuf> = Setting {
            flag: "tls-key-file", section: "resp", key: "tls-key-file",
            default: None, range: None,
            help: "Private key (PEM) of tls-cert-file",
        };
        TLS_CA_CERT_FILE: Option<PathBuf> = Setting {
            flag: "tls-ca-cert-file", section: "resp", key: "tls-ca-cert-file",
            default: None, range: None,
            help: "CA certificates (PEM); if set, clients of the TLS listener must present a \
                   certificate that one of them has signed",
        };
    }
    "HTTP" {
        HTTP_BIND: IpAddr = Setting {
            flag: "http-bind", section: "http", key: "bind",
            default: IpAddr::V4(Ipv4Addr::LOCALHOST), range: None,
            help: "Address to listen on for HTTP",
        };
        HTTP_PORT: u16 = Setting {
            flag: "http-port", section: "http", key: "port", default: 8000, range: None,
            help: "Port to listen on for HTTP; 0 turns the listener off",
        };
        HTTP_TOKEN: Token = Setting {
            flag: "http-token", section: "http", key: "token",
            default: Token(None), range: None,
            help: "Bearer token that requests must carry; other users can see a command line, \
                   so prefer the variable or a file",
        };
        HTTP_ALLOWED_HOSTS: Vec<String> = Setting {
            flag: "http-allowed-hosts", section: "http", key: "allowed-hosts",
            default: Vec::new(), range: None,
            help: "Names to accept in the Host header besides localhost, IP addresses and names \
                   without a dot",
        };
        HTTP_MAX_BODY: Size = Setting {
            flag: "http-max-body", section: "http", key: "max-body",
            default: Size(64 * MIB), range: Some(between(Size(KIB), Size(512 * MIB))),
            help: "Maximum size of a request body",
        };
        HTTP_CONCURRENCY: usize = Setting {
            flag: "http-concurrency", section: "http", key: "concurrency",
            default: 1024, range: Some(between(1, 1_000_000)),
            help: "Maximum concurrent requests; a GET that hits the near cache does not count",
        };
        HTTP_QUEUE: usize = Setting {
            flag: "http-queue", section: "http", key: "queue",
            default: 1024, range: Some(between(0, 1_000_000)),
            help: "Maximum requests that wait while http-concurrency is reached; further ones \
                   get 429",
        };
    }
    "Server" {
        MAXCLIENTS: usize = Setting {
            flag: "maxclients", section: "", key: "maxclients",
            default: 10_000, range: Some(between(1, 1_000_000)),
            help: "Maximum connections of Redis clients, and as many of HTTP clients",
        };
        PROTECTED_MODE: bool = Setting {
            flag: "protected-mode", section: "", key: "protected-mode",
            default: true, range: None,
            help: "Refuse to listen on other than loopback addresses without a password or \
                   token",
        };
        DRAIN_TIMEOUT: Duration = Setting {
            flag: "drain-timeout", section: "", key: "drain-timeout",
            default: secs(8), range: Some(between(millis(0), secs(3600))),
            help: "Maximum time to finish requests in progress after SIGTERM",
        };
    }
    "Commands that talk to a running server" {
        URL: String = Setting {
            flag: "url", section: "", key: "", default: String::new(), range: None,
            help: "URL of the running server; by default the HTTP listener of this \
                   configuration",
        };
    }
}

/// Maximum TTL: a year.
pub(crate) const TTL_MAX: Duration = secs(365 * 24 * 3600);

/// The settings under one heading of `--help`.
pub(crate) struct Group {
    pub(crate) heading: &'static str,
    pub(crate) settings: &'static [&'static dyn AnySetting],
}

/// Every setting.
pub(crate) fn all() -> impl Iterator<Item = &'static dyn AnySetting> {
    TABLE.iter().flat_map(|group| group.settings.iter().copied())
}

/// Every setting's description.
pub(crate) fn infos() -> impl Iterator<Item = SettingInfo> {
    all().map(AnySetting::info)
}

/// A setting of any type.
pub(crate) trait AnySetting: Sync {
    fn info(&self) -> SettingInfo;

    /// Checks that `text` is a value within the limits. The error says what would be.
    fn check(&self, text: &str) -> Result<(), String>;

    /// Returns the value of `text`, or the default, as it would be typed; secrets as `***`.
    fn show(&self, text: Option<&str>) -> String;

    /// Returns the limits, such as `50ms to 1m`.
    fn limits(&self) -> Option<String>;
}

/// What the layers need to know of a setting of any type.
#[derive(Clone, Copy)]
pub(crate) struct SettingInfo {
    pub(crate) flag: &'static str,
    pub(crate) section: &'static str,
    pub(crate) key: &'static str,
    pub(crate) help: &'static str,
    pub(crate) placeholder: &'static str,
    pub(crate) toml_type: TomlType,
    pub(crate) secret: bool,
}

impl SettingInfo {
    /// `LARDER_HTTP_PORT`
    pub(crate) fn variable(&self) -> String {
        format!("LARDER_{}", self.flag.replace('-', "_").to_ascii_uppercase())
    }

    /// `[http] port`
    pub(crate) fn place(&self) -> String {
        place(self.section, self.key)
    }
}

/// Returns `[section] key`, or the key alone above the first section.
pub(crate) fn place(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("[{section}] {key}") }
}

impl<T: Value> Setting<T> {
    /// Parses `text` and checks the limits.
    pub(crate) fn parse(&self, text: &str) -> Result<T, String> {
        let value = T::parse(text)?;
        match &self.range {
            Some(range) => range.check(value),
            None => Ok(value),
        }
    }
}

impl<T: Value> AnySetting for Setting<T> {
    fn info(&self) -> SettingInfo {
        let &Setting { flag, section, key, help, .. } = self;
        let (placeholder, toml_type, secret) = (T::PLACEHOLDER, T::TOML_TYPE, T::SECRET);
        SettingInfo { flag, section, key, help, placeholder, toml_type, secret }
    }

    fn check(&self, text: &str) -> Result<(), String> {
        self.parse(text).map(drop)
    }

    fn show(&self, text: Option<&str>) -> String {
        let value = text.and_then(|text| self.parse(text).ok());
        value.as_ref().unwrap_or(&self.default).show()
    }

    fn limits(&self) -> Option<String> {
        let range = self.range.as_ref()?;
        Some(match &range.max {
            Some(max) => format!("{} to {}", range.min.show(), max.show()),
            None => format!("at least {}", range.min.show()),
        })
    }
}

impl<T: Value> Range<T> {
    /// Returns the value if it is within the range.
    pub(crate) fn check(&self, value: T) -> Result<T, String> {
        if (self.is_less)(&value, &self.min) {
            return Err(format!(
                "{} is too small: the minimum is {}",
                value.show(),
                self.min.show()
            ));
        }
        match &self.max {
            Some(max) if (self.is_less)(max, &value) => {
                Err(format!("{} is too large: the maximum is {}", value.show(), max.show()))
            }
            _ => Ok(value),
        }
    }
}

pub(crate) const fn between<T: PartialOrd>(min: T, max: T) -> Range<T> {
    Range { min, max: Some(max), is_less: |one, other| one < other }
}

const fn at_least<T: PartialOrd>(min: T) -> Range<T> {
    Range { min, max: None, is_less: |one, other| one < other }
}

pub(crate) const fn secs(number: u64) -> Duration {
    Duration::from_secs(number)
}

pub(crate) const fn millis(number: u64) -> Duration {
    Duration::from_millis(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_and_keys_follow_one_scheme() {
        for info in infos().filter(|info| !info.key.is_empty()) {
            let expected = match (info.section, info.key) {
                ("store", "url") => "store".to_owned(),
                ("" | "resp", key) => key.to_owned(),
                (section, key) => format!("{section}-{key}"),
            };
            assert_eq!(info.flag, expected);
        }
    }

    #[test]
    fn every_default_parses_to_itself() {
        for setting in all() {
            let default = setting.show(None);
            if default != "none" {
                assert_eq!(setting.check(&default), Ok(()), "{}", setting.info().flag);
                assert_eq!(setting.show(Some(&default)), default);
            }
        }
    }
}
