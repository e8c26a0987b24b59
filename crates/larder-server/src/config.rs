//! The settings: what a person typed becomes a plan, or a list of everything that is wrong.
//!
//! `--http-port` = `LARDER_HTTP_PORT` = `[http] port`; a flag stands above the environment, that
//! above the file, that above the default. `table.rs` knows all settings, and nothing else does.
//! The layers (`environment.rs`, `redis_env.rs`, `file.rs`) put texts with their places into
//! `Settings`; `resolve.rs` makes the [`Config`] of them. Once there is a plan, nobody checks again.

mod environment;
mod error;
mod file;
mod origins;
mod raw;
mod redis_env;
mod resolve;
pub(crate) mod table;
mod template;
mod tls;
mod types;
mod units;
mod value;

use error::Source;
pub(crate) use origins::default_ttls as origin_ttls;
use raw::{RawSettings, RawValue};
pub(crate) use resolve::ConfigLine;

pub use environment::{Environment, of_process};
pub use error::ConfigErrors;
pub use template::{IdPath, KeyTemplate};
pub use types::{
    Config, HttpConfig, OriginConfig, OriginKind, RespConfig, StoreConfig, StoreKind, TlsConfig,
};
pub(crate) use units::parse_duration;

/// A plan, and for people to read, where each part of it came from.
pub(crate) struct Resolved {
    pub(crate) config: Config,
    pub(crate) lines: Vec<ConfigLine>,
}

/// Resolves flags (names without `--`), environment and the file that they name.
pub(crate) fn resolve(
    flags: &[(&'static str, String)],
    environment: &Environment,
) -> Result<Resolved, ConfigErrors> {
    let mut settings = RawSettings::default();
    put_flags(flags, &mut settings);
    environment::read(environment, &mut settings);
    redis_env::read(environment, &mut settings);
    file::read(&mut settings);
    resolve::check_consistency(&mut settings);
    tls::read(&mut settings);
    if !settings.errors.is_empty() {
        return Err(ConfigErrors::of(settings.errors));
    }
    let config = resolve::config(&settings, environment);
    Ok(Resolved { config, lines: resolve::lines(&settings) })
}

fn put_flags(flags: &[(&'static str, String)], settings: &mut RawSettings) {
    for (flag, text) in flags {
        for setting in table::all().filter(|setting| setting.info().flag == *flag) {
            settings.put(setting, RawValue { text: text.clone(), source: Source::Flag(flag) });
        }
    }
}
