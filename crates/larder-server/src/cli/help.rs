//! The texts of `--help`.

use crate::config::{self, table::AnySetting};

/// Returns the help of one flag: its description, then its default, limits and variable.
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

/// Returns the text after the flags.
pub(crate) fn after() -> String {
    let (ttl, negative_ttl) = config::origin_ttls();
    format!(
        "\
Settings:
  Flags override the environment, which overrides the file, which overrides the defaults.
  Names are the same everywhere: --http-port = LARDER_HTTP_PORT = port in section [http].
  Sizes are written as in redis.conf (256mb, 1gb; 1k is 1000, 1kb is 1024), durations as
  1500ms, 5m, 24h or 2d. A plain number is bytes or seconds. A variable that ends in _FILE
  names a file that contains the secret.

The store, from the environment:
  REDIS_URL[_FILE], or else REDIS_HOST, REDIS_PORT (also tcp://host:port, as Kubernetes sets
  it), REDIS_DB, REDIS_USERNAME, REDIS_PASSWORD[_FILE]. --store and LARDER_STORE override
  them.

Origins, in the file:
  [[origin]]
  name = \"users\"
  kind = \"json\"
  file = \"users.json\"      # relative to the configuration file
  key = \"users:{{id}}\"       # the key of a row in the store
  path = \"/users/{{id}}\"     # the route that serves the rows
  ttl = \"{ttl}\"               # the default
  negative-ttl = \"{negative_ttl}\"     # the default

Logs: RUST_LOG (default info), NO_COLOR.

Examples:
  larder                                    an in-memory store on http://127.0.0.1:8000
  larder --store redis://127.0.0.1:6379     a near cache for Redis
  REDIS_HOST=cache larder --maxmemory 1gb   the same, from the environment
  larder --config larder.toml check-config  every setting and its source
  larder stats                              statistics of the server on this machine
  larder passthrough on                     every read goes to the store until `off`

Exit codes: 0 success, 1 failure, 2 invalid usage, 78 invalid configuration."
    )
}
