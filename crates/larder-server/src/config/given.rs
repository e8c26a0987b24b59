//! What a person typed, in whichever layer: all of it optional, all of it with its place.
//!
//! Layers are put in from the strongest to the weakest (flags, environment, file), so the first
//! text for a setting stays. Every layer is checked, the shadowed ones too: a wrong line in the file
//! does not become right because a flag hides it today.

use std::collections::{BTreeMap, BTreeSet};

use larder_redis::tls::{ClientTls, ServerTls};

use super::mistake::{ConfigError, Source};
use super::origins::Origin;
use super::table::{AnySetting, Setting};
use super::value::Value;

/// A text and where it stands.
pub(crate) struct Given {
    pub(crate) text: String,
    pub(crate) source: Source,
}

/// All that was typed, and what was wrong with it. Holds secrets, hence no `Debug`.
#[derive(Default)]
pub(crate) struct Settings {
    given: BTreeMap<&'static str, Given>,
    wrong: BTreeSet<&'static str>,
    /// The file could not be read to its end, so any setting may be missing.
    pub(crate) file_is_broken: bool,
    pub(crate) origins: Vec<Origin>,
    /// How TLS is done with the store.
    pub(crate) store_tls: Option<ClientTls>,
    /// How TLS is done with clients.
    pub(crate) server_tls: Option<ServerTls>,
    pub(crate) mistakes: Vec<ConfigError>,
    /// What is not wrong but worth a word at the start.
    pub(crate) notices: Vec<String>,
}

impl Settings {
    /// Takes a text for a setting, unless a stronger layer had one.
    pub(crate) fn put(&mut self, setting: &dyn AnySetting, given: Given) {
        let about = setting.about();
        if let Err(why) = setting.check(&given.text) {
            let text = match &given.source {
                Source::File { .. } => format!("{}: {why}", about.place()),
                _ => why,
            };
            self.put_wrong(setting, ConfigError { source: given.source, text });
        } else {
            self.given.entry(about.flag).or_insert(given);
        }
    }

    pub(crate) fn mistake(&mut self, source: Source, text: impl Into<String>) {
        self.mistakes.push(ConfigError { source, text: text.into() });
    }

    /// Notes that a setting was given in a way that could not be read.
    pub(crate) fn put_wrong(&mut self, setting: &dyn AnySetting, mistake: ConfigError) {
        self.wrong.insert(setting.about().flag);
        self.mistakes.push(mistake);
    }

    /// The value in force.
    pub(crate) fn get<T: Value>(&self, setting: &Setting<T>) -> T {
        self.given
            .get(setting.flag)
            .and_then(|given| setting.read(&given.text).ok())
            .unwrap_or_else(|| setting.default.clone())
    }

    /// The value in force, as a person would write it; secrets as `***`.
    pub(crate) fn show(&self, setting: &dyn AnySetting) -> String {
        setting.show(self.given.get(setting.about().flag).map(|given| given.text.as_str()))
    }

    /// Where the value in force came from.
    pub(crate) fn source(&self, setting: &dyn AnySetting) -> Source {
        let given = self.given.get(setting.about().flag);
        given.map_or(Source::Default, |given| given.source.clone())
    }

    /// Whether anybody set it, rightly or wrongly.
    pub(crate) fn is_given(&self, setting: &dyn AnySetting) -> bool {
        let flag = setting.about().flag;
        self.given.contains_key(flag) || self.wrong.contains(flag)
    }

    /// Whether the values in force are those that were meant, so that a contradiction between them
    /// is one.
    pub(crate) fn is_sound(&self, settings: &[&dyn AnySetting]) -> bool {
        !self.file_is_broken && !settings.iter().any(|s| self.wrong.contains(s.about().flag))
    }
}
