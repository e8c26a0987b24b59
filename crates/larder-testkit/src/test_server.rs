//! Which server the tests run with.

use std::{
    env,
    path::{Path, PathBuf},
};

/// A server that speaks the Redis protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TestServer {
    /// `redis-server` of the machine, as Debian 12 has it.
    Redis7,
    /// Redis 8.2.3, which `scripts/setup servers` installs.
    Redis8,
    /// Valkey 9.1.2, which `scripts/setup servers` installs.
    Valkey9,
    /// Another program.
    Other(PathBuf),
}

impl TestServer {
    /// Returns the server that `LARDER_TEST_SERVER` names: `redis-7.0` (the default), `redis-8`,
    /// `valkey-9`, or the path of a program.
    pub fn from_environment() -> Self {
        match env::var_os("LARDER_TEST_SERVER") {
            None => Self::Redis7,
            Some(name) => match name.to_str() {
                Some("redis-7.0") => Self::Redis7,
                Some("redis-8") => Self::Redis8,
                Some("valkey-9") => Self::Valkey9,
                _ => Self::Other(name.into()),
            },
        }
    }

    pub(crate) fn program(&self) -> PathBuf {
        match self {
            Self::Redis7 => "redis-server".into(),
            Self::Redis8 => installed("redis-8"),
            Self::Valkey9 => installed("valkey-9"),
            Self::Other(path) => path.clone(),
        }
    }
}

/// Returns where `scripts/setup servers` puts a program, unless `LARDER_TEST_SERVERS` names another
/// folder.
fn installed(name: &str) -> PathBuf {
    if let Some(folder) = env::var_os("LARDER_TEST_SERVERS") {
        return Path::new(&folder).join(name);
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
    workspace.join(target).join("servers").join(name)
}
