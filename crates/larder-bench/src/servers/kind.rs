//! The kinds of server, and how each is started.

use std::fs::write;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use larder_testkit::free_port;
use serde::{Deserialize, Serialize};

use crate::generator::Protocol;
use crate::keys::VALUE_BYTES;
use crate::servers::{Launch, SOCKET};

/// Connections that a server must be ready for.
const CLIENTS_MAX: usize = 4096;

/// A kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The smallest program that answers.
    Floor,
    /// redis-server by itself.
    Redis,
    /// memcached by itself.
    Memcached,
    /// twemproxy: a proxy without memory, which sends many clients' requests over one connection.
    Nutcracker,
    /// haproxy, which does not read what it passes on.
    Haproxy,
    /// Larder.
    Larder,
    /// The redis-server behind the proxies.
    Backend,
}

impl Kind {
    /// Those that are compared, in the order of the report.
    pub const MEASURED: [Self; 6] =
        [Self::Floor, Self::Redis, Self::Memcached, Self::Nutcracker, Self::Haproxy, Self::Larder];

    /// Those that a machine may be without.
    pub(crate) const OPTIONAL: [Self; 3] = [Self::Memcached, Self::Nutcracker, Self::Haproxy];

    /// As reports name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Redis => "redis",
            Self::Memcached => "memcached",
            Self::Nutcracker => "nutcracker",
            Self::Haproxy => "haproxy",
            Self::Larder => "larder",
            Self::Backend => "redis behind",
        }
    }

    /// What it is asked in.
    pub(crate) const fn protocol(self) -> Protocol {
        match self {
            Self::Memcached => Protocol::Memcached,
            _ => Protocol::Resp,
        }
    }

    /// Whether it is made to listen on a unix socket as well.
    pub(crate) const fn has_unix_socket(self) -> bool {
        matches!(self, Self::Floor | Self::Redis | Self::Larder)
    }

    /// Whether it asks a Redis for what it does not have.
    pub(crate) const fn has_redis_behind(self) -> bool {
        matches!(self, Self::Nutcracker | Self::Haproxy | Self::Larder)
    }
}

/// What a run has to start servers with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// This program, which is the floor too.
    pub floor: PathBuf,
    /// `redis-server`.
    pub redis: PathBuf,
    /// `memcached`, where there is one.
    pub memcached: Option<PathBuf>,
    /// `nutcracker`, where there is one.
    pub nutcracker: Option<PathBuf>,
    /// `haproxy`, where there is one.
    pub haproxy: Option<PathBuf>,
    /// `larder`, unless the others are measured alone.
    pub larder: Option<PathBuf>,
    /// The port of the redis behind the proxies, once it runs.
    pub backend_port: u16,
    /// Bytes of the value that the floor answers with.
    pub floor_bytes: usize,
}

impl Setup {
    /// Nothing but these two.
    pub const fn new(floor: PathBuf, redis: PathBuf) -> Self {
        Self {
            floor,
            redis,
            memcached: None,
            nutcracker: None,
            haproxy: None,
            larder: None,
            backend_port: 0,
            floor_bytes: VALUE_BYTES,
        }
    }

    /// The kinds that can be measured.
    pub fn kinds(&self) -> Vec<Kind> {
        Kind::MEASURED.into_iter().filter(|kind| self.found(*kind).is_some()).collect()
    }

    /// What a program says of itself.
    pub(crate) fn version(&self, kind: Kind) -> io::Result<String> {
        let argument = if kind == Kind::Haproxy { "-v" } else { "--version" };
        first_line(Command::new(self.program(kind)?).arg(argument))
    }

    fn program(&self, kind: Kind) -> io::Result<&Path> {
        let missing = || io::Error::other(format!("no program for {}", kind.name()));
        self.found(kind).ok_or_else(missing)
    }

    fn found(&self, kind: Kind) -> Option<&Path> {
        let program = match kind {
            Kind::Floor => Some(&self.floor),
            Kind::Redis | Kind::Backend => Some(&self.redis),
            Kind::Memcached => self.memcached.as_ref(),
            Kind::Nutcracker => self.nutcracker.as_ref(),
            Kind::Haproxy => self.haproxy.as_ref(),
            Kind::Larder => self.larder.as_ref(),
        };
        program.map(PathBuf::as_path)
    }
}

impl Kind {
    /// The program and its arguments, to be run in `folder`.
    pub(super) fn launch(self, setup: &Setup, folder: &Path, port: u16) -> io::Result<Launch> {
        let args = match self {
            Self::Floor => {
                let bytes = setup.floor_bytes;
                format!("floor --port {port} --unixsocket {SOCKET} --value-bytes {bytes}")
            }
            Self::Redis => redis(port),
            // Every key is read through Larder at some time. By default Redis remembers a million
            // readers' names and throws out others' entries to make room.
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
        Launch::new(setup.program(self)?, &args)
    }
}

/// The first line that a command prints.
pub(crate) fn first_line(command: &mut Command) -> io::Result<String> {
    let output = command.output()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().find(|line| !line.trim().is_empty());
    Ok(line.unwrap_or("says no version").to_owned())
}

fn redis(port: u16) -> String {
    format!(
        "--bind 127.0.0.1 --port {port} --unixsocket {SOCKET} \
         --save \"\" --appendonly no --io-threads 1"
    )
}

/// One thread for clients. Root has to say that it means it; for others `-u` is nothing.
fn memcached(port: u16) -> String {
    format!("-u root -l 127.0.0.1 -p {port} -U 0 -t 1 -c {CLIENTS_MAX} -m 1024")
}

/// One thread, as it has one core; no entry may leave during a run.
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
