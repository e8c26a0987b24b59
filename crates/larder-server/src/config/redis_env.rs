//! The layer of the variables that other programs use as well: `REDIS_URL`, or `REDIS_HOST` and its
//! companions.
//!
//! They may be meant for other programs, so they count only if neither a flag nor `LARDER_STORE`
//! sets the store. They override the file.

use larder_redis::RedisUrl;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::environment::{Environment, look_up};
use super::error::{ConfigError, Source};
use super::raw::{RawSettings, RawValue};
use super::table::STORE;

/// The defaults of `redis-cli`.
const DEFAULT_HOST: &str = "127.0.0.1";
const DEFAULT_PORT: u16 = 6379;

/// Puts in the store that the `REDIS_*` variables describe.
pub(crate) fn read(environment: &Environment, settings: &mut RawSettings) {
    if settings.is_set(&STORE) {
        return;
    }
    let (parts, wrong_parts) = Parts::look_up(environment);
    match look_up(environment, "REDIS_URL", true) {
        Ok(Some(url)) => {
            warn_ignored(&parts, &url.source, settings);
            put_url(url, settings);
        }
        Ok(None) => put_parts(&parts, wrong_parts, settings),
        Err(error) => settings.set_invalid(&STORE, error),
    }
}

fn warn_ignored(parts: &Parts, winner: &Source, settings: &mut RawSettings) {
    let names: Vec<_> = parts.all().map(|part| part.source.to_string()).collect();
    if !names.is_empty() {
        let names = names.join(", ");
        settings.notices.push(format!("{winner} is set, so {names} are ignored"));
    }
}

fn put_url(url: RawValue, settings: &mut RawSettings) {
    match url.text.parse::<RedisUrl>() {
        Ok(_) => settings.put(&STORE, url),
        Err(error) => {
            let error = ConfigError { source: url.source, text: error.to_string() };
            settings.set_invalid(&STORE, error);
        }
    }
}

fn put_parts(parts: &Parts, mut wrong: Vec<ConfigError>, settings: &mut RawSettings) {
    let url = parts.url(&mut wrong);
    match url.filter(|_| wrong.is_empty()) {
        Some(url) => settings.put(&STORE, url),
        None => wrong.into_iter().for_each(|error| settings.set_invalid(&STORE, error)),
    }
}

/// The variables, as found.
#[derive(Default)]
struct Parts {
    host: Option<RawValue>,
    port: Option<RawValue>,
    db: Option<RawValue>,
    username: Option<RawValue>,
    password: Option<RawValue>,
}

impl Parts {
    fn look_up(environment: &Environment) -> (Self, Vec<ConfigError>) {
        let mut wrong = Vec::new();
        let mut part = |name, may_be_file| match look_up(environment, name, may_be_file) {
            Ok(found) => found,
            Err(error) => {
                wrong.push(error);
                None
            }
        };
        let parts = Self {
            host: part("REDIS_HOST", false),
            port: part("REDIS_PORT", false),
            db: part("REDIS_DB", false),
            username: part("REDIS_USERNAME", false),
            password: part("REDIS_PASSWORD", true),
        };
        (parts, wrong)
    }

    fn all(&self) -> impl Iterator<Item = &RawValue> {
        let Self { host, port, db, username, password } = self;
        [host, port, db, username, password].into_iter().flatten()
    }

    /// Builds a URL of the parts, if there are any.
    fn url(&self, wrong: &mut Vec<ConfigError>) -> Option<RawValue> {
        let first = self.all().next()?;
        let Some(place) = self.host.as_ref().or(self.port.as_ref()) else {
            wrong.push(ConfigError {
                source: first.source.clone(),
                text: "neither REDIS_HOST nor REDIS_URL is set".to_owned(),
            });
            return None;
        };
        let (linked_host, port) = self.port(wrong);
        let host = self.host.as_ref().map(|host| host.text.clone()).or(linked_host);
        let host = bracketed(host.as_deref().unwrap_or(DEFAULT_HOST));
        let (credentials, db) = (self.credentials(), self.db(wrong));
        if format!("redis://{host}").parse::<RedisUrl>().is_err() {
            let text = "this is not a host name or an IP address".to_owned();
            wrong.push(ConfigError { source: place.source.clone(), text });
        }
        let text = format!("redis://{credentials}{host}:{port}/{db}");
        Some(RawValue { text, source: place.source.clone() })
    }

    /// Parses the port, and the host that is part of it if Kubernetes has set it:
    /// `tcp://10.0.0.1:6379`.
    fn port(&self, wrong: &mut Vec<ConfigError>) -> (Option<String>, u16) {
        let Some(port) = &self.port else { return (None, DEFAULT_PORT) };
        let (host, number) = match port.text.strip_prefix("tcp://").map(|at| at.rsplit_once(':')) {
            None => (None, port.text.as_str()),
            Some(None) => (None, ""),
            Some(Some((host, number))) => (Some(host.to_owned()), number),
        };
        let number = number.parse().ok().filter(|number| *number > 0);
        if number.is_none() {
            wrong.push(ConfigError {
                source: port.source.clone(),
                text: format!(
                    "{:?} is not a port: write a number from 1 to 65535, or tcp://host:port",
                    port.text
                ),
            });
        }
        (host, number.unwrap_or(DEFAULT_PORT))
    }

    fn db(&self, wrong: &mut Vec<ConfigError>) -> u32 {
        let Some(db) = &self.db else { return 0 };
        db.text.parse().unwrap_or_else(|_| {
            let text = format!("{:?} is not a database number: write for example 0", db.text);
            wrong.push(ConfigError { source: db.source.clone(), text });
            0
        })
    }

    /// Returns `user:password@`, or nothing.
    fn credentials(&self) -> String {
        let encoded = |part: &Option<RawValue>| {
            let text = part.as_ref().map(|value| value.text.as_str()).unwrap_or_default();
            utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
        };
        match (&self.username, &self.password) {
            (None, None) => String::new(),
            _ => format!("{}:{}@", encoded(&self.username), encoded(&self.password)),
        }
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() }
}
