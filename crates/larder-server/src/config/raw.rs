//! What a person typed, in whichever layer: all of it optional, all of it with its place.
//!
//! Layers are put in from the strongest to the weakest (flags, environment, file), so the first
//! text for a setting stays. Every layer is checked, the shadowed ones too: a wrong line in the file
//! does not become right because a flag hides it today.

use std::collections::{BTreeMap, BTreeSet};

use larder_redis::tls::{ClientTls, ServerTls};

use super::error::{ConfigError, Source};
use super::origins::Origin;
use super::table::{AnySetting, Setting};
use super::value::Value;

/// A text and where it stands.
pub(crate) struct RawValue {
    pub(crate) text: String,
    pub(crate) source: Source,
}

/// All that was typed, and what was wrong with it. Holds secrets, hence no `Debug`.
#[derive(Default)]
pub(crate) struct RawSettings {
    values: BTreeMap<&'static str, RawValue>,
    invalid: BTreeSet<&'static str>,
    /// The file could not be read to its end, so any setting may be missing.
    pub(crate) file_is_broken: bool,
    pub(crate) origins: Vec<Origin>,
    /// How TLS is done with the store.
    pub(crate) store_tls: Option<ClientTls>,
    /// How TLS is done with clients.
    pub(crate) server_tls: Option<ServerTls>,
    pub(crate) errors: Vec<ConfigError>,
    /// What is not wrong but worth a word at the start.
    pub(crate) notices: Vec<String>,
}

impl RawSettings {
    /// Takes a text for a setting, unless a stronger layer had one.
    pub(crate) fn put(&mut self, setting: &dyn AnySetting, value: RawValue) {
        let info = setting.info();
        if let Err(why) = setting.check(&value.text) {
            let text = match &value.source {
                Source::File { .. } => format!("{}: {why}", info.place()),
                _ => why,
            };
            self.set_invalid(setting, ConfigError { source: value.source, text });
        } else {
            self.values.entry(info.flag).or_insert(value);
        }
    }

    pub(crate) fn error(&mut self, source: Source, text: impl Into<String>) {
        self.errors.push(ConfigError { source, text: text.into() });
    }

    /// Notes that a setting was given in a way that could not be read.
    pub(crate) fn set_invalid(&mut self, setting: &dyn AnySetting, error: ConfigError) {
        self.invalid.insert(setting.info().flag);
        self.errors.push(error);
    }

    /// The value in force.
    pub(crate) fn get<T: Value>(&self, setting: &Setting<T>) -> T {
        self.values
            .get(setting.flag)
            .and_then(|value| setting.read(&value.text).ok())
            .unwrap_or_else(|| setting.default.clone())
    }

    /// The value in force, as a person would write it; secrets as `***`.
    pub(crate) fn show(&self, setting: &dyn AnySetting) -> String {
        setting.show(self.values.get(setting.info().flag).map(|value| value.text.as_str()))
    }

    /// Where the value in force came from.
    pub(crate) fn source(&self, setting: &dyn AnySetting) -> Source {
        let value = self.values.get(setting.info().flag);
        value.map_or(Source::Default, |value| value.source.clone())
    }

    /// Whether anybody set it, rightly or wrongly.
    pub(crate) fn is_set(&self, setting: &dyn AnySetting) -> bool {
        let flag = setting.info().flag;
        self.values.contains_key(flag) || self.invalid.contains(flag)
    }

    /// Whether the values in force are those that were meant, so that a contradiction between them
    /// is one.
    pub(crate) fn are_valid(&self, settings: &[&dyn AnySetting]) -> bool {
        !self.file_is_broken && !settings.iter().any(|s| self.invalid.contains(s.info().flag))
    }
}
