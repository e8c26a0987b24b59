//! Logs: to stderr, for people on a terminal, as JSON for everything else.
//!
//! `RUST_LOG` and `NO_COLOR` mean what they mean everywhere. No values and no passwords are logged.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::TryInitError;
use tracing_subscriber::{fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::Environment;

const DEFAULT_FILTER: &str = "info";

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// A filter as in `RUST_LOG`.
    pub filter: String,
    /// Whether a terminal may be written to in colour.
    pub color: bool,
}

impl LogConfig {
    /// What `RUST_LOG` and `NO_COLOR` say, and a notice when that cannot be understood.
    pub(crate) fn of(environment: &Environment) -> (Self, Option<String>) {
        let set = |name| environment.get(name).filter(|value| !value.is_empty());
        let color = set("NO_COLOR").is_none();
        let asked = set("RUST_LOG").map(|value| value.to_string_lossy().into_owned());
        let config = |filter: &str| Self { filter: filter.to_owned(), color };
        match asked {
            None => (config(DEFAULT_FILTER), None),
            Some(filter) if EnvFilter::try_new(&filter).is_ok() => (config(&filter), None),
            Some(filter) => {
                let notice = format!(
                    "RUST_LOG is ignored: {filter:?} is no filter; write for example info or \
                     larder_server=debug"
                );
                (config(DEFAULT_FILTER), Some(notice))
            }
        }
    }
}

/// Starts logging for the whole process. Fails when something else already has.
pub fn start(config: &LogConfig) -> Result<(), TryInitError> {
    let filter = EnvFilter::new(&config.filter);
    let registry = tracing_subscriber::registry().with(filter);
    if io::stderr().is_terminal() {
        registry.with(fmt::layer().with_writer(io::stderr).with_ansi(config.color)).try_init()
    } else {
        let json = fmt::layer().json().flatten_event(true).with_current_span(false);
        registry.with(json.with_span_list(false).with_writer(io::stderr)).try_init()
    }
}
