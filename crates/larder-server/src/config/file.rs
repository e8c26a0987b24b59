//! The layer of the TOML file: sections and keys to settings, each with its line.

use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::environment::read_limited;
use super::given::{Given, Settings};
use super::mistake::{ConfigError, Source, did_you_mean};
use super::origins;
use super::table::{self, AnySetting, CONFIG, place};
use super::value::Form;

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
pub(crate) fn read(settings: &mut Settings) {
    let Some(path) = settings.get(&CONFIG) else { return };
    match read_limited(&path, CONFIG_BYTES_MAX) {
        Ok(text) => read_document(&Document { path, text }, settings),
        Err(why) => {
            settings.file_is_broken = true;
            let text = format!("{} cannot be read: {why}", path.display());
            settings.mistake(settings.source(&CONFIG), text);
        }
    }
}

fn read_document(document: &Document, settings: &mut Settings) {
    let (root, errors) = DeTable::parse_recoverable(&document.text);
    for error in &errors {
        // The message alone: the error's `Display` quotes the line, which may hold a secret.
        let offset = error.span().map_or(0, |span| span.start);
        settings.mistake(document.source_at(offset), format!("not TOML: {}", error.message()));
    }
    // What comes after a broken line may have landed anywhere.
    settings.file_is_broken = !errors.is_empty();
    if errors.is_empty() {
        read_root(document, root.get_ref(), settings);
    }
}

fn read_root(document: &Document, root: &DeTable<'_>, settings: &mut Settings) {
    for (key, item) in root {
        let name = key.get_ref().as_ref();
        let is_section = !name.is_empty() && table::abouts().any(|about| about.section == name);
        match item.get_ref() {
            _ if name == "origin" => origins::read(document, item, settings),
            DeValue::Table(section) if is_section => {
                section.iter().for_each(|(key, item)| put(document, name, key, item, settings));
            }
            _ if is_section => settings.mistake(
                document.source(key),
                format!("{name} is a section: write [{name}] on a line of its own"),
            ),
            DeValue::Table(_) if find("", name).is_none() => {
                let sections = table::abouts().map(|about| about.section).chain(["origin"]);
                let hint = did_you_mean(name, sections.filter(|section| !section.is_empty()));
                let text = format!("[{name}]: there is no such section{hint}");
                settings.mistake(document.source(key), text);
            }
            _ => put(document, "", key, item, settings),
        }
    }
}

fn put(doc: &Document, section: &str, key: &Key<'_>, item: &Item<'_>, settings: &mut Settings) {
    let name = key.get_ref().as_ref();
    let Some(setting) = find(section, name) else {
        let text =
            format!("{}: there is no such setting{}", place(section, name), hint(section, name));
        return settings.mistake(doc.source(key), text);
    };
    match text_of(setting.about().form, item.get_ref()) {
        Ok(text) => settings.put(setting, Given { text, source: doc.source(key) }),
        Err(why) => {
            let text = format!("{}: {why}", place(section, name));
            settings.put_wrong(setting, ConfigError { source: doc.source(item), text });
        }
    }
}

fn find(section: &str, key: &str) -> Option<&'static dyn AnySetting> {
    table::all().find(|setting| {
        let about = setting.about();
        !key.is_empty() && about.section == section && about.key == key
    })
}

/// Where the key may belong: to a section if it is written like a flag or stands in the wrong
/// section, or else to the key of the same section that it resembles.
fn hint(section: &str, key: &str) -> String {
    let elsewhere = table::abouts().find(|about| {
        !about.key.is_empty() && (about.flag == key || about.key == key && section.is_empty())
    });
    if let Some(about) = elsewhere {
        return format!("; did you mean {}?", about.place());
    }
    let keys = table::abouts().filter(|about| about.section == section).map(|about| about.key);
    did_you_mean(key, keys.filter(|key| !key.is_empty()))
}

/// The text of a TOML value, as it would stand in a variable or after a flag.
pub(crate) fn text_of(form: Form, value: &DeValue<'_>) -> Result<String, String> {
    match (form, value) {
        (_, DeValue::String(text)) => Ok(text.to_string()),
        (Form::Number, DeValue::Integer(number)) => {
            i64::from_str_radix(number.as_str(), number.radix())
                .map(|number| number.to_string())
                .map_err(|_| "the number is too large".to_owned())
        }
        (Form::Switch, DeValue::Boolean(switch)) => Ok(switch.to_string()),
        (Form::List, DeValue::Array(items)) => items
            .iter()
            .map(|item| text_of(Form::Text, item.get_ref()))
            .collect::<Result<Vec<_>, _>>()
            .map(|texts| texts.join(",")),
        (_, other) => {
            let expected = match form {
                Form::Text => "a string",
                Form::Number => "a whole number or a string",
                Form::Switch => "true, false or a string",
                Form::List => "an array of strings or a string",
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
