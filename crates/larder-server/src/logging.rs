//! Logs go to standard error: as text on a terminal, as JSON otherwise. Neither values nor passwords
//! are logged.

use crate::config::LogConfig;
use std::io::{self, IsTerminal};
use tracing_subscriber::{
    EnvFilter, fmt,
    layer::SubscriberExt,
    util::{SubscriberInitExt, TryInitError},
};

/// Starts logging for the whole process. Fails if logging has already been started.
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
