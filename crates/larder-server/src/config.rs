//! The configuration: what a person has typed becomes a [`Config`] or a list of every error in it.
//!
//! `--http-port` = `LARDER_HTTP_PORT` = `[http] port`. A flag overrides the environment, which
//! overrides the file, which overrides the default. `table.rs` has every setting. The layers
//! (`environment.rs`, `redis_env.rs`, `file.rs`) put texts with their sources into `RawSettings`;
//! `consistency.rs` checks what belongs together; `resolve.rs` makes the [`Config`], which needs no
//! further check.

mod consistency;
mod document;
mod environment;
mod error;
mod file;
mod lines;
mod logs;
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
pub(crate) use lines::ConfigLine;
pub(crate) use origins::default_ttls as origin_ttls;
use raw::{RawSettings, RawValue};

pub use environment::{Environment, of_process};
pub use error::ConfigErrors;
pub use template::{IdPath, KeyTemplate};
pub use types::{
    Config, HttpConfig, LogConfig, OriginConfig, OriginKind, RespConfig, StoreConfig, StoreKind,
    TlsConfig,
};
pub(crate) use units::parse_duration;

/// The exit code where the configuration is wrong: `EX_CONFIG` of `sysexits.h`.
pub(crate) const BAD_CONFIGURATION: u8 = 78;

/// A configuration, and for people to read, where each value of it came from.
pub(crate) struct Resolved {
    pub(crate) config: Config,
    pub(crate) lines: Vec<ConfigLine>,
}

/// What a configuration is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A server that opens the listeners.
    Serve,
    /// A command that talks to a running server. Its own environment may lack what the server was
    /// started with, so the listeners are not checked.
    Connect,
}

/// Resolves flags (names without `--`), the environment and the file that they name.
pub(crate) fn resolve(
    purpose: Purpose,
    flags: &[(&'static str, String)],
    environment: &Environment,
) -> Result<Resolved, ConfigErrors> {
    let mut settings = RawSettings::default();
    put_flags(flags, &mut settings);
    environment::read(environment, &mut settings);
    redis_env::read(environment, &mut settings);
    file::read(&mut settings);
    consistency::check_near(&mut settings);
    if purpose == Purpose::Serve {
        consistency::check_listeners(&mut settings);
    }
    tls::read(&mut settings);
    if !settings.errors.is_empty() {
        return Err(ConfigErrors::of(settings.errors));
    }
    let config = resolve::config(&settings, environment);
    Ok(Resolved { config, lines: lines::of(&settings) })
}

fn put_flags(flags: &[(&'static str, String)], settings: &mut RawSettings) {
    for (flag, text) in flags {
        for setting in table::all().filter(|setting| setting.info().flag == *flag) {
            settings.put(setting, RawValue { text: text.clone(), source: Source::Flag(flag) });
        }
    }
}
