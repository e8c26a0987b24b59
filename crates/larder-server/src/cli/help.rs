//! What `--help` says beyond the names of the flags.

use crate::config::{self, table::AnySetting};

/// The help of one flag: what it does, then its default, limits and variable.
pub(crate) fn of(setting: &dyn AnySetting) -> String {
    let info = setting.info();
    let default = match setting.show(None).as_str() {
        "none" => String::new(),
        default => format!("default {default}; "),
    };
    let limits = setting.limits().map(|limits| format!("{limits}; ")).unwrap_or_default();
    let or_file = if info.secret { " (or ..._FILE)" } else { "" };
    format!("{}\n[{default}{limits}{}{or_file}]", info.help, info.variable())
}

/// What follows the flags.
pub(crate) fn after() -> String {
    let (ttl, negative_ttl) = config::origin_ttls();
    format!(
        "\
Settings:
  A flag stands above the environment, that above the file, that above the default.
  The names are the same everywhere: --http-port = LARDER_HTTP_PORT = port below [http].
  Sizes are written as in redis.conf (256mb, 1gb; 1k is 1000, 1kb is 1024), times as 1500ms,
  5m, 24h, 2d; plain numbers are bytes and seconds. A variable that ends in _FILE names a
  file that holds the secret.

The store, from the environment:
  REDIS_URL[_FILE], or else REDIS_HOST, REDIS_PORT (also tcp://host:port, as Kubernetes sets
  it), REDIS_DB, REDIS_USERNAME, REDIS_PASSWORD[_FILE]. --store and LARDER_STORE stand above.

Origins, in the file:
  [[origin]]
  name = \"users\"
  kind = \"json\"
  file = \"users.json\"      # beside the configuration file
  key = \"users:{{id}}\"       # the keys in the store
  path = \"/users/{{id}}\"     # the route that serves them
  ttl = \"{ttl}\"               # the default
  negative-ttl = \"{negative_ttl}\"     # the default

Logs: RUST_LOG (default info), NO_COLOR.

Examples:
  larder                                    a cache in memory on http://127.0.0.1:8000
  larder --store redis://127.0.0.1:6379     a near cache for Redis
  REDIS_HOST=cache larder --maxmemory 1gb   the same, told by the environment
  larder --config larder.toml check-config  what is in force, and why
  larder stats                              how the server on this machine is doing
  larder passthrough on                     all reads to the store, until `off`

Exit codes: 0 done, 1 failed while running, 2 bad usage, 78 bad configuration."
    )
}
