//! The command line.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints")]

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Args, Parser, Subcommand};
use rustix::process::{Resource, getrlimit, setrlimit};
use serde::Serialize;

use crate::caches::CacheKind;
use crate::floor::Floor;
use crate::libraries::{LibrariesPlan, grow};
use crate::plan::Plan;
use crate::report::{Report, document, save};
use crate::servers::Setup;
use crate::stop::Stop;
use crate::{hit_ratio, libraries, measure, report};

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
    /// GET over RESP: Larder, redis-server, nutcracker and the floor
    Resp(Resp),
    /// The near tier in one process: Larder and what others have written
    Libraries(Libraries),
    /// Hit ratios of the same on real traces, and the best that could be done
    HitRatio(HitRatio),
    /// Writes docs/benchmarks.md and its plots from the raw figures of the others
    Report(ReportArgs),
    /// Serves the floor: the smallest program that answers every command with one value
    Floor(FloorArgs),
    /// Fills one cache, and says in JSON how this process grew
    #[command(hide = true)]
    EntryBytes(EntryBytes),
}

#[derive(Args)]
struct Resp {
    /// Less than a minute instead of less than five: rougher figures
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
struct Libraries {
    /// A minute and a half instead of less than five: rougher figures
    #[arg(long)]
    quick: bool,
    /// Where the raw figures go
    #[arg(long, default_value = "target/bench/libraries.json")]
    json: PathBuf,
}

#[derive(Args)]
struct HitRatio {
    /// The folder with the traces, as Caffeine's simulator has them: multi1.trace.gz and so on
    #[arg(long, env = "LARDER_TRACES")]
    traces: PathBuf,
    /// Where the raw figures go
    #[arg(long, default_value = "target/bench/hit-ratio.json")]
    json: PathBuf,
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
}

/// Does what the command line says.
pub fn run() -> ExitCode {
    let done = match Cli::parse().part {
        Part::Resp(args) => resp(&args),
        Part::Libraries(args) => libraries(&args),
        Part::HitRatio(args) => hit_ratio(&args),
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

fn libraries(args: &Libraries) -> io::Result<()> {
    let plan = if args.quick { LibrariesPlan::quick() } else { LibrariesPlan::full() };
    let results = libraries::run(&std::env::current_exe()?, &plan, &Stop::on_signals()?)?;
    show(&report::libraries::report(&results), &results, &args.json)
}

fn hit_ratio(args: &HitRatio) -> io::Result<()> {
    let results = hit_ratio::run(&args.traces, &Stop::on_signals()?)?;
    show(&report::hit_ratio::report(&results), &results, &args.json)
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
    Floor::bind(args.port, args.unixsocket.as_deref(), args.value_bytes)?.serve()
}

/// What there is on this machine.
fn setup(larder: &Path) -> io::Result<Setup> {
    needed(larder, "build it with `cargo build --release --bin larder`")?;
    let redis = PathBuf::from("redis-server");
    needed(&redis, "install it with `scripts/setup redis`")?;
    // Where Debian puts it is not on everybody's path.
    let nutcracker = ["nutcracker", "/usr/sbin/nutcracker"].map(PathBuf::from);
    Ok(Setup {
        floor: std::env::current_exe()?,
        redis,
        nutcracker: nutcracker.into_iter().find(|program| runs(program)),
        larder: Some(larder.to_owned()),
        backend_port: 0,
    })
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
