//! The layer of the TOML file.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document::{Document, text_of};
use super::environment::read_limited;
use super::error::{ConfigError, did_you_mean};
use super::origins;
use super::raw::{RawSettings, RawValue};
use super::table::{self, AnySetting, CONFIG, SettingInfo, place};

const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// Keys that are not settings, by the setting that they probably mean.
const ALIASES: [(&str, &str); 2] = [("redis-url", "store"), ("redis", "store")];

/// A key or a value of TOML, with its span.
type Key<'a> = Spanned<std::borrow::Cow<'a, str>>;
type Item<'a> = Spanned<DeValue<'a>>;

/// Puts in the settings and origins of the file, if there is one.
pub(crate) fn read(settings: &mut RawSettings) {
    let Some(path) = settings.get(&CONFIG) else { return };
    match read_limited(&path, CONFIG_BYTES_MAX) {
        Ok(text) => read_document(&Document { path, text }, settings),
        Err(error) => {
            settings.file_is_broken = true;
            let text = format!("cannot read {}: {error}", path.display());
            settings.error(settings.source(&CONFIG), text);
        }
    }
}

fn read_document(document: &Document, settings: &mut RawSettings) {
    let (root, errors) = DeTable::parse_recoverable(&document.text);
    for error in &errors {
        // Only the message: the error's `Display` quotes the line, which may hold a secret.
        let offset = error.span().map_or(0, |span| span.start);
        settings.error(document.source_at(offset), format!("invalid TOML: {}", error.message()));
    }
    // Keys after a broken line may have been parsed into another section.
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
            value if is_tables(value) && find("", name).is_none() => {
                settings.error(document.source(key), unknown_section(name, value));
            }
            _ => put(document, "", key, item, settings),
        }
    }
}

/// Returns whether a value is a section or an array of sections.
fn is_tables(value: &DeValue<'_>) -> bool {
    value.is_table()
        || value.as_array().is_some_and(|array| {
            !array.is_empty() && array.iter().all(|item| item.get_ref().is_table())
        })
}

fn unknown_section(name: &str, value: &DeValue<'_>) -> String {
    let shown = |name: &str| match name {
        "origin" => "[[origin]]".to_owned(),
        section => format!("[{section}]"),
    };
    let sections = table::infos().map(|info| info.section).chain(["origin"]);
    let sections = sections.filter(|section| !section.is_empty());
    let name = if value.is_table() { format!("[{name}]") } else { format!("[[{name}]]") };
    let hint = did_you_mean(&name, sections.map(shown));
    format!("unknown section {name}{hint}")
}

fn put(doc: &Document, section: &str, key: &Key<'_>, item: &Item<'_>, settings: &mut RawSettings) {
    let name = key.get_ref().as_ref();
    let Some(setting) = find(section, name) else {
        let text = format!("{}: unknown setting{}", place(section, name), hint(section, name));
        return settings.error(doc.source(key), text);
    };
    match text_of(setting.info().toml_type, item.get_ref()) {
        Ok(text) => settings.put(setting, RawValue { text, source: doc.source(key) }),
        Err(reason) => {
            let text = format!("{}: {reason}", place(section, name));
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

/// Suggests where a key belongs: the place of the setting if it is written like a flag or is in the
/// wrong section, or else a similar key of the same section.
fn hint(section: &str, key: &str) -> String {
    let key = key.replace('_', "-");
    let alias = ALIASES.iter().find(|(alias, _)| *alias == key).map(|(_, flag)| *flag);
    let elsewhere = table::infos().find(|info| {
        let is_meant = Some(info.flag) == alias
            || info.flag == key
            || info.key == key && (section.is_empty() || info.section.is_empty());
        !info.key.is_empty() && is_meant
    });
    if let Some(info) = elsewhere {
        return format!("; did you mean {}?", shown_place(&info, section));
    }
    let keys = table::infos().filter(|info| info.section == section).map(|info| info.key);
    did_you_mean(&key, keys.filter(|key| !key.is_empty()))
}

/// Formats the place of a setting as seen from a section.
fn shown_place(info: &SettingInfo, section: &str) -> String {
    match info.section {
        "" if !section.is_empty() => format!("{}, above the first [section]", info.key),
        _ => info.place(),
    }
}
