//! The `[[origin]]` tables of the file.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document::{Document, text_of};
use super::error::{ConfigError, Source, did_you_mean};
use super::raw::{OriginDeclaration, RawSettings};
use super::table::{TTL_MAX, between, millis, secs};
use super::template::{IdPath, KeyTemplate};
use super::types::{OriginConfig, OriginKind};
use super::units::show_duration;
use super::value::{TomlType, Value};

/// Keys of every kind of origin.
const KEYS: [&str; 6] = ["name", "kind", "key", "path", "ttl", "negative-ttl"];
const DEFAULT_TTL: Duration = secs(5 * 60);
const DEFAULT_NEGATIVE_TTL: Duration = secs(30);

/// A kind of origin as the file names it.
#[derive(Clone, Copy)]
enum Kind {
    Json,
}

impl Kind {
    const ALL: [Self; 1] = [Self::Json];

    fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
        }
    }

    /// Returns the keys of this kind besides [`KEYS`].
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Json => &["file"],
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(" or ");
            format!("{text:?} is not a kind of origin: write {names}")
        })
    }
}

/// Returns the defaults of `ttl` and `negative-ttl`, for the help.
pub(crate) fn default_ttls() -> (String, String) {
    (show_duration(DEFAULT_TTL), show_duration(DEFAULT_NEGATIVE_TTL))
}

/// Puts in every `[[origin]]`.
pub(crate) fn read(document: &Document, item: &Spanned<DeValue<'_>>, settings: &mut RawSettings) {
    let tables = item.get_ref().as_array().into_iter().flatten();
    let tables: Vec<_> =
        tables.filter_map(|item| Some((item, item.get_ref().as_table()?))).collect();
    if tables.len() != item.get_ref().as_array().map_or(1, |array| array.len()) {
        let text = "an origin is a table: write [[origin]] above the keys of each";
        settings.error(document.source(item), text);
    }
    for (item, table) in tables {
        let source = document.source(item);
        let mut fields = Fields { document, table, source, errors: &mut settings.errors };
        let Some(config) = fields.config() else { continue };
        let source = fields.source.clone();
        add(OriginDeclaration { config, source }, settings);
    }
}

/// Adds an origin. No two origins may have the same keys or the same route.
fn add(origin: OriginDeclaration, settings: &mut RawSettings) {
    for other in &settings.origins {
        let (one, two) = (&origin.config, &other.config);
        let same = [
            ("name", one.name == two.name, one.name.clone()),
            ("key", one.key == two.key, one.key.to_string()),
            ("path", one.path == two.path, one.path.as_str().to_owned()),
        ];
        for (field, _, value) in same.into_iter().filter(|(_, is_same, _)| *is_same) {
            let text = format!("[[origin]] {field}: {value:?} is already used by {}", other.source);
            settings.errors.push(ConfigError { source: origin.source.clone(), text });
        }
    }
    settings.origins.push(origin);
}

/// The TOML table of one origin.
struct Fields<'a> {
    document: &'a Document,
    table: &'a DeTable<'a>,
    source: Source,
    errors: &'a mut Vec<ConfigError>,
}

impl Fields<'_> {
    fn config(&mut self) -> Option<OriginConfig> {
        self.refuse_unknown();
        let name = self.required("name", name);
        let kind = self.kind();
        let key = self.required("key", KeyTemplate::parse);
        let path = self.required("path", IdPath::parse);
        let ttl = self.duration("ttl", DEFAULT_TTL);
        let negative_ttl = self.duration("negative-ttl", DEFAULT_NEGATIVE_TTL);
        Some(OriginConfig {
            name: name?,
            kind: kind?,
            key: key?,
            path: path?,
            ttl: ttl?,
            negative_ttl: negative_ttl?,
        })
    }

    /// Reads the kind and the keys that belong to it.
    fn kind(&mut self) -> Option<OriginKind> {
        let document = self.document;
        match self.required("kind", Kind::parse)? {
            Kind::Json => {
                let file = self.required("file", |text| readable(document.beside(text)))?;
                Some(OriginKind::Json { file })
            }
        }
    }

    fn refuse_unknown(&mut self) {
        let kinds = Kind::ALL.into_iter().flat_map(Kind::keys).copied();
        let known: Vec<&str> = KEYS.into_iter().chain(kinds).collect();
        for (key, _) in self.table {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                let hint = did_you_mean(name, &known);
                let text = format!("[[origin]] {name}: unknown key{hint}");
                self.errors.push(ConfigError { source: self.document.source(key), text });
            }
        }
    }

    fn required<T>(&mut self, key: &str, read: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        if !self.table.contains_key(key) {
            let text = format!("[[origin]]: {key} is missing");
            self.errors.push(ConfigError { source: self.source.clone(), text });
        }
        self.read(key, TomlType::String, read)
    }

    fn duration(&mut self, key: &str, default: Duration) -> Option<Duration> {
        if !self.table.contains_key(key) {
            return Some(default);
        }
        self.read(key, TomlType::Number, |text| {
            between(millis(1), TTL_MAX).check(Duration::parse(text)?)
        })
    }

    fn read<T>(
        &mut self,
        key: &str,
        toml_type: TomlType,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let item = self.table.get(key)?;
        match text_of(toml_type, item.get_ref()).and_then(|text| read(&text)) {
            Ok(value) => Some(value),
            Err(reason) => {
                let text = format!("[[origin]] {key}: {reason}");
                self.errors.push(ConfigError { source: self.document.source(item), text });
                None
            }
        }
    }
}

fn name(text: &str) -> Result<String, String> {
    let is_name =
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    if is_name {
        return Ok(text.to_owned());
    }
    Err(format!("{text:?} is not a name: use letters, digits, - and _"))
}

/// Checks that a file can be opened. A named pipe is refused because opening it could block.
fn readable(path: PathBuf) -> Result<PathBuf, String> {
    let open = |path: &Path| match fs::metadata(path)?.is_file() {
        true => File::open(path).map(drop),
        false => Err(io::Error::other("it is not a regular file")),
    };
    match open(&path) {
        Ok(()) => Ok(path),
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    }
}
