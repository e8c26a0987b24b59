//! The command line.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints")]

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Args, Parser, Subcommand};
use rustix::process::{Resource, getrlimit, setrlimit};
use serde::Serialize;

use crate::caches::CacheKind;
use crate::count::{CountSetup, Counts};
use crate::floor::{Floor, Language};
use crate::http::HttpSetup;
use crate::libraries::{LibrariesPlan, grow};
use crate::plan::Plan;
use crate::report::{Report, document, save};
use crate::servers::Setup;
use crate::stop::Stop;
use crate::{count, hit_ratio, http, libraries, measure, report};

/// Files that may be open at once: a thousand connections, and room for more.
const OPEN_FILES: u64 = 16 << 10;

#[derive(Parser)]
#[command(name = "larder-bench", version, about = "Measures Larder beside others")]
struct Cli {
    #[command(subcommand)]
    part: Part,
}

#[derive(Subcommand)]
enum Part {
    /// GET over RESP: Larder, redis-server, memcached, nutcracker, haproxy and the floor
    Resp(Resp),
    /// GET over HTTP: Larder, nginx, webdis, Python services and the floor
    Http(Http),
    /// The near tier in one process: Larder and what others have written
    Libraries(Libraries),
    /// Hit ratios of the same on traces, and the best that could be done
    HitRatio(HitRatio),
    /// Instructions per hit, by callgrind, beside those of the last record
    Count(Count),
    /// Writes docs/benchmarks.md and its plots from the raw figures of the others
    Report(ReportArgs),
    /// Serves the floor: the smallest program that answers every command with one value
    Floor(FloorArgs),
    /// Fills one cache, and says in JSON how this process grew
    #[command(hide = true)]
    EntryBytes(EntryBytes),
    /// Fills one cache, and hits it
    #[command(hide = true)]
    HitLibrary(HitLibrary),
}

#[derive(Args)]
struct Resp {
    /// Less than a minute instead of eleven: rougher figures, and not all of them
    #[arg(long)]
    quick: bool,
    /// The larder that is measured
    #[arg(long, env = "LARDER_BIN", default_value = "target/release/larder")]
    larder: PathBuf,
    /// Where the raw figures go
    #[arg(long, default_value = "target/bench/resp.json")]
    json: PathBuf,
}

#[derive(Args)]
struct Http {
    /// Twenty seconds instead of less than five minutes: rougher figures
    #[arg(long)]
    quick: bool,
    /// The larder that is measured
    #[arg(long, env = "LARDER_BIN", default_value = "target/release/larder")]
    larder: PathBuf,
    /// The Python with the services' packages
    #[arg(long, default_value = "target/bench/venv/bin/python")]
    python: PathBuf,
    /// 1: what is not installed is an error
    #[arg(long, env = "LARDER_REQUIRE_ALL", hide = true)]
    require_all: Option<String>,
    /// Where the raw figures go
    #[arg(long, default_value = "target/bench/http.json")]
    json: PathBuf,
}

#[derive(Args)]
struct Libraries {
    /// Less than a minute instead of less than five: rougher figures, and nothing is cleared
    #[arg(long)]
    quick: bool,
    /// Where the raw figures go
    #[arg(long, default_value = "target/bench/libraries.json")]
    json: PathBuf,
}

#[derive(Args)]
struct HitRatio {
    /// The folder with the traces, as Caffeine's simulator has them: multi1.trace.gz and so on;
    /// without one, a few are made up
    #[arg(long, env = "LARDER_TRACES")]
    traces: Option<PathBuf>,
    /// Where the raw figures go
    #[arg(long, default_value = "target/bench/hit-ratio.json")]
    json: PathBuf,
}

#[derive(Args)]
struct Count {
    /// The larder that is counted
    #[arg(long, env = "LARDER_BIN", default_value = "target/release/larder")]
    larder: PathBuf,
    /// The record
    #[arg(long, default_value = "docs/counts.json")]
    json: PathBuf,
    /// Writes the record anew
    #[arg(long)]
    save: bool,
    /// Fails when something has grown by more than the tolerance
    #[arg(long)]
    check: bool,
    /// In percent
    #[arg(long, default_value_t = 3.0)]
    tolerance: f64,
    /// How often all keys are read while hits are counted
    #[arg(long, default_value_t = 24)]
    passes: u64,
    /// 1: a missing valgrind is an error
    #[arg(long, env = "LARDER_REQUIRE_ALL", hide = true)]
    require_all: Option<String>,
}

#[derive(Args)]
struct HitLibrary {
    #[arg(long)]
    cache: CacheKind,
    #[arg(long)]
    passes: u64,
}

#[derive(Args)]
struct ReportArgs {
    /// The folder with the raw figures
    #[arg(long, default_value = "target/bench")]
    from: PathBuf,
    /// The folder of the document
    #[arg(long, default_value = "docs")]
    to: PathBuf,
}

#[derive(Args)]
struct EntryBytes {
    #[arg(long)]
    cache: CacheKind,
    #[arg(long)]
    entries: u32,
}

#[derive(Args)]
struct FloorArgs {
    #[arg(long)]
    port: u16,
    #[arg(long)]
    unixsocket: Option<PathBuf>,
    #[arg(long)]
    value_bytes: usize,
    /// Speaks HTTP instead of RESP
    #[arg(long)]
    http: bool,
}

/// Does what the command line says.
pub fn run() -> ExitCode {
    let done = match Cli::parse().part {
        Part::Resp(args) => resp(&args),
        Part::Http(args) => http(&args),
        Part::Libraries(args) => libraries(&args),
        Part::HitRatio(args) => hit_ratio(&args),
        Part::Count(args) => count(&args),
        Part::HitLibrary(args) => count::hit_library(args.cache, args.passes),
        Part::Report(args) => report(&args),
        Part::Floor(args) => floor(&args),
        Part::EntryBytes(args) => entry_bytes(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("larder-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn resp(args: &Resp) -> io::Result<()> {
    let plan = if args.quick { Plan::quick() } else { Plan::full() };
    let stop = Stop::on_signals()?;
    allow_open_files()?;
    let results = measure::run(&setup(&args.larder)?, &plan, &stop)?;
    show(&report::resp::report(&results), &results, &args.json)
}

fn http(args: &Http) -> io::Result<()> {
    let plan = if args.quick { Plan::quick() } else { Plan::full() };
    let stop = Stop::on_signals()?;
    allow_open_files()?;
    let setup = http_setup(args)?;
    let missing: Vec<_> = setup.missing().iter().map(|kind| kind.name()).collect();
    if args.require_all.as_deref() == Some("1") && !missing.is_empty() {
        let text = format!("not installed: {} (scripts/setup bench)", missing.join(", "));
        return Err(io::Error::other(text));
    }
    let results = http::run(&setup, &plan, &stop)?;
    show(&report::http::report(&results), &results, &args.json)
}

fn libraries(args: &Libraries) -> io::Result<()> {
    let plan = if args.quick { LibrariesPlan::quick() } else { LibrariesPlan::full() };
    let results = libraries::run(&std::env::current_exe()?, &plan, &Stop::on_signals()?)?;
    show(&report::libraries::report(&results), &results, &args.json)
}

fn hit_ratio(args: &HitRatio) -> io::Result<()> {
    let results = hit_ratio::run(args.traces.as_deref(), &Stop::on_signals()?)?;
    show(&report::hit_ratio::report(&results), &results, &args.json)
}

fn count(args: &Count) -> io::Result<()> {
    let valgrind = PathBuf::from("valgrind");
    if !runs(&valgrind) && args.require_all.as_deref() != Some("1") {
        println!("Not counted: no valgrind (scripts/setup count)");
        return Ok(());
    }
    needed(&valgrind, "install it with `scripts/setup count`")?;
    let Setup { floor: bench, redis, .. } = setup(&args.larder)?;
    let (larder, passes) = (args.larder.clone(), args.passes);
    let setup = CountSetup { valgrind, bench, redis, larder, passes };
    let counts = count::run(&setup, &Stop::on_signals()?)?;
    let old = Counts::saved(&args.json)?;
    print!("{}", count::report(&old, &counts));
    if args.save {
        save(&counts.rounded(), &args.json)?;
        println!("\nWritten: {}", args.json.display());
    }
    let grown = counts.grown(&old, args.tolerance).join(", ");
    match args.check && !grown.is_empty() {
        true => Err(io::Error::other(format!("more instructions than before: {grown}"))),
        false => Ok(()),
    }
}

fn show(report: &Report, results: &impl Serialize, json: &Path) -> io::Result<()> {
    print!("{}", report.text());
    save(results, json)?;
    println!("\nRaw figures: {}", json.display());
    Ok(())
}

fn report(args: &ReportArgs) -> io::Result<()> {
    document::render(&args.from, &args.to)?;
    println!("Written: {}", args.to.join("benchmarks.md").display());
    Ok(())
}

fn entry_bytes(args: &EntryBytes) -> io::Result<()> {
    println!("{}", serde_json::to_string(&grow(args.cache, args.entries)?)?);
    Ok(())
}

fn floor(args: &FloorArgs) -> io::Result<()> {
    let language = if args.http { Language::Http } else { Language::Resp };
    let floor = Floor::bind(args.port, args.unixsocket.as_deref(), args.value_bytes)?;
    floor.speaking(language).serve()
}

/// What there is on this machine.
fn setup(larder: &Path) -> io::Result<Setup> {
    needed(larder, "build it with `cargo build --release --bin larder`")?;
    let redis = PathBuf::from("redis-server");
    needed(&redis, "install it with `scripts/setup redis`")?;
    Ok(Setup {
        memcached: found(["memcached", "/usr/bin/memcached"]),
        nutcracker: found(["nutcracker", "/usr/sbin/nutcracker"]),
        haproxy: found(["haproxy", "/usr/sbin/haproxy"]),
        larder: Some(larder.to_owned()),
        ..Setup::new(std::env::current_exe()?, redis)
    })
}

fn http_setup(args: &Http) -> io::Result<HttpSetup> {
    let Setup { floor, redis, larder, backend_port, .. } = setup(&args.larder)?;
    Ok(HttpSetup {
        floor,
        redis,
        larder,
        backend_port,
        nginx: found(["nginx", "/usr/sbin/nginx"]),
        // It serves when it is run.
        webdis: Some(PathBuf::from("/usr/bin/webdis")).filter(|program| program.exists()),
        python: Some(args.python.clone()).filter(|program| runs(program)),
    })
}

/// The first one that runs: where Debian puts some is not on everybody's path.
fn found(places: [&str; 2]) -> Option<PathBuf> {
    places.into_iter().map(PathBuf::from).find(|program| runs(program))
}

fn needed(program: &Path, advice: &str) -> io::Result<()> {
    let missing = || io::Error::other(format!("no {}: {advice}", program.display()));
    runs(program).then_some(()).ok_or_else(missing)
}

fn runs(program: &Path) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

/// Servers inherit it.
fn allow_open_files() -> io::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(OPEN_FILES).min(OPEN_FILES);
    limit.current = Some(limit.current.map_or(most, |current| current.max(most)));
    Ok(setrlimit(Resource::Nofile, limit)?)
}
