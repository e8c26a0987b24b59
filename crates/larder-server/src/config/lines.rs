//! The lines of `larder check-config`.

use super::error::Source;
use super::raw::RawSettings;
use super::table;
use super::types::{OriginConfig, OriginKind};
use super::units::show_duration;

/// A name, its value and the source of the value.
pub(crate) struct ConfigLine {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) source: String,
}

/// Returns a line for each setting and each origin; secrets as `***`.
pub(crate) fn of(settings: &RawSettings) -> Vec<ConfigLine> {
    let rows = table::all().map(|setting| ConfigLine {
        name: setting.info().flag.to_owned(),
        value: settings.show(setting),
        source: describe(&settings.source(setting)),
    });
    let origins = settings.origins.iter().map(|origin| ConfigLine {
        name: format!("origin {}", origin.config.name),
        value: show_origin(&origin.config),
        source: origin.source.to_string(),
    });
    rows.chain(origins).collect()
}

fn show_origin(config: &OriginConfig) -> String {
    let OriginConfig { kind: OriginKind::Json { file }, key, path, ttl, negative_ttl, .. } = config;
    format!(
        "json {}, key {key}, path {}, ttl {}, negative-ttl {}",
        file.display(),
        path.as_str(),
        show_duration(*ttl),
        show_duration(*negative_ttl)
    )
}

fn describe(source: &Source) -> String {
    match source {
        Source::Flag(_) => format!("flag {source}"),
        Source::Variable(_) => format!("env {source}"),
        Source::File { .. } | Source::Default => source.to_string(),
    }
}
