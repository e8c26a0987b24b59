//! The command line.
#![allow(clippy::print_stdout, reason = "a program that prints")]

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use larder_bench::cache_kind::CacheKind;
use larder_bench::cli::{exit_code, show};
use larder_bench::libraries::LibrariesPlan;
use larder_bench::report;
use larder_bench::stop::Stop;

use crate::{hit_ratio, libraries};

#[derive(Parser)]
#[command(version, about = "Compares Larder's near cache with other cache libraries")]
struct Cli {
    #[command(subcommand)]
    command: Benchmark,
}

#[derive(Subcommand)]
enum Benchmark {
    /// Time per operation and bytes per entry
    Libraries(LibrariesArgs),
    /// Hit ratios on traces, beside those of the optimal policy
    HitRatio(HitRatioArgs),
    /// Fills one cache and prints the growth of this process as JSON
    #[command(hide = true)]
    EntryBytes(EntryBytesArgs),
}

#[derive(Args)]
struct LibrariesArgs {
    /// Takes less than a minute instead of less than five: rougher figures, no clearing
    #[arg(long)]
    quick: bool,
    /// The file for the raw figures
    #[arg(long, default_value = "target/bench/libraries.json")]
    json: PathBuf,
}

#[derive(Args)]
struct HitRatioArgs {
    /// The folder of the traces, named as in Caffeine's simulator: multi1.trace.gz and so on.
    /// Without it, synthetic traces are used
    #[arg(long, env = "LARDER_TRACES")]
    traces: Option<PathBuf>,
    /// The file for the raw figures
    #[arg(long, default_value = "target/bench/hit-ratio.json")]
    json: PathBuf,
}

#[derive(Args)]
struct EntryBytesArgs {
    /// The cache to fill
    #[arg(long)]
    cache: CacheKind,
    /// How many entries it has room for
    #[arg(long)]
    entries: u32,
}

/// Parses the command line and runs the command.
pub fn run() -> ExitCode {
    let done = match Cli::parse().command {
        Benchmark::Libraries(args) => libraries(&args),
        Benchmark::HitRatio(args) => hit_ratio(&args),
        Benchmark::EntryBytes(args) => entry_bytes(&args),
    };
    exit_code("larder-bench-compare", done)
}

fn libraries(args: &LibrariesArgs) -> io::Result<()> {
    let plan = if args.quick { LibrariesPlan::quick() } else { LibrariesPlan::full() };
    let results = libraries::run(&std::env::current_exe()?, &plan, &Stop::on_signals()?)?;
    show(&report::libraries::report(&results), &results, &args.json)
}

fn hit_ratio(args: &HitRatioArgs) -> io::Result<()> {
    let results = hit_ratio::run(args.traces.as_deref(), &Stop::on_signals()?)?;
    show(&report::hit_ratio::report(&results), &results, &args.json)
}

fn entry_bytes(args: &EntryBytesArgs) -> io::Result<()> {
    println!("{}", serde_json::to_string(&libraries::measure_growth(args.cache, args.entries)?)?);
    Ok(())
}
