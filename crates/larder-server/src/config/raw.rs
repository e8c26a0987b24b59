//! The settings as typed, in any layer: all of them optional, each with its source.
//!
//! Layers are put in from the strongest to the weakest (flags, environment, file), so the first text
//! for a setting wins. Every layer is checked, the overridden ones too: a wrong line in the file
//! does not become right because a flag overrides it today.

use std::collections::{BTreeMap, BTreeSet};

use larder_redis::tls::{ClientTls, ServerTls};

use super::error::{ConfigError, Source};
use super::table::{AnySetting, Setting};
use super::types::OriginConfig;
use super::value::Value;

/// The text of a value and its source.
pub(crate) struct RawValue {
    pub(crate) text: String,
    pub(crate) source: Source,
}

/// An origin and the line that declares it.
pub(crate) struct OriginDeclaration {
    pub(crate) config: OriginConfig,
    pub(crate) source: Source,
}

/// Everything that was typed and every error in it. It holds secrets, hence no `Debug`.
#[derive(Default)]
pub(crate) struct RawSettings {
    values: BTreeMap<&'static str, RawValue>,
    invalid: BTreeSet<&'static str>,
    /// The file could not be read completely, so any setting may be missing.
    pub(crate) file_is_broken: bool,
    pub(crate) origins: Vec<OriginDeclaration>,
    /// TLS to the store.
    pub(crate) store_tls: Option<ClientTls>,
    /// TLS with Redis clients.
    pub(crate) server_tls: Option<ServerTls>,
    pub(crate) errors: Vec<ConfigError>,
    /// Messages for the log at start: not errors, but easily overlooked.
    pub(crate) notices: Vec<String>,
}

impl RawSettings {
    /// Takes a text for a setting, unless a stronger layer has set it.
    pub(crate) fn put(&mut self, setting: &dyn AnySetting, value: RawValue) {
        let info = setting.info();
        if let Err(reason) = setting.check(&value.text) {
            let text = match &value.source {
                Source::File { .. } => format!("{}: {reason}", info.place()),
                _ => reason,
            };
            self.set_invalid(setting, ConfigError { source: value.source, text });
        } else {
            self.values.entry(info.flag).or_insert(value);
        }
    }

    pub(crate) fn error(&mut self, source: Source, text: impl Into<String>) {
        self.errors.push(ConfigError { source, text: text.into() });
    }

    /// Records that a setting was set to something that is not valid.
    pub(crate) fn set_invalid(&mut self, setting: &dyn AnySetting, error: ConfigError) {
        self.invalid.insert(setting.info().flag);
        self.errors.push(error);
    }

    /// Returns the value in force.
    pub(crate) fn get<T: Value>(&self, setting: &Setting<T>) -> T {
        self.values
            .get(setting.flag)
            .and_then(|value| setting.parse(&value.text).ok())
            .unwrap_or_else(|| setting.default.clone())
    }

    /// Returns the value in force as it would be typed; secrets as `***`.
    pub(crate) fn show(&self, setting: &dyn AnySetting) -> String {
        setting.show(self.values.get(setting.info().flag).map(|value| value.text.as_str()))
    }

    /// Returns the source of the value in force.
    pub(crate) fn source(&self, setting: &dyn AnySetting) -> Source {
        let value = self.values.get(setting.info().flag);
        value.map_or(Source::Default, |value| value.source.clone())
    }

    /// Returns whether a layer has set it, validly or not.
    pub(crate) fn is_set(&self, setting: &dyn AnySetting) -> bool {
        let flag = setting.info().flag;
        self.values.contains_key(flag) || self.invalid.contains(flag)
    }

    /// Returns whether the values in force are the ones that were typed. Otherwise a contradiction
    /// between them may only follow from an error that is already reported.
    pub(crate) fn are_valid(&self, settings: &[&dyn AnySetting]) -> bool {
        !self.file_is_broken && !settings.iter().any(|s| self.invalid.contains(s.info().flag))
    }
}
