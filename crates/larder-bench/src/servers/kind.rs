//! The kinds of server, and how each is started.

use std::fs::write;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use larder_testkit::free_port;
use serde::{Deserialize, Serialize};

use crate::keys::VALUE_BYTES;
use crate::servers::{Launch, SOCKET};

/// A kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The smallest program that answers.
    Floor,
    /// redis-server by itself.
    Redis,
    /// twemproxy: a proxy without memory.
    Nutcracker,
    /// Larder.
    Larder,
    /// The redis-server behind the proxies.
    Backend,
}

impl Kind {
    /// As reports name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Redis => "redis",
            Self::Nutcracker => "nutcracker",
            Self::Larder => "larder",
            Self::Backend => "redis behind",
        }
    }
}

/// What a run has to start servers with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// This program, which is the floor too.
    pub floor: PathBuf,
    /// `redis-server`.
    pub redis: PathBuf,
    /// `nutcracker`, where there is one.
    pub nutcracker: Option<PathBuf>,
    /// `larder`, unless the others are measured alone.
    pub larder: Option<PathBuf>,
    /// The port of the redis behind the proxies, once it runs.
    pub backend_port: u16,
}

impl Setup {
    /// The kinds that can be measured.
    pub fn kinds(&self) -> Vec<Kind> {
        let mut kinds = vec![Kind::Floor, Kind::Redis];
        kinds.extend(self.nutcracker.as_ref().map(|_| Kind::Nutcracker));
        kinds.extend(self.larder.as_ref().map(|_| Kind::Larder));
        kinds
    }

    /// What a program says of itself.
    pub(crate) fn version(&self, kind: Kind) -> io::Result<String> {
        first_line(Command::new(self.program(kind)?).arg("--version"))
    }

    fn program(&self, kind: Kind) -> io::Result<&Path> {
        let program = match kind {
            Kind::Floor => Some(&self.floor),
            Kind::Redis | Kind::Backend => Some(&self.redis),
            Kind::Nutcracker => self.nutcracker.as_ref(),
            Kind::Larder => self.larder.as_ref(),
        };
        program
            .map(PathBuf::as_path)
            .ok_or_else(|| io::Error::other(format!("no program for {}", kind.name())))
    }
}

impl Kind {
    /// The program and its arguments, to be run in `folder`.
    pub(super) fn launch(self, setup: &Setup, folder: &Path, port: u16) -> io::Result<Launch> {
        let args = match self {
            Self::Floor => {
                format!("floor --port {port} --unixsocket {SOCKET} --value-bytes {VALUE_BYTES}")
            }
            Self::Redis => redis(port),
            // Every key is read through Larder at some time. By default Redis remembers a million
            // readers' names and throws out others' entries to make room.
            Self::Backend => format!("{} --tracking-table-max-keys 0", redis(port)),
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

/// One thread, as it has one core; no entry may leave during a run.
fn larder(port: u16, backend: u16) -> String {
    format!(
        "serve --store redis://127.0.0.1:{backend} --bind 127.0.0.1 --port {port} \
         --unixsocket {SOCKET} --http-port 0 --io-threads 1 --maxmemory 2gb --near-ttl 1h"
    )
}

fn nutcracker_config(port: u16, backend: u16) -> String {
    format!(
        "bench:\n  listen: 127.0.0.1:{port}\n  redis: true\n  servers:\n   - 127.0.0.1:{backend}:1\n"
    )
}
