//! The layer of the TOML file: sections and keys to settings, each with its line.

use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::environment::read_limited;
use super::error::{ConfigError, Source, did_you_mean};
use super::origins;
use super::raw::{RawSettings, RawValue};
use super::table::{self, AnySetting, CONFIG, place};
use super::value::TomlType;

const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// A key or a value of TOML, with its span.
type Key<'a> = Spanned<std::borrow::Cow<'a, str>>;
type Item<'a> = Spanned<DeValue<'a>>;

/// The file's text, and what tells a place in it.
pub(crate) struct Document {
    path: PathBuf,
    text: String,
}

impl Document {
    /// Where in the file a key or a value stands.
    pub(crate) fn source<T>(&self, item: &Spanned<T>) -> Source {
        self.source_at(item.span().start)
    }

    /// The path of a file named in this one, relative to this one's folder.
    pub(crate) fn beside(&self, file: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(file)
    }

    fn source_at(&self, offset: usize) -> Source {
        let before = self.text.bytes().take(offset);
        let line = 1 + before.filter(|byte| *byte == b'\n').count();
        Source::File { path: self.path.display().to_string(), line }
    }
}

/// Puts in what the file says, where one is named.
pub(crate) fn read(settings: &mut RawSettings) {
    let Some(path) = settings.get(&CONFIG) else { return };
    match read_limited(&path, CONFIG_BYTES_MAX) {
        Ok(text) => read_document(&Document { path, text }, settings),
        Err(why) => {
            settings.file_is_broken = true;
            let text = format!("{} cannot be read: {why}", path.display());
            settings.error(settings.source(&CONFIG), text);
        }
    }
}

fn read_document(document: &Document, settings: &mut RawSettings) {
    let (root, errors) = DeTable::parse_recoverable(&document.text);
    for error in &errors {
        // The message alone: the error's `Display` quotes the line, which may hold a secret.
        let offset = error.span().map_or(0, |span| span.start);
        settings.error(document.source_at(offset), format!("not TOML: {}", error.message()));
    }
    // What comes after a broken line may have landed anywhere.
    settings.file_is_broken = !errors.is_empty();
    if errors.is_empty() {
        read_root(document, root.get_ref(), settings);
    }
}

fn read_root(document: &Document, root: &DeTable<'_>, settings: &mut RawSettings) {
    for (key, item) in root {
        let name = key.get_ref().as_ref();
        let is_section = !name.is_empty() && table::infos().any(|info| info.section == name);
        match item.get_ref() {
            _ if name == "origin" => origins::read(document, item, settings),
            DeValue::Table(section) if is_section => {
                section.iter().for_each(|(key, item)| put(document, name, key, item, settings));
            }
            _ if is_section => settings.error(
                document.source(key),
                format!("{name} is a section: write [{name}] on a line of its own"),
            ),
            DeValue::Table(_) if find("", name).is_none() => {
                let sections = table::infos().map(|info| info.section).chain(["origin"]);
                let hint = did_you_mean(name, sections.filter(|section| !section.is_empty()));
                let text = format!("[{name}]: there is no such section{hint}");
                settings.error(document.source(key), text);
            }
            _ => put(document, "", key, item, settings),
        }
    }
}

fn put(doc: &Document, section: &str, key: &Key<'_>, item: &Item<'_>, settings: &mut RawSettings) {
    let name = key.get_ref().as_ref();
    let Some(setting) = find(section, name) else {
        let text =
            format!("{}: there is no such setting{}", place(section, name), hint(section, name));
        return settings.error(doc.source(key), text);
    };
    match text_of(setting.info().toml_type, item.get_ref()) {
        Ok(text) => settings.put(setting, RawValue { text, source: doc.source(key) }),
        Err(why) => {
            let text = format!("{}: {why}", place(section, name));
            settings.set_invalid(setting, ConfigError { source: doc.source(item), text });
        }
    }
}

fn find(section: &str, key: &str) -> Option<&'static dyn AnySetting> {
    table::all().find(|setting| {
        let info = setting.info();
        !key.is_empty() && info.section == section && info.key == key
    })
}

/// Where the key may belong: to a section if it is written like a flag or stands in the wrong
/// section, or else to the key of the same section that it resembles.
fn hint(section: &str, key: &str) -> String {
    let elsewhere = table::infos().find(|info| {
        !info.key.is_empty() && (info.flag == key || info.key == key && section.is_empty())
    });
    if let Some(info) = elsewhere {
        return format!("; did you mean {}?", info.place());
    }
    let keys = table::infos().filter(|info| info.section == section).map(|info| info.key);
    did_you_mean(key, keys.filter(|key| !key.is_empty()))
}

/// The text of a TOML value, as it would stand in a variable or after a flag.
pub(crate) fn text_of(toml_type: TomlType, value: &DeValue<'_>) -> Result<String, String> {
    match (toml_type, value) {
        (_, DeValue::String(text)) => Ok(text.to_string()),
        (TomlType::Number, DeValue::Integer(number)) => {
            i64::from_str_radix(number.as_str(), number.radix())
                .map(|number| number.to_string())
                .map_err(|_| "the number is too large".to_owned())
        }
        (TomlType::Bool, DeValue::Boolean(switch)) => Ok(switch.to_string()),
        (TomlType::List, DeValue::Array(items)) => items
            .iter()
            .map(|item| text_of(TomlType::String, item.get_ref()))
            .collect::<Result<Vec<_>, _>>()
            .map(|texts| texts.join(",")),
        (_, other) => {
            let expected = match toml_type {
                TomlType::String => "a string",
                TomlType::Number => "a whole number or a string",
                TomlType::Bool => "true, false or a string",
                TomlType::List => "an array of strings or a string",
            };
            Err(format!("this takes {expected}, not {}", type_of(other)))
        }
    }
}

fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
