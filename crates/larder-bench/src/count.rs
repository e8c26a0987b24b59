//! Instructions per hit, counted by callgrind: the one figure that a busy machine does not change.
//!
//! Each program runs twice under valgrind: once it ends when all is warm, once after so many hits
//! more. What the runs differ in are those hits alone: starting, filling and ending are in both. (Of
//! N and 2N hits the difference would be that of two long runs, whose heaps differ.) Counted is what the
//! program does itself; what the kernel does for it, and the clock that the kernel lends, is not.

mod record;

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use clap::ValueEnum;
use larder_testkit::free_port;

use crate::caches::{CacheKind, Size, Tally};
use crate::client::Client;
use crate::clock::now;
use crate::cores::Cores;
use crate::generator::{Answers, Generator, Protocol, Shape, Target};
use crate::http::HttpKind;
use crate::keys::{Family, Order};
use crate::libraries::fill;
use crate::numbers::per;
use crate::servers::{Kind, Launch, Launched, Server, Setup, named};
use crate::stop::Stop;

pub use record::{Counts, report};

/// Keys that are read in turn. A whole number of batches.
const KEYS: u64 = 1600;
/// Keys in a library's cache.
const LIBRARY_KEYS: u32 = 4000;
/// How much more often they are read: so that what fills the cache, which differs from run to run
/// as names are hashed with a secret, is next to nothing.
const LIBRARY_PASSES: u64 = 25;
/// How long a Larder may take until it trusts its feed, and all reads of one pass.
const LIMIT: Duration = Duration::from_mins(1);
/// Long enough for the feed: how often Larder is asked about it hardly differs between two runs.
const PAUSE: Duration = Duration::from_secs(1);
const CALLGRIND: &str = "--tool=callgrind --callgrind-out-file=/dev/null";

/// What a run has to count with.
#[derive(Clone, Debug)]
pub struct CountSetup {
    /// `valgrind`.
    pub valgrind: PathBuf,
    /// This program, which is the library's user too.
    pub bench: PathBuf,
    /// `redis-server`.
    pub redis: PathBuf,
    /// The `larder` that is counted.
    pub larder: PathBuf,
    /// How often the keys are read while hits are counted.
    pub passes: u64,
}

/// What is counted.
#[derive(Clone, Copy)]
enum Hit {
    /// GET over RESP, so many in one write.
    Resp(usize),
    Http,
    Library(CacheKind),
}

const HITS: [(&str, Hit); 5] = [
    ("RESP hit, P=1", Hit::Resp(1)),
    ("RESP hit, P=16", Hit::Resp(16)),
    ("HTTP hit", Hit::Http),
    ("library hit", Hit::Library(CacheKind::LarderSingle)),
    ("library hit, 16 at once", Hit::Library(CacheKind::Larder)),
];

/// Counts everything.
///
/// # Errors
/// When a program does not run under valgrind, or gives a wrong reply.
pub fn run(setup: &CountSetup, stop: &Stop) -> io::Result<Counts> {
    let cores = Cores::take()?;
    let backend = Server::start(Kind::Backend, &behind(setup), cores)?;
    Client::connect(backend.port())?.fill(Protocol::Resp, Family::HOT, 0..KEYS, stop)?;
    let counter = Counter { setup, cores, backend, stop };
    let mut counts = Counts::default();
    for (name, hit) in HITS {
        let per_hit = counter.per_hit(hit).map_err(|error| named(name, &error))?;
        counts.instructions.insert(name.to_owned(), per_hit);
    }
    Ok(counts)
}

/// Fills a cache and hits it so often: what is counted of a library.
///
/// # Errors
/// When it gives anything else than the value.
pub fn hit_library(kind: CacheKind, passes: u64) -> io::Result<()> {
    let cache = kind.build(Size::RoomFor(LIBRARY_KEYS.into()));
    fill(&*cache, 0..LIBRARY_KEYS);
    let numbers: Vec<u32> = (0..LIBRARY_KEYS).collect();
    let mut tally = Tally::default();
    for _ in 0..passes {
        cache.reads(&numbers, &mut tally);
    }
    let reads = passes * u64::from(LIBRARY_KEYS);
    match tally == (Tally { reads, hits: reads, wrong: 0 }) {
        true => Ok(()),
        false => Err(io::Error::other(format!("{}: {tally:?}", kind.name()))),
    }
}

fn behind(setup: &CountSetup) -> Setup {
    Setup::new(setup.bench.clone(), setup.redis.clone())
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
            Hit::Library(_) => (LIBRARY_KEYS.into(), self.setup.passes * LIBRARY_PASSES),
            Hit::Resp(_) | Hit::Http => (KEYS, self.setup.passes),
        };
        let (without, with) = (self.collected(hit, 0)?, self.collected(hit, passes)?);
        Ok(per(with.saturating_sub(without), passes * keys))
    }

    /// Instructions of a whole run.
    fn collected(&self, hit: Hit, passes: u64) -> io::Result<u64> {
        self.stop.check()?;
        let log = match hit {
            Hit::Library(kind) => self.library(kind, passes)?,
            Hit::Resp(pipeline) => self.server(passes, |resp, _| {
                let shape = Shape {
                    connections: 1,
                    pipeline,
                    protocol: Protocol::Resp,
                    family: Family::HOT,
                    answers: Answers::OfKey,
                };
                Generator::connect(&Target::Tcp(resp), shape, self.stop)
            })?,
            Hit::Http => self.server(passes, |_, http| {
                let exchange = HttpKind::Larder.exchange();
                Generator::connect_http(&Target::Tcp(http), 1, &exchange, self.stop)
            })?,
        };
        let line = log.lines().find_map(|line| line.split_once("Collected :"));
        let count = line.and_then(|(_, digits)| digits.trim().parse().ok());
        count.ok_or_else(|| io::Error::other(format!("valgrind counts nothing: {log}")))
    }

    fn library(&self, kind: CacheKind, passes: u64) -> io::Result<String> {
        let name = kind.to_possible_value().map(|value| value.get_name().to_owned());
        let mut command = Command::new(&self.setup.valgrind);
        command.args(CALLGRIND.split(' ')).arg(&self.setup.bench);
        command.args(["hit-library", "--cache", &name.unwrap_or_default()]);
        let output = command.args(["--passes", &passes.to_string()]).output()?;
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(log) } else { Err(io::Error::other(log)) }
    }

    /// A Larder whose ports for RESP and HTTP are asked for all keys, so many times over.
    fn server(
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
            Launch::new(&self.setup.valgrind, &args)
        };
        let launched = Launched::start("larder", self.cores, b"PING\r\n", launch)?;
        let mut about = Client::connect(launched.port())?;
        wait_for(&mut about, "larder_coherent:1")?;
        let mut generator = connect(launched.port(), http)?;
        let mut pass = || generator.run(&mut Order::once(0..KEYS), LIMIT)?.all_right();
        pass()?;
        wait_for(&mut about, &format!("larder_near_items:{KEYS}"))?;
        for _ in 0..passes {
            pass()?;
        }
        launched.end()
    }
}

/// Waits until Larder says this of itself.
fn wait_for(larder: &mut Client, wanted: &str) -> io::Result<()> {
    let end = now() + LIMIT;
    while now() < end {
        sleep(PAUSE);
        if larder.ask(&["INFO", "larder"])?.lines().any(|line| line == wanted) {
            return Ok(());
        }
    }
    Err(io::Error::other(format!("does not come to {wanted}")))
}
