//! The layer of `LARDER_*` variables.
//!
//! An empty variable counts as not set, because compose files pass unset variables as empty ones.
//! Secrets may be in a file that a `*_FILE` variable names. An unknown `LARDER_*` variable is an
//! error, unless Kubernetes sets it for a service whose name starts with `larder`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::error::{ConfigError, Source, did_you_mean};
use super::raw::{RawSettings, RawValue};
use super::table;

/// Variables by name. A parameter, so that tests need not set real ones.
pub type Environment = BTreeMap<String, OsString>;

/// Maximum size of a file that holds a secret.
const SECRET_FILE_BYTES_MAX: u64 = 64 << 10;

/// Returns the environment of this process. Nothing else reads it.
pub fn of_process() -> Environment {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .collect()
}

/// Puts in the `LARDER_*` variables.
pub(crate) fn read(environment: &Environment, settings: &mut RawSettings) {
    for setting in table::all() {
        let info = setting.info();
        let variable = info.variable();
        if is_service_link(environment, &variable) {
            settings.notices.push(format!(
                "{variable} is ignored: Kubernetes sets it for a service; set {} by its flag or in \
                 the file",
                info.flag
            ));
            continue;
        }
        match look_up(environment, &variable, info.secret) {
            Ok(Some(value)) => settings.put(setting, value),
            Ok(None) => {}
            Err(error) => settings.set_invalid(setting, error),
        }
    }
    refuse_unknown(environment, settings);
}

/// Returns the text of a variable, or of the file that its `*_FILE` variable names.
pub(crate) fn look_up(
    environment: &Environment,
    name: &str,
    may_be_file: bool,
) -> Result<Option<RawValue>, ConfigError> {
    let file_name = format!("{name}_FILE");
    let direct = text_of(environment, name)?;
    let path = if may_be_file { text_of(environment, &file_name)? } else { None };
    match (direct, path) {
        (Some(_), Some(_)) => Err(ConfigError {
            source: Source::Variable(name.to_owned()),
            text: format!("{file_name} is also set: keep only one of them"),
        }),
        (None, Some(path)) => text_in_file(file_name, &path).map(Some),
        (direct, None) => {
            Ok(direct.map(|text| RawValue { text, source: Source::Variable(name.to_owned()) }))
        }
    }
}

fn text_in_file(variable: String, path: &str) -> Result<RawValue, ConfigError> {
    let source = Source::Variable(variable);
    match read_limited(Path::new(path), SECRET_FILE_BYTES_MAX) {
        Ok(text) => Ok(RawValue { text: text.trim_end_matches(['\r', '\n']).to_owned(), source }),
        Err(error) => Err(ConfigError { source, text: format!("cannot read {path}: {error}") }),
    }
}

/// Reads a file of at most `bytes_max` bytes.
pub(crate) fn read_limited(path: &Path, bytes_max: u64) -> io::Result<String> {
    let mut text = String::new();
    let length = File::open(path)?.take(bytes_max + 1).read_to_string(&mut text)?;
    if length as u64 > bytes_max {
        return Err(io::Error::other(format!("it is larger than {bytes_max} bytes")));
    }
    Ok(text)
}

fn text_of(environment: &Environment, name: &str) -> Result<Option<String>, ConfigError> {
    match environment.get(name).map(|value| value.to_str()) {
        None | Some(Some("")) => Ok(None),
        Some(Some(text)) => Ok(Some(text.to_owned())),
        Some(None) => Err(ConfigError {
            source: Source::Variable(name.to_owned()),
            text: "its value is not UTF-8".to_owned(),
        }),
    }
}

fn refuse_unknown(environment: &Environment, settings: &mut RawSettings) {
    let known: Vec<String> = table::infos()
        .flat_map(|info| {
            let file = info.secret.then(|| format!("{}_FILE", info.variable()));
            [Some(info.variable()), file].into_iter().flatten()
        })
        .collect();
    for name in environment.keys().filter(|name| name.starts_with("LARDER_")) {
        if !known.contains(name) && !is_service_link(environment, name) {
            let hint = did_you_mean(name, &known);
            let source = Source::Variable(name.clone());
            settings.error(source, format!("unknown setting{hint}"));
        }
    }
}

/// Returns whether Kubernetes sets this variable for a service: for one named `larder-http`,
/// `LARDER_HTTP_PORT=tcp://10.0.0.1:80`, `LARDER_HTTP_SERVICE_HOST`, `LARDER_HTTP_PORT_80_TCP` ...
fn is_service_link(environment: &Environment, name: &str) -> bool {
    let is_address = || {
        let value = environment.get(name).and_then(|value| value.to_str()).unwrap_or_default();
        ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme))
    };
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || name.ends_with("_PORT") && is_address()
        || name.rsplit_once("_PORT_").is_some_and(|(_, rest)| is_port_and_protocol(rest))
        // `..._PORT_80_TCP_PORT` contains `_PORT` twice.
        || name.strip_suffix("_PORT").is_some_and(|name| is_service_link(environment, name))
}

/// Matches `80_TCP`, `80_TCP_ADDR` and `80_TCP_PROTO`.
fn is_port_and_protocol(text: &str) -> bool {
    let Some((port, protocol)) = text.split_once('_') else { return false };
    let protocol = protocol.trim_end_matches("_ADDR").trim_end_matches("_PROTO");
    port.parse::<u16>().is_ok() && ["TCP", "UDP", "SCTP"].contains(&protocol)
}
