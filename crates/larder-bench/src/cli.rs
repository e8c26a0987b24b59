//! The command line.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints")]

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Args, Parser, Subcommand};
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::floor::Floor;
use crate::plan::Plan;
use crate::servers::Setup;
use crate::stop::Stop;
use crate::{measure, report};

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
    /// Serves the floor: the smallest program that answers every command with one value
    Floor(FloorArgs),
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
        Part::Floor(args) => floor(&args),
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
    print!("{}", report::text(&results));
    report::save(&results, &args.json)?;
    println!("\nRaw figures: {}", args.json.display());
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
