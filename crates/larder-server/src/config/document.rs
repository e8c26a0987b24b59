//! The TOML document of the configuration file: lines, relative paths, and values as text.

use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::DeValue;

use super::error::Source;
use super::value::TomlType;

/// The file's path and text.
pub(crate) struct Document {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

impl Document {
    /// Returns the line of a key or a value.
    pub(crate) fn source<T>(&self, item: &Spanned<T>) -> Source {
        self.source_at(item.span().start)
    }

    /// Resolves the path of a file named in this one, relative to its folder.
    pub(crate) fn beside(&self, file: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(file)
    }

    /// Returns the line of a byte.
    pub(crate) fn source_at(&self, offset: usize) -> Source {
        let before = self.text.bytes().take(offset);
        let line = 1 + before.filter(|byte| *byte == b'\n').count();
        Source::File { path: self.path.display().to_string(), line }
    }
}

/// Returns a TOML value as the text that a flag or a variable would have.
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
            Err(format!("expected {expected}, found {}", type_of(other)))
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
