//! The kinds of server, and how each is started.

use std::fs::write;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use larder_testkit::free_port;
use serde::{Deserialize, Serialize};

use crate::generator::Protocol;
use crate::keys::VALUE_BYTES;
use crate::servers::{LaunchCommand, SOCKET};

/// How many connections a server must accept.
const CLIENTS_MAX: usize = 4096;

/// A kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ServerKind {
    /// The baseline.
    Baseline,
    /// redis-server.
    Redis,
    /// memcached.
    Memcached,
    /// twemproxy, a proxy without a cache that multiplexes clients over one connection.
    Nutcracker,
    /// haproxy, which forwards TCP without parsing it.
    Haproxy,
    /// Larder.
    Larder,
    /// The redis-server to which the proxies forward.
    Backend,
}

impl ServerKind {
    /// The compared kinds, in the order of the report.
    pub const MEASURED: [Self; 6] = [
        Self::Baseline,
        Self::Redis,
        Self::Memcached,
        Self::Nutcracker,
        Self::Haproxy,
        Self::Larder,
    ];

    /// The kinds that may be missing on a machine.
    pub(crate) const OPTIONAL: [Self; 3] = [Self::Memcached, Self::Nutcracker, Self::Haproxy];

    /// Returns the name that reports use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Redis => "redis",
            Self::Memcached => "memcached",
            Self::Nutcracker => "nutcracker",
            Self::Haproxy => "haproxy",
            Self::Larder => "larder",
            Self::Backend => "backend",
        }
    }

    /// Returns the protocol of its requests.
    pub(crate) const fn protocol(self) -> Protocol {
        match self {
            Self::Memcached => Protocol::Memcached,
            _ => Protocol::Resp,
        }
    }

    /// Whether it listens on a unix socket as well.
    pub(crate) const fn has_unix_socket(self) -> bool {
        matches!(self, Self::Baseline | Self::Redis | Self::Larder)
    }

    /// Whether it has a Redis as its backend.
    pub(crate) const fn has_backend(self) -> bool {
        matches!(self, Self::Nutcracker | Self::Haproxy | Self::Larder)
    }
}

/// The programs to start servers with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// This program, which also serves as the baseline.
    pub bench: PathBuf,
    /// `redis-server`.
    pub redis: PathBuf,
    /// `memcached`, if installed.
    pub memcached: Option<PathBuf>,
    /// `nutcracker`, if installed.
    pub nutcracker: Option<PathBuf>,
    /// `haproxy`, if installed.
    pub haproxy: Option<PathBuf>,
    /// `larder`; `None` measures the others alone.
    pub larder: Option<PathBuf>,
    /// The port of the backend, once it runs.
    pub backend_port: u16,
    /// The length of the baseline's value.
    pub baseline_bytes: usize,
}

impl Setup {
    /// Sets the two required programs, and none of the optional ones.
    pub const fn new(bench: PathBuf, redis: PathBuf) -> Self {
        Self {
            bench,
            redis,
            memcached: None,
            nutcracker: None,
            haproxy: None,
            larder: None,
            backend_port: 0,
            baseline_bytes: VALUE_BYTES,
        }
    }

    /// Returns the kinds that can be measured.
    pub fn kinds(&self) -> Vec<ServerKind> {
        ServerKind::MEASURED.into_iter().filter(|kind| self.found(*kind).is_some()).collect()
    }

    /// Returns the version that a program prints.
    pub(crate) fn version(&self, kind: ServerKind) -> io::Result<String> {
        let argument = if kind == ServerKind::Haproxy { "-v" } else { "--version" };
        first_line(Command::new(self.program(kind)?).arg(argument))
    }

    fn program(&self, kind: ServerKind) -> io::Result<&Path> {
        let missing = || io::Error::other(format!("no program for {}", kind.name()));
        self.found(kind).ok_or_else(missing)
    }

    fn found(&self, kind: ServerKind) -> Option<&Path> {
        let program = match kind {
            ServerKind::Baseline => Some(&self.bench),
            ServerKind::Redis | ServerKind::Backend => Some(&self.redis),
            ServerKind::Memcached => self.memcached.as_ref(),
            ServerKind::Nutcracker => self.nutcracker.as_ref(),
            ServerKind::Haproxy => self.haproxy.as_ref(),
            ServerKind::Larder => self.larder.as_ref(),
        };
        program.map(PathBuf::as_path)
    }
}

impl ServerKind {
    /// Returns the command line, to be run in `folder`.
    pub(super) fn launch(
        self,
        setup: &Setup,
        folder: &Path,
        port: u16,
    ) -> io::Result<LaunchCommand> {
        let args = match self {
            Self::Baseline => {
                let bytes = setup.baseline_bytes;
                format!("baseline --port {port} --unixsocket {SOCKET} --value-bytes {bytes}")
            }
            Self::Redis => redis(port),
            // Larder reads every key at some time. By default Redis tracks a million keys, and
            // invalidates cached ones to make room for more.
            Self::Backend => format!("{} --tracking-table-max-keys 0", redis(port)),
            Self::Memcached => memcached(port),
            Self::Haproxy => {
                write(folder.join("haproxy.cfg"), haproxy_config(port, setup.backend_port))?;
                "-db -f haproxy.cfg".to_owned()
            }
            Self::Nutcracker => {
                write(folder.join("nutcracker.yml"), nutcracker_config(port, setup.backend_port))?;
                let stats = free_port();
                format!(
                    "--conf-file=nutcracker.yml --output=log --pid-file=pid \
                     --stats-addr=127.0.0.1 --stats-port={stats}"
                )
            }
            Self::Larder => larder(port, setup.backend_port),
        };
        LaunchCommand::new(setup.program(self)?, &args)
    }
}

/// Returns the first line that a command prints.
pub(crate) fn first_line(command: &mut Command) -> io::Result<String> {
    let output = command.output()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().find(|line| !line.trim().is_empty());
    Ok(line.unwrap_or("not reported").to_owned())
}

fn redis(port: u16) -> String {
    format!(
        "--bind 127.0.0.1 --port {port} --unixsocket {SOCKET} \
         --save \"\" --appendonly no --io-threads 1"
    )
}

/// One worker thread. Root must pass `-u`, which has no effect for other users.
fn memcached(port: u16) -> String {
    format!("-u root -l 127.0.0.1 -p {port} -U 0 -t 1 -c {CLIENTS_MAX} -m 1024")
}

/// One thread, as there is one core, and room for every entry.
fn larder(port: u16, backend: u16) -> String {
    format!(
        "serve --store redis://127.0.0.1:{backend} --bind 127.0.0.1 --port {port} \
         --unixsocket {SOCKET} --http-port 0 --io-threads 1 --maxmemory 2gb \
         --near-ttl 1h"
    )
}

fn nutcracker_config(port: u16, backend: u16) -> String {
    format!(
        "bench:\n  listen: 127.0.0.1:{port}\n  redis: true\n  servers:\n   - 127.0.0.1:{backend}:1\n"
    )
}

fn haproxy_config(port: u16, backend: u16) -> String {
    format!(
        "global\n    nbthread 1\n    maxconn {CLIENTS_MAX}\n    no strict-limits\n\
         defaults\n    mode tcp\n    timeout connect 5s\n    timeout client 1h\n    timeout server 1h\n\
         listen bench\n    bind 127.0.0.1:{port}\n    server redis 127.0.0.1:{backend}\n"
    )
}
