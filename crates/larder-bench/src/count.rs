//! Counts instructions per hit with callgrind: the one figure that a busy machine does not change.
//!
//! Each program runs twice under valgrind. The first run ends once everything is warm, the second
//! after a number of further hits, so the difference is those hits alone. (The difference of N and
//! 2N hits would be that of two long runs, whose heaps differ.) The count includes what the program
//! does itself, but neither the kernel nor the clock that the kernel provides.

mod record;

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use larder_core::near::Policy;
use larder_testkit::free_port;

use crate::caches::{Cache, Capacity, Larder, ReadCounts, fill};
use crate::client::Client;
use crate::clock::now;
use crate::cores::Cores;
use crate::error::with_context;
use crate::generator::{Generator, LoadConfig, Protocol, ReplyCheck, Target};
use crate::http::HttpKind;
use crate::keys::{KeySequence, KeySpace};
use crate::numbers::per;
use crate::servers::{LaunchCommand, Server, ServerKind, ServerProcess, Setup};
use crate::stop::Stop;

pub use record::{Counts, report};

/// The number of keys that are read in turn, a whole number of batches.
const KEYS: u64 = 1600;
/// The number of keys in the cache of the library.
const LIBRARY_KEYS: u32 = 4000;
/// How much more often those are read. Filling the cache takes a different number of instructions
/// in each run, as keys are hashed with a random seed; many hits make that negligible.
const LIBRARY_PASSES: u64 = 25;
/// How long a server may take until its feed is live, and for all reads of one pass.
const LIMIT: Duration = Duration::from_mins(1);
/// The interval of polling INFO. Long enough that the number of polls hardly differs between runs.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
const CALLGRIND: &str = "--tool=callgrind --callgrind-out-file=/dev/null";

/// The programs to count with.
#[derive(Clone, Debug)]
pub struct CountSetup {
    /// `valgrind`.
    pub valgrind: PathBuf,
    /// This program, which also runs the hits of the library.
    pub bench: PathBuf,
    /// `redis-server`.
    pub redis: PathBuf,
    /// The `larder` whose instructions are counted.
    pub larder: PathBuf,
    /// How often all keys are read while hits are counted.
    pub passes: u64,
}

/// What is counted.
#[derive(Clone, Copy)]
enum Hit {
    /// GET over RESP with this many requests per write.
    Resp(usize),
    Http,
    Library {
        is_batched: bool,
    },
}

const HITS: [(&str, Hit); 5] = [
    ("RESP hit, P=1", Hit::Resp(1)),
    ("RESP hit, P=16", Hit::Resp(16)),
    ("HTTP hit", Hit::Http),
    ("library hit", Hit::Library { is_batched: false }),
    ("library hit, 16 at once", Hit::Library { is_batched: true }),
];

/// Counts all kinds of hit.
///
/// # Errors
/// When a program does not run under valgrind, or returns a wrong reply.
pub fn run(setup: &CountSetup, stop: &Stop) -> io::Result<Counts> {
    let cores = Cores::choose()?;
    let backend_setup = Setup::new(setup.bench.clone(), setup.redis.clone());
    let backend = Server::start(ServerKind::Backend, &backend_setup, cores)?;
    Client::connect(backend.port())?.fill(Protocol::Resp, KeySpace::HOT, 0..KEYS, stop)?;
    let counter = Counter { setup, cores, backend, stop };
    let mut counts = Counts::default();
    for (name, hit) in HITS {
        let per_hit = counter.per_hit(hit).map_err(|error| with_context(name, &error))?;
        counts.instructions.insert(name.to_owned(), per_hit);
    }
    Ok(counts)
}

/// Fills a cache and reads all of it `passes` times. This is what runs under valgrind to count the
/// hits of the library.
///
/// # Errors
/// When a read returns anything else than the value.
pub fn hit_library(is_batched: bool, passes: u64) -> io::Result<()> {
    let capacity = Capacity::NoEviction(LIBRARY_KEYS.into());
    let cache = Larder::new(capacity, Policy::ClockPro);
    // Called through `dyn`, as the comparison with other libraries does.
    let cache: Box<dyn Cache> = Box::new(if is_batched { cache } else { cache.unbatched() });
    fill(&*cache, 0..LIBRARY_KEYS);
    let numbers: Vec<u32> = (0..LIBRARY_KEYS).collect();
    let mut counts = ReadCounts::default();
    for _ in 0..passes {
        cache.get_batch(&numbers, &mut counts);
    }
    let reads = passes * u64::from(LIBRARY_KEYS);
    match counts == (ReadCounts { reads, hits: reads, wrong: 0 }) {
        true => Ok(()),
        false => Err(io::Error::other(format!("{counts:?}"))),
    }
}

struct Counter<'a> {
    setup: &'a CountSetup,
    cores: Cores,
    backend: Server,
    stop: &'a Stop,
}

impl Counter<'_> {
    fn per_hit(&self, hit: Hit) -> io::Result<f64> {
        let (keys, passes) = match hit {
            Hit::Library { .. } => (LIBRARY_KEYS.into(), self.setup.passes * LIBRARY_PASSES),
            Hit::Resp(_) | Hit::Http => (KEYS, self.setup.passes),
        };
        let (without, with) = (self.instructions(hit, 0)?, self.instructions(hit, passes)?);
        Ok(per(with.saturating_sub(without), passes * keys))
    }

    /// Counts the instructions of a whole run.
    fn instructions(&self, hit: Hit, passes: u64) -> io::Result<u64> {
        self.stop.check()?;
        let log = match hit {
            Hit::Library { is_batched } => self.run_library(is_batched, passes)?,
            Hit::Resp(pipeline) => self.run_server(passes, |resp, _| {
                let config = LoadConfig {
                    connections: 1,
                    pipeline,
                    protocol: Protocol::Resp,
                    key_space: KeySpace::HOT,
                    check: ReplyCheck::Value,
                };
                Generator::connect(&Target::Tcp(resp), config, self.stop)
            })?,
            Hit::Http => self.run_server(passes, |_, http| {
                let exchange = HttpKind::Larder.exchange();
                Generator::connect_http(&Target::Tcp(http), 1, &exchange, self.stop)
            })?,
        };
        let line = log.lines().find_map(|line| line.split_once("Collected :"));
        let count = line.and_then(|(_, digits)| digits.trim().parse().ok());
        count.ok_or_else(|| io::Error::other(format!("valgrind printed no count: {log}")))
    }

    /// Runs the hits of the library, and returns what valgrind prints.
    fn run_library(&self, is_batched: bool, passes: u64) -> io::Result<String> {
        let mut command = Command::new(&self.setup.valgrind);
        command.args(CALLGRIND.split(' ')).arg(&self.setup.bench).arg("hit-library");
        command.args(is_batched.then_some("--batched"));
        let output = command.args(["--passes", &passes.to_string()]).output()?;
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(log) } else { Err(io::Error::other(log)) }
    }

    /// Runs a Larder and reads all keys `passes` times through the generator that `connect` opens
    /// to its RESP port or its HTTP port. Returns what valgrind prints.
    fn run_server(
        &self,
        passes: u64,
        connect: impl FnOnce(u16, u16) -> io::Result<Generator>,
    ) -> io::Result<String> {
        let http = free_port();
        let larder = std::path::absolute(&self.setup.larder)?;
        let launch = |_: &Path, port| {
            let args = format!(
                "{CALLGRIND} {} serve --store redis://127.0.0.1:{} --bind 127.0.0.1 --port {port} \
                 --http-port {http} --io-threads 1 --near-ttl 1h",
                larder.display(),
                self.backend.port(),
            );
            LaunchCommand::new(&self.setup.valgrind, &args)
        };
        let process = ServerProcess::start("larder", self.cores, b"PING\r\n", launch)?;
        let mut info = Client::connect(process.port())?;
        wait_for(&mut info, "larder_coherent:1")?;
        let mut generator = connect(process.port(), http)?;
        let mut pass = || generator.run(&mut KeySequence::once(0..KEYS), LIMIT)?.checked();
        pass()?;
        wait_for(&mut info, &format!("larder_near_items:{KEYS}"))?;
        for _ in 0..passes {
            pass()?;
        }
        process.stop()
    }
}

/// Polls INFO until it has this line.
fn wait_for(larder: &mut Client, line: &str) -> io::Result<()> {
    let deadline = now() + LIMIT;
    while now() < deadline {
        sleep(POLL_INTERVAL);
        if larder.call(&["INFO", "larder"])?.lines().any(|it| it == line) {
            return Ok(());
        }
    }
    Err(io::Error::other(format!("INFO does not reach {line}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_saved_counts_have_the_names_that_are_counted() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/counts.json");
        let saved = Counts::load(Path::new(path)).unwrap();
        let counted = HITS.map(|(name, _)| (name.to_owned(), 1.0));
        let counted = Counts { instructions: counted.into() };
        assert!(saved.instructions.keys().eq(counted.instructions.keys()), "{saved:?}");
    }
}
