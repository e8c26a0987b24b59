//! What a load takes: the clocks of all who have a part in it, and what servers count themselves.

use std::io;

use crate::client::Client;
use crate::cpu::{CpuTime, of_this_thread};
use crate::servers::{Kind, Server};

/// Where to look.
#[derive(Clone, Copy)]
pub(crate) struct Gauges<'a> {
    /// The process of the server that is measured.
    server: u32,
    /// That server, if it counts its hits.
    larder: Option<&'a Server>,
    /// The Redis that it asks.
    behind: Option<&'a Server>,
}

/// What they say before a load.
pub(crate) struct Reading {
    hits: Option<u64>,
    commands: Option<u64>,
    server: CpuTime,
    behind: Option<CpuTime>,
    generator: u64,
}

/// What a load took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Used {
    /// CPU time of the server, in nanoseconds.
    pub(crate) cpu_ns: u64,
    /// CPU time of the Redis behind it, in nanoseconds.
    pub(crate) behind_ns: Option<u64>,
    /// CPU time of this thread, in nanoseconds.
    pub(crate) generator_ns: u64,
    /// Reads that Larder answered from memory.
    pub(crate) hits: Option<u64>,
    /// Commands that the Redis behind has processed.
    pub(crate) commands: Option<u64>,
}

impl<'a> Gauges<'a> {
    pub(crate) fn of(server: &'a Server, behind: Option<&'a Server>) -> Self {
        let larder = Some(server).filter(|server| server.kind == Kind::Larder);
        Self { server: server.pid(), larder, behind }
    }

    /// Of a process that is asked for nothing.
    pub(crate) const fn of_process(server: u32, behind: Option<&'a Server>) -> Self {
        Self { server, larder: None, behind }
    }

    /// Before a load: the clocks last, as questions take time. Larder, which may ask its Redis for
    /// the answer, before that one.
    pub(crate) fn read(self) -> io::Result<Reading> {
        Ok(Reading {
            hits: self.larder.map(hits).transpose()?,
            commands: self.behind.map(commands).transpose()?,
            server: CpuTime::of(self.server)?,
            behind: self.behind.map(Server::pid).map(CpuTime::of).transpose()?,
            generator: of_this_thread(),
        })
    }

    /// After it, all the other way round.
    pub(crate) fn since(self, earlier: &Reading) -> io::Result<Used> {
        let generator_ns = of_this_thread().saturating_sub(earlier.generator);
        let cpu_ns = CpuTime::of(self.server)?.since(&earlier.server);
        let behind = self.behind.map(Server::pid).map(CpuTime::of).transpose()?;
        let behind_ns = behind.zip(earlier.behind.as_ref()).map(|(now, then)| now.since(then));
        // The earlier question is a command too.
        let commands = grown(self.behind.map(commands).transpose()?, earlier.commands, 1);
        let hits = grown(self.larder.map(hits).transpose()?, earlier.hits, 0);
        Ok(Used { cpu_ns, behind_ns, generator_ns, hits, commands })
    }
}

/// How much more it is than it was, without so many.
fn grown(now: Option<u64>, then: Option<u64>, without: u64) -> Option<u64> {
    now.zip(then).map(|(now, then)| now.saturating_sub(then + without))
}

fn hits(larder: &Server) -> io::Result<u64> {
    count(larder, "larder", "larder_hits:")
}

fn commands(redis: &Server) -> io::Result<u64> {
    count(redis, "stats", "total_commands_processed:")
}

/// A number that a server knows under a name.
pub(super) fn count(server: &Server, section: &str, name: &str) -> io::Result<u64> {
    let info = Client::connect(server.port())?.ask(&["INFO", section])?;
    let digits = info.lines().find_map(|line| line.strip_prefix(name));
    let unknown = || io::Error::other(format!("{} does not say {name}", server.kind.name()));
    digits.and_then(|digits| digits.parse().ok()).ok_or_else(unknown)
}
