//! The command line.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints")]

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Args, Parser, Subcommand};
use rustix::process::{Resource, getrlimit, setrlimit};
use serde::Serialize;

use crate::baseline::{Baseline, BaselineProtocol};
use crate::count::{CountSetup, Counts};
use crate::http::HttpSetup;
use crate::plan::Plan;
use crate::report::{Report, document, save};
use crate::servers::Setup;
use crate::stop::Stop;
use crate::{count, http, report, resp};

/// The limit of open files: enough for a thousand connections.
const OPEN_FILES: u64 = 16 << 10;

#[derive(Parser)]
#[command(name = "larder-bench", version, about = "Measures Larder beside other servers")]
struct Cli {
    #[command(subcommand)]
    command: Benchmark,
}

#[derive(Subcommand)]
enum Benchmark {
    /// GET over RESP: Larder, redis-server, memcached, nutcracker, haproxy and the baseline
    Resp(RespArgs),
    /// GET over HTTP: Larder, nginx, webdis, Python services and the baseline
    Http(HttpArgs),
    /// Instructions per hit, counted by callgrind, compared with a saved record
    Count(CountArgs),
    /// Writes docs/benchmarks.md and its plots from the raw figures of all benchmarks
    Report(ReportArgs),
    /// Runs the baseline: the smallest server that answers every request with one value
    Baseline(BaselineArgs),
    /// Fills one cache and reads it
    #[command(hide = true)]
    HitLibrary(HitLibraryArgs),
}

#[derive(Args)]
struct RespArgs {
    /// Takes less than a minute instead of eleven: rougher figures, fewer loads
    #[arg(long)]
    quick: bool,
    /// The larder to measure
    #[arg(long, env = "LARDER_BIN", default_value = "target/release/larder")]
    larder: PathBuf,
    /// The file for the raw figures
    #[arg(long, default_value = "target/bench/resp.json")]
    json: PathBuf,
}

#[derive(Args)]
struct HttpArgs {
    /// Takes twenty seconds instead of less than five minutes: rougher figures
    #[arg(long)]
    quick: bool,
    /// The larder to measure
    #[arg(long, env = "LARDER_BIN", default_value = "target/release/larder")]
    larder: PathBuf,
    /// A Python interpreter with the packages of the services
    #[arg(long, default_value = "target/bench/venv/bin/python")]
    python: PathBuf,
    /// With 1, a server that is not installed is an error
    #[arg(long, env = "LARDER_REQUIRE_ALL", hide = true)]
    require_all: Option<String>,
    /// The file for the raw figures
    #[arg(long, default_value = "target/bench/http.json")]
    json: PathBuf,
}

#[derive(Args)]
struct CountArgs {
    /// The larder to count
    #[arg(long, env = "LARDER_BIN", default_value = "target/release/larder")]
    larder: PathBuf,
    /// The saved record
    #[arg(long, default_value = "docs/counts.json")]
    json: PathBuf,
    /// Overwrites the record with the new counts
    #[arg(long)]
    save: bool,
    /// Fails when a count has grown by more than the tolerance
    #[arg(long)]
    check: bool,
    /// Tolerated growth in percent
    #[arg(long, default_value_t = 3.0)]
    tolerance: f64,
    /// How often all keys are read while hits are counted
    #[arg(long, default_value_t = 24)]
    passes: u64,
    /// With 1, a missing valgrind is an error
    #[arg(long, env = "LARDER_REQUIRE_ALL", hide = true)]
    require_all: Option<String>,
}

#[derive(Args)]
struct HitLibraryArgs {
    /// Reads in batches
    #[arg(long)]
    batched: bool,
    /// How often all keys are read
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
struct BaselineArgs {
    /// The TCP port, on 127.0.0.1
    #[arg(long)]
    port: u16,
    /// The path of a unix socket to listen on as well
    #[arg(long)]
    unixsocket: Option<PathBuf>,
    /// The length of the value
    #[arg(long)]
    value_bytes: usize,
    /// Answers HTTP instead of RESP
    #[arg(long)]
    http: bool,
}

/// Parses the command line and runs the command.
pub fn run() -> ExitCode {
    let done = match Cli::parse().command {
        Benchmark::Resp(args) => resp(&args),
        Benchmark::Http(args) => http(&args),
        Benchmark::Count(args) => count(&args),
        Benchmark::HitLibrary(args) => count::hit_library(args.batched, args.passes),
        Benchmark::Report(args) => report(&args),
        Benchmark::Baseline(args) => baseline(&args),
    };
    exit_code("larder-bench", done)
}

/// Prints an error and turns the result into an exit code.
pub fn exit_code(program: &str, done: io::Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{program}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints a report and saves its raw figures.
pub fn show(report: &Report, results: &impl Serialize, json: &Path) -> io::Result<()> {
    print!("{}", report.text());
    save(results, json)?;
    println!("\nRaw figures: {}", json.display());
    Ok(())
}

fn resp(args: &RespArgs) -> io::Result<()> {
    let plan = if args.quick { Plan::quick() } else { Plan::full() };
    let stop = Stop::on_signals()?;
    raise_open_files_limit()?;
    let results = resp::run(&find_servers(&args.larder)?, &plan, &stop)?;
    show(&report::resp::report(&results), &results, &args.json)
}

fn http(args: &HttpArgs) -> io::Result<()> {
    let plan = if args.quick { Plan::quick() } else { Plan::full() };
    let stop = Stop::on_signals()?;
    raise_open_files_limit()?;
    let setup = find_http_servers(args)?;
    let missing: Vec<_> = setup.missing().iter().map(|kind| kind.name()).collect();
    if args.require_all.as_deref() == Some("1") && !missing.is_empty() {
        let text = format!("not installed: {} (run scripts/setup bench)", missing.join(", "));
        return Err(io::Error::other(text));
    }
    let results = http::run(&setup, &plan, &stop)?;
    show(&report::http::report(&results), &results, &args.json)
}

fn count(args: &CountArgs) -> io::Result<()> {
    let valgrind = PathBuf::from("valgrind");
    if !runs(&valgrind) && args.require_all.as_deref() != Some("1") {
        println!("Skipped: valgrind is not installed (run scripts/setup count)");
        return Ok(());
    }
    require(&valgrind, "install it with `scripts/setup count`")?;
    let Setup { bench, redis, .. } = find_servers(&args.larder)?;
    let (larder, passes) = (args.larder.clone(), args.passes);
    let setup = CountSetup { valgrind, bench, redis, larder, passes };
    let counts = count::run(&setup, &Stop::on_signals()?)?;
    let old = Counts::load(&args.json)?;
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

fn report(args: &ReportArgs) -> io::Result<()> {
    document::render(&args.from, &args.to)?;
    println!("Written: {}", args.to.join("benchmarks.md").display());
    Ok(())
}

fn baseline(args: &BaselineArgs) -> io::Result<()> {
    let protocol = if args.http { BaselineProtocol::Http } else { BaselineProtocol::Resp };
    let baseline = Baseline::bind(args.port, args.unixsocket.as_deref(), args.value_bytes)?;
    baseline.with_protocol(protocol).serve()
}

/// Finds the programs on this machine that are compared over RESP.
fn find_servers(larder: &Path) -> io::Result<Setup> {
    require(larder, "build it with `cargo build --release --bin larder`")?;
    let redis = PathBuf::from("redis-server");
    require(&redis, "install it with `scripts/setup redis`")?;
    Ok(Setup {
        memcached: find(["memcached", "/usr/bin/memcached"]),
        nutcracker: find(["nutcracker", "/usr/sbin/nutcracker"]),
        haproxy: find(["haproxy", "/usr/sbin/haproxy"]),
        larder: Some(larder.to_owned()),
        ..Setup::new(std::env::current_exe()?, redis)
    })
}

/// Finds the programs on this machine that are compared over HTTP.
fn find_http_servers(args: &HttpArgs) -> io::Result<HttpSetup> {
    let Setup { bench, redis, larder, backend_port, .. } = find_servers(&args.larder)?;
    Ok(HttpSetup {
        bench,
        redis,
        larder,
        backend_port,
        nginx: find(["nginx", "/usr/sbin/nginx"]),
        // webdis has no --version: it starts to serve.
        webdis: Some(PathBuf::from("/usr/bin/webdis")).filter(|program| program.exists()),
        python: Some(args.python.clone()).filter(|program| runs(program)),
    })
}

/// Returns the first of these programs that runs. Debian installs some outside a user's PATH.
fn find(candidates: [&str; 2]) -> Option<PathBuf> {
    candidates.into_iter().map(PathBuf::from).find(|program| runs(program))
}

fn require(program: &Path, advice: &str) -> io::Result<()> {
    let missing = || io::Error::other(format!("no {}: {advice}", program.display()));
    runs(program).then_some(()).ok_or_else(missing)
}

fn runs(program: &Path) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

/// Raises the limit of open files, which the servers inherit.
fn raise_open_files_limit() -> io::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(OPEN_FILES).min(OPEN_FILES);
    limit.current = Some(limit.current.map_or(wanted, |current| current.max(wanted)));
    Ok(setrlimit(Resource::Nofile, limit)?)
}
