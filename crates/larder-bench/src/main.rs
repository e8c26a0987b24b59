//! The `larder-bench` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    larder_bench::cli::run()
}
