//! The resolved configuration: defaults are filled in, and nothing needs a second check. Each
//! component takes its own part.

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use larder_core::EngineConfig;
use larder_redis::{RedisUrl, Secret, tls::ServerTls};
use larder_resp::Limits;

use super::template::{IdPath, KeyTemplate};

/// Everything that `larder serve` needs. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Config {
    /// The near cache and its staleness bound.
    pub engine: EngineConfig,
    /// The store.
    pub store: StoreConfig,
    /// The RESP listener.
    pub resp: RespConfig,
    /// The HTTP listener.
    pub http: HttpConfig,
    /// The URL of a running server with this configuration, for commands that talk to it.
    pub url: Option<String>,
    /// The declared origins, in the order of the file.
    pub origins: Vec<OriginConfig>,
    /// Maximum connections of Redis clients, and as many of HTTP clients.
    pub maxclients: usize,
    /// Maximum time to finish requests in progress after a signal to stop.
    pub drain_timeout: Duration,
    /// One hit in so many is compared with the store.
    pub verify_every: Option<NonZeroU64>,
    /// What is logged.
    pub logs: LogConfig,
    /// Messages to log once at start: not errors, but easily overlooked.
    pub notices: Vec<String>,
}

/// Where values are stored, and how long to wait for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// The kind of store.
    pub kind: StoreKind,
    /// Maximum time to wait for a reply.
    pub timeout: Duration,
    /// Memory limit of [`StoreKind::Memory`].
    pub maxmemory: u64,
}

/// A kind of store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// The memory of this process, empty at every start.
    Memory,
    /// Redis or Valkey.
    Redis(RedisUrl),
}

/// The RESP listener and its limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RespConfig {
    /// The address to listen on; `None` for no TCP listener.
    pub address: Option<SocketAddr>,
    /// Whether the port was configured. If not, another program may use the default port: the server
    /// then starts without it.
    pub address_is_explicit: bool,
    /// The TLS listener.
    pub tls: Option<TlsConfig>,
    /// The unix socket to listen on.
    pub unixsocket: Option<PathBuf>,
    /// The password that clients must authenticate with.
    pub requirepass: Option<Secret>,
    /// The idle time after which a client is disconnected; zero for never.
    pub timeout: Duration,
    /// Limits of one command.
    pub limits: Limits,
    /// Maximum bytes of commands buffered for one client.
    pub input_bytes_max: usize,
    /// Threads that serve clients, at least one.
    pub workers: usize,
}

/// The listener for Redis clients over TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsConfig {
    /// The address to listen on.
    pub address: SocketAddr,
    /// The server's certificate, and the certificates that clients need.
    pub server: ServerTls,
}

/// The HTTP listener and its limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// The address to listen on; `None` for no HTTP listener.
    pub address: Option<SocketAddr>,
    /// The bearer token that requests must carry.
    pub token: Option<Secret>,
    /// Names, in lower case, to accept in a `Host` header besides localhost, IP addresses and names
    /// without a dot.
    pub allowed_hosts: Vec<String>,
    /// Maximum bytes of a request body.
    pub max_body: usize,
    /// Maximum concurrent requests.
    pub concurrency: usize,
    /// Maximum requests that wait while `concurrency` is reached.
    pub queue: usize,
}

/// A declared origin: the source of some keys' values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginConfig {
    /// Its name: letters, digits, `-` and `_`. No two origins share a name.
    pub name: String,
    /// The kind of source, with its settings.
    pub kind: OriginKind,
    /// The keys of its rows. No two origins share a template.
    pub key: KeyTemplate,
    /// The route that serves it. No two origins share a route.
    pub path: IdPath,
    /// The TTL of its rows in the store.
    pub ttl: Duration,
    /// How long the absence of a row is cached.
    pub negative_ttl: Duration,
}

/// A kind of origin. Each has a file in `src/origins/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginKind {
    /// A JSON file.
    Json {
        /// Its path. The file could be opened when the configuration was read.
        file: PathBuf,
    },
}

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// A filter in the syntax of `RUST_LOG`.
    pub filter: String,
    /// Whether output to a terminal may be coloured.
    pub color: bool,
}
