//! The `larder` program.

use larder_server::cli::{self, Parsed};
use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run_from_env() {
        Parsed::Serve(config) => larder_server::serve(&config),
        Parsed::Exit(code) => code,
    }
}
