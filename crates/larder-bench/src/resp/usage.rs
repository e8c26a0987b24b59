//! What a load uses: CPU time of every process involved, and the counters of the servers.

use std::io;

use crate::client::Client;
use crate::cpu::{CpuTime, of_this_thread};
use crate::servers::{Server, ServerKind};

/// The processes whose usage is measured.
#[derive(Clone, Copy)]
pub(crate) struct UsageProbe<'a> {
    /// The process of the measured server.
    server: u32,
    /// That server if it is a Larder, which counts its hits.
    larder: Option<&'a Server>,
    backend: Option<&'a Server>,
}

/// The counters before a load.
pub(crate) struct Snapshot {
    hits: Option<u64>,
    commands: Option<u64>,
    gets: Option<u64>,
    server: CpuTime,
    backend: Option<CpuTime>,
    generator: u64,
}

/// What a load used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// CPU time of the server, in nanoseconds.
    pub(crate) cpu_ns: u64,
    /// CPU time of the backend, in nanoseconds.
    pub(crate) backend_ns: Option<u64>,
    /// CPU time of the generator, which is this thread, in nanoseconds.
    pub(crate) generator_ns: u64,
    /// Reads that Larder answered from its near cache.
    pub(crate) hits: Option<u64>,
    /// Commands that the backend processed.
    pub(crate) commands: Option<u64>,
    /// `GET` commands among them.
    pub(crate) gets: Option<u64>,
}

impl<'a> UsageProbe<'a> {
    pub(crate) fn of_server(server: &'a Server, backend: Option<&'a Server>) -> Self {
        let larder = Some(server).filter(|server| server.kind == ServerKind::Larder);
        Self { server: server.pid(), larder, backend }
    }

    /// Measures a process without reading counters from it.
    pub(crate) const fn of_process(server: u32, backend: Option<&'a Server>) -> Self {
        Self { server, larder: None, backend }
    }

    /// Takes a snapshot before a load. Reads the counters before the CPU times, as that uses CPU
    /// time, and those of Larder before those of its backend, which it may query.
    pub(crate) fn snapshot(self) -> io::Result<Snapshot> {
        Ok(Snapshot {
            hits: self.larder.map(hits).transpose()?,
            commands: self.backend.map(commands).transpose()?,
            gets: self.backend.map(gets).transpose()?,
            server: CpuTime::of(self.server)?,
            backend: self.backend.map(Server::pid).map(CpuTime::of).transpose()?,
            generator: of_this_thread(),
        })
    }

    /// Returns the usage since a snapshot. Reads everything in the opposite order.
    pub(crate) fn since(self, earlier: &Snapshot) -> io::Result<Usage> {
        let generator_ns = of_this_thread().saturating_sub(earlier.generator);
        let cpu_ns = CpuTime::of(self.server)?.since(&earlier.server);
        let backend = self.backend.map(Server::pid).map(CpuTime::of).transpose()?;
        let backend_ns = backend.zip(earlier.backend.as_ref()).map(|(now, then)| now.since(then));
        let gets = grown(self.backend.map(gets).transpose()?, earlier.gets, 0);
        // Each INFO is counted as a command too: two of the snapshot, and the last one.
        let commands = grown(self.backend.map(commands).transpose()?, earlier.commands, 3);
        let hits = grown(self.larder.map(hits).transpose()?, earlier.hits, 0);
        Ok(Usage { cpu_ns, backend_ns, generator_ns, hits, commands, gets })
    }
}

/// Returns by how much a counter has grown, less `excluded`.
fn grown(now: Option<u64>, then: Option<u64>, excluded: u64) -> Option<u64> {
    now.zip(then).map(|(now, then)| now.saturating_sub(then + excluded))
}

fn hits(larder: &Server) -> io::Result<u64> {
    info_counter(larder, "larder", "larder_hits:")
}

fn commands(redis: &Server) -> io::Result<u64> {
    info_counter(redis, "stats", "total_commands_processed:")
}

fn gets(redis: &Server) -> io::Result<u64> {
    let info = Client::connect(redis.port())?.call(&["INFO", "commandstats"])?;
    let calls = info.lines().find_map(|line| line.strip_prefix("cmdstat_get:calls="));
    // There is no line before the first GET.
    let calls = calls.and_then(|calls| calls.split(',').next()).unwrap_or("0");
    calls.parse().map_err(io::Error::other)
}

/// Reads a counter from a section of INFO.
pub(super) fn info_counter(server: &Server, section: &str, prefix: &str) -> io::Result<u64> {
    let info = Client::connect(server.port())?.call(&["INFO", section])?;
    let digits = info.lines().find_map(|line| line.strip_prefix(prefix));
    let missing = || io::Error::other(format!("INFO of {} has no {prefix}", server.kind.name()));
    digits.and_then(|digits| digits.parse().ok()).ok_or_else(missing)
}
