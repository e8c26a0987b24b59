//! What was resolved from the settings: nothing optional is left, nothing needs a second check.
//! Each component takes its own part.

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use larder_core::EngineConfig;
use larder_redis::{RedisUrl, Secret, tls::ServerTls};
use larder_resp::Limits;

use super::template::{IdPath, KeyTemplate};
use crate::logging::LogConfig;

/// Everything that `larder serve` needs to know. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Config {
    /// The near tier, and how old what it serves may be.
    pub engine: EngineConfig,
    /// The store.
    pub store: StoreConfig,
    /// The RESP listener.
    pub resp: RespConfig,
    /// The HTTP listener.
    pub http: HttpConfig,
    /// Where a running server of this plan answers over HTTP, for commands that talk to it.
    pub url: Option<String>,
    /// The declared origins, in the order of the file.
    pub origins: Vec<OriginConfig>,
    /// Connections open at the same time, all listeners together.
    pub maxclients: usize,
    /// How long requests at work may take to end once the server was asked to stop.
    pub drain_timeout: Duration,
    /// One hit in so many is compared with the store; `None` for none.
    pub verify_every: Option<NonZeroU64>,
    /// What is logged.
    pub logs: LogConfig,
    /// What is to be said once at the start: not wrong, but easily overlooked.
    pub notices: Vec<String>,
}

/// Where values live, and how long to wait for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// Which store.
    pub kind: StoreKind,
    /// How long a request waits for the store.
    pub timeout: Duration,
    /// Bytes that [`StoreKind::Memory`] may hold.
    pub maxmemory: u64,
}

/// A kind of store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// A map in this process, empty at every start.
    Memory,
    /// Redis or Valkey.
    Redis(RedisUrl),
}

/// The RESP listener and its limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RespConfig {
    /// Where to listen; `None` for no TCP listener.
    pub address: Option<SocketAddr>,
    /// Whether somebody asked for this address. Where nobody did, another program may have it.
    pub address_is_explicit: bool,
    /// The TLS listener.
    pub tls: Option<TlsConfig>,
    /// The unix socket to listen on.
    pub unixsocket: Option<PathBuf>,
    /// The password that clients must show.
    pub requirepass: Option<Secret>,
    /// A client that sends nothing for this long is closed; zero for never.
    pub timeout: Duration,
    /// What one command may hold.
    pub limits: Limits,
    /// Bytes of commands that may wait for one client.
    pub input_bytes_max: usize,
    /// Threads that serve clients, at least one.
    pub workers: usize,
}

/// The listener for Redis clients that speak TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsConfig {
    /// Where to listen.
    pub address: SocketAddr,
    /// Who Larder is there, and who may come in.
    pub server: ServerTls,
}

/// The HTTP listener and its limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// Where to listen; `None` for no HTTP listener.
    pub address: Option<SocketAddr>,
    /// The bearer token that requests must carry.
    pub token: Option<Secret>,
    /// Names, in lower case, that a `Host` header may hold besides localhost and IP addresses.
    pub allowed_hosts: Vec<String>,
    /// Bytes of the largest request body.
    pub max_body: usize,
    /// Requests at work at the same time.
    pub concurrency: usize,
    /// Requests that may wait for their turn.
    pub queue: usize,
}

/// A declared origin: what makes the values of some keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginConfig {
    /// Its name: letters, digits, `-` and `_`. No two origins share one.
    pub name: String,
    /// What it reads.
    pub kind: OriginKind,
    /// The keys it makes. No two origins share one.
    pub key: KeyTemplate,
    /// The route that serves it. No two origins share one.
    pub path: IdPath,
    /// How long the store keeps what it made.
    pub ttl: Duration,
    /// How long it is remembered that it had nothing.
    pub negative_ttl: Duration,
}

/// A kind of origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginKind {
    /// A JSON file.
    Json {
        /// Its path; it could be opened when the plan was made.
        file: PathBuf,
    },
}
