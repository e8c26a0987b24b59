//! What is logged: `RUST_LOG` and `NO_COLOR`, with their usual meaning.

use super::environment::Environment;
use super::types::LogConfig;
use tracing_subscriber::EnvFilter;

const DEFAULT_FILTER: &str = "info";

/// Reads the variables. Also returns a notice if the filter is not valid.
pub(crate) fn read(environment: &Environment) -> (LogConfig, Option<String>) {
    let set = |name| environment.get(name).filter(|value| !value.is_empty());
    let color = set("NO_COLOR").is_none();
    let filter = set("RUST_LOG").map(|value| value.to_string_lossy().into_owned());
    let config = |filter: &str| LogConfig { filter: filter.to_owned(), color };
    match filter {
        None => (config(DEFAULT_FILTER), None),
        Some(filter) if EnvFilter::try_new(&filter).is_ok() => (config(&filter), None),
        Some(filter) => {
            let notice = format!(
                "RUST_LOG is ignored: {filter:?} is not a filter; write for example info or \
                 larder_server=debug"
            );
            (config(DEFAULT_FILTER), Some(notice))
        }
    }
}
