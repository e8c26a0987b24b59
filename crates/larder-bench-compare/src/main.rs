//! The `larder-bench-compare` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    larder_bench_compare::cli::run()
}
