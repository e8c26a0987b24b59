//! The table of settings: the one place that knows their names, kinds, defaults, limits and help.
//!
//! TOML keys, `LARDER_*` variables, flags, `--help` and `check-config` all follow from it, so that
//! they cannot differ. A new setting is one row here and one line in `plan.rs`.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use larder_core::near::Policy;
use larder_redis::Secret;

use super::types::StoreKind;
use super::units::{GIB, KIB, MIB};
use super::value::{KeyPrefixes, SampleRate, Size, TomlType, Value};

/// A row: `--http-port` = `LARDER_HTTP_PORT` = `[http] port`.
pub(crate) struct Setting<T: 'static> {
    /// The name of the flag, without `--`; the variable's name follows from it.
    pub(crate) flag: &'static str,
    /// The section of the file, empty for keys above all sections.
    pub(crate) section: &'static str,
    /// The key in the file, empty for what the file cannot set.
    pub(crate) key: &'static str,
    pub(crate) default: T,
    pub(crate) range: Option<Range<T>>,
    pub(crate) help: &'static str,
}

/// The least and the most, both allowed.
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
            help: "The TOML file with settings and origins",
        };
    }
    "Store" {
        STORE: StoreKind = Setting {
            flag: "store", section: "store", key: "url", default: StoreKind::Memory, range: None,
            help: "Where values live: redis://, rediss:// (TLS), valkey://, valkeys:// or unix://, \
                   or memory, which is this process alone",
        };
        STORE_CA_FILE: Option<PathBuf> = Setting {
            flag: "store-ca-file", section: "store", key: "ca-file", default: None, range: None,
            help: "Certificates (PEM) that may sign that of a store behind TLS, instead of those \
                   that the system trusts",
        };
        STORE_CERT_FILE: Option<PathBuf> = Setting {
            flag: "store-cert-file", section: "store", key: "cert-file",
            default: None, range: None,
            help: "The certificate (PEM) that a store behind TLS is shown",
        };
        STORE_KEY_FILE: Option<PathBuf> = Setting {
            flag: "store-key-file", section: "store", key: "key-file", default: None, range: None,
            help: "The private key (PEM) of store-cert-file",
        };
        STORE_TIMEOUT: Duration = Setting {
            flag: "store-timeout", section: "store", key: "timeout",
            default: secs(5), range: Some(between(millis(10), secs(300))),
            help: "How long a request waits for the store",
        };
        STORE_MAXMEMORY: Size = Setting {
            flag: "store-maxmemory", section: "store", key: "maxmemory",
            default: Size(GIB), range: Some(at_least(Size(MIB))),
            help: "Bytes that the store memory may hold; without meaning for Redis",
        };
    }
    "Near tier" {
        STALENESS_BOUND: Duration = Setting {
            flag: "staleness-bound", section: "", key: "staleness-bound",
            default: secs(1), range: Some(between(millis(50), secs(60))),
            help: "Nothing is served from memory once the store was not heard for this long",
        };
        MAXMEMORY: Size = Setting {
            flag: "maxmemory", section: "", key: "maxmemory",
            default: Size(256 * MIB), range: Some(at_least(Size(MIB))),
            help: "Bytes that the near tier may hold",
        };
        NEAR_MAX_ENTRIES: usize = Setting {
            flag: "near-max-entries", section: "near", key: "max-entries",
            default: 0, range: None,
            help: "Entries that the near tier may hold; 0 for as many as fit",
        };
        NEAR_MAX_VALUE: Size = Setting {
            flag: "near-max-value", section: "near", key: "max-value",
            default: Size(MIB), range: Some(between(Size(KIB), Size(512 * MIB))),
            help: "Bytes of the largest value that is kept; at most an eighth of maxmemory",
        };
        NEAR_TTL: Duration = Setting {
            flag: "near-ttl", section: "near", key: "ttl",
            default: secs(5 * 60), range: Some(between(millis(1), TTL_MAX)),
            help: "How long an entry is kept at most",
        };
        NEAR_POLICY: Policy = Setting {
            flag: "near-policy", section: "near", key: "policy",
            default: Policy::ClockPro, range: None,
            help: "Which entry leaves when the near tier is full",
        };
        NEAR_ALLOW: KeyPrefixes = Setting {
            flag: "near-allow", section: "near", key: "allow",
            default: KeyPrefixes(Vec::new()), range: None,
            help: "What the names of keys that may be kept begin with; by default all may",
        };
        NEAR_DENY: KeyPrefixes = Setting {
            flag: "near-deny", section: "near", key: "deny",
            default: KeyPrefixes(Vec::new()), range: None,
            help: "What the names of keys that are never kept begin with; stands above near-allow",
        };
        NEAR_VERIFY: SampleRate = Setting {
            flag: "near-verify", section: "near", key: "verify",
            default: SampleRate(0), range: None,
            help: "The part of the hits that is compared with the store, as 0.1%; what differs is \
                   counted, logged and forgotten",
        };
    }
    "RESP" {
        BIND: IpAddr = Setting {
            flag: "bind", section: "resp", key: "bind",
            default: IpAddr::V4(Ipv4Addr::LOCALHOST), range: None,
            help: "The address to listen on for Redis clients",
        };
        PORT: u16 = Setting {
            flag: "port", section: "resp", key: "port", default: 6380, range: None,
            help: "The port to listen on for Redis clients; 0 turns the listener off",
        };
        UNIXSOCKET: Option<PathBuf> = Setting {
            flag: "unixsocket", section: "resp", key: "unixsocket", default: None, range: None,
            help: "The path of a unix socket to listen on for Redis clients",
        };
        REQUIREPASS: Option<Secret> = Setting {
            flag: "requirepass", section: "resp", key: "requirepass", default: None, range: None,
            help: "The password that Redis clients must show; others see a command line, so prefer \
                   a variable or a file",
        };
        TIMEOUT: Duration = Setting {
            flag: "timeout", section: "resp", key: "timeout",
            default: secs(0), range: Some(between(secs(0), secs(365 * 24 * 3600))),
            help: "Close a Redis client that sends nothing for this long; 0 for never",
        };
        PROTO_MAX_BULK_LEN: Size = Setting {
            flag: "proto-max-bulk-len", section: "resp", key: "proto-max-bulk-len",
            default: Size(512 * MIB), range: Some(between(Size(KIB), Size(512 * MIB))),
            help: "Bytes of the largest argument of a command",
        };
        PROTO_MAX_MULTIBULK_LEN: usize = Setting {
            flag: "proto-max-multibulk-len", section: "resp", key: "proto-max-multibulk-len",
            default: 1 << 20, range: Some(between(16, 1 << 20)),
            help: "Arguments of the longest command",
        };
        PROTO_INLINE_MAX_SIZE: Size = Setting {
            flag: "proto-inline-max-size", section: "resp", key: "proto-inline-max-size",
            default: Size(64 * KIB), range: Some(between(Size(KIB), Size(64 * KIB))),
            help: "Bytes of the longest inline command",
        };
        CLIENT_QUERY_BUFFER_LIMIT: Size = Setting {
            flag: "client-query-buffer-limit", section: "resp", key: "client-query-buffer-limit",
            default: Size(GIB), range: Some(between(Size(MIB), Size(GIB))),
            help: "Bytes of commands that may wait for a client that does not read its replies",
        };
        IO_THREADS: usize = Setting {
            flag: "io-threads", section: "resp", key: "io-threads",
            default: 0, range: Some(between(0, 128)),
            help: "Threads that serve Redis clients; 0 for one on each core",
        };
        TLS_PORT: u16 = Setting {
            flag: "tls-port", section: "resp", key: "tls-port", default: 0, range: None,
            help: "The port to listen on for Redis clients that speak TLS; 0 turns it off",
        };
        TLS_CERT_FILE: Option<PathBuf> = Setting {
            flag: "tls-cert-file", section: "resp", key: "tls-cert-file",
            default: None, range: None,
            help: "The certificate (PEM) that clients of tls-port are shown, and those that lead \
                   to its root",
        };
        TLS_KEY_FILE: Option<PathBuf> = Setting {
            flag: "tls-key-file", section: "resp", key: "tls-key-file",
            default: None, range: None,
            help: "The private key (PEM) of tls-cert-file",
        };
        TLS_CA_CERT_FILE: Option<PathBuf> = Setting {
            flag: "tls-ca-cert-file", section: "resp", key: "tls-ca-cert-file",
            default: None, range: None,
            help: "Certificates (PEM): clients of tls-port must show one that these have signed",
        };
    }
    "HTTP" {
        HTTP_BIND: IpAddr = Setting {
            flag: "http-bind", section: "http", key: "bind",
            default: IpAddr::V4(Ipv4Addr::LOCALHOST), range: None,
            help: "The address to listen on",
        };
        HTTP_PORT: u16 = Setting {
            flag: "http-port", section: "http", key: "port", default: 8000, range: None,
            help: "The port to listen on; 0 turns the listener off",
        };
        HTTP_TOKEN: Option<Secret> = Setting {
            flag: "http-token", section: "http", key: "token", default: None, range: None,
            help: "The bearer token that requests must carry; others see a command line, so prefer \
                   a variable or a file",
        };
        HTTP_ALLOWED_HOSTS: Vec<String> = Setting {
            flag: "http-allowed-hosts", section: "http", key: "allowed-hosts",
            default: Vec::new(), range: None,
            help: "Names that a Host header may hold besides localhost and IP addresses",
        };
        HTTP_MAX_BODY: Size = Setting {
            flag: "http-max-body", section: "http", key: "max-body",
            default: Size(64 * MIB), range: Some(between(Size(KIB), Size(512 * MIB))),
            help: "Bytes of the largest request body",
        };
        HTTP_CONCURRENCY: usize = Setting {
            flag: "http-concurrency", section: "http", key: "concurrency",
            default: 1024, range: Some(between(1, 1_000_000)),
            help: "Requests at work at the same time; a GET that finds its value in memory takes no turn",
        };
        HTTP_QUEUE: usize = Setting {
            flag: "http-queue", section: "http", key: "queue",
            default: 1024, range: Some(between(0, 1_000_000)),
            help: "Requests that may wait for their turn; more are turned away",
        };
    }
    "Server" {
        MAXCLIENTS: usize = Setting {
            flag: "maxclients", section: "", key: "maxclients",
            default: 10_000, range: Some(between(1, 1_000_000)),
            help: "Connections open at the same time",
        };
        PROTECTED_MODE: bool = Setting {
            flag: "protected-mode", section: "", key: "protected-mode",
            default: true, range: None,
            help: "Refuse to listen beyond this machine without a token",
        };
        DRAIN_TIMEOUT: Duration = Setting {
            flag: "drain-timeout", section: "", key: "drain-timeout",
            default: secs(10), range: Some(between(millis(0), secs(3600))),
            help: "How long requests at work may take to end after SIGTERM",
        };
    }
    "Commands that talk to a running server" {
        URL: String = Setting {
            flag: "url", section: "", key: "", default: String::new(), range: None,
            help: "Where the server is; by default where the HTTP listener of this configuration is",
        };
    }
}

/// How long anything may be kept: a year.
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

/// What the layers need to know of every setting.
pub(crate) fn infos() -> impl Iterator<Item = SettingInfo> {
    all().map(AnySetting::info)
}

/// A setting, whatever its kind.
pub(crate) trait AnySetting: Sync {
    fn info(&self) -> SettingInfo;

    /// Whether `text` is a value within the limits, and if not, what would be.
    fn check(&self, text: &str) -> Result<(), String>;

    /// The value of `text`, or else the default, as a person would write it; secrets as `***`.
    fn show(&self, text: Option<&str>) -> String;

    /// `50ms to 1m`, where there are limits.
    fn limits(&self) -> Option<String>;
}

/// What the layers need to know of a setting, whatever its kind.
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

/// `[section] key`, or `key` alone above all sections.
pub(crate) fn place(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("[{section}] {key}") }
}

impl<T: Value> Setting<T> {
    /// The value of `text`, within the limits.
    pub(crate) fn read(&self, text: &str) -> Result<T, String> {
        let value = T::read(text)?;
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
        self.read(text).map(drop)
    }

    fn show(&self, text: Option<&str>) -> String {
        let value = text.and_then(|text| self.read(text).ok());
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
    /// The value again, if it is within the range.
    pub(crate) fn check(&self, value: T) -> Result<T, String> {
        if (self.is_less)(&value, &self.min) {
            return Err(format!("{} is too little: at least {}", value.show(), self.min.show()));
        }
        match &self.max {
            Some(max) if (self.is_less)(max, &value) => {
                Err(format!("{} is too much: at most {}", value.show(), max.show()))
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
    fn there_is_one_scheme_of_names() {
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
    fn every_default_reads_back_as_itself() {
        for setting in all() {
            let default = setting.show(None);
            if default != "none" {
                assert_eq!(setting.check(&default), Ok(()), "{}", setting.info().flag);
                assert_eq!(setting.show(Some(&default)), default);
            }
        }
    }
}
