//! The settings: what a person typed becomes a plan, or a list of everything that is wrong.
//!
//! `--http-port` = `LARDER_HTTP_PORT` = `[http] port`; a flag stands above the environment, that
//! above the file, that above the default. `table.rs` knows all settings, and nothing else does.
//! The layers (`environment.rs`, `redis_env.rs`, `file.rs`) put texts with their places into
//! `Settings`; `resolve.rs` makes the [`Config`] of them. Once there is a plan, nobody checks again.

mod environment;
mod file;
mod given;
mod mistake;
mod origins;
mod plan;
mod redis_env;
mod resolve;
pub(crate) mod table;
mod template;
mod tls;
mod units;
mod value;

use given::{Given, Settings};
use mistake::Source;
pub(crate) use origins::default_ttls as origin_ttls;
pub(crate) use resolve::Line;

pub use environment::{Environment, of_process};
pub use mistake::ConfigErrors;
pub use plan::{
    Config, HttpConfig, OriginConfig, OriginKind, RespConfig, StoreConfig, StoreKind, TlsConfig,
};
pub use template::{IdPath, KeyTemplate};
pub(crate) use units::parse_duration;

/// A plan, and for people to read, where each part of it came from.
pub(crate) struct Resolved {
    pub(crate) config: Config,
    pub(crate) lines: Vec<Line>,
}

/// Resolves flags (names without `--`), environment and the file that they name.
pub(crate) fn resolve(
    flags: &[(&'static str, String)],
    environment: &Environment,
) -> Result<Resolved, ConfigErrors> {
    let mut settings = Settings::default();
    put_flags(flags, &mut settings);
    environment::read(environment, &mut settings);
    redis_env::read(environment, &mut settings);
    file::read(&mut settings);
    resolve::refuse_contradictions(&mut settings);
    tls::read(&mut settings);
    if !settings.mistakes.is_empty() {
        return Err(ConfigErrors::of(settings.mistakes));
    }
    let config = resolve::config(&settings, environment);
    Ok(Resolved { config, lines: resolve::lines(&settings) })
}

fn put_flags(flags: &[(&'static str, String)], settings: &mut Settings) {
    for (flag, text) in flags {
        for setting in table::all().filter(|setting| setting.about().flag == *flag) {
            settings.put(setting, Given { text: text.clone(), source: Source::Flag(flag) });
        }
    }
}
