//! The command line: `larder [serve]`, `larder check-config`, and commands that talk to a running
//! server.
//!
//! Flags and their help come from the table of settings. clap reports unknown words (exit 2); the
//! configuration reports invalid values (exit 78).

mod check_config;
mod help;
mod remote;
mod stats;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::{
    config::{self, BAD_CONFIGURATION, Config, ConfigErrors, Environment, Purpose, table},
    origins,
};
use remote::RemoteCommand;

const FAILED: u8 = 1;

/// What the command line asks for.
#[derive(Debug)]
pub enum Parsed {
    /// Serve with this configuration.
    Serve(Box<Config>),
    /// Exit: the output has been printed.
    Exit(ExitCode),
}

/// The output of a command line that does not serve.
#[derive(Debug)]
pub enum Output {
    /// Help, the version, or a usage error.
    Usage(clap::Error),
    /// The output of a command.
    Text(String),
    /// Errors in the configuration.
    InvalidConfig(ConfigErrors),
    /// Origins that cannot be opened.
    InvalidOrigins(String),
    /// Why a command failed.
    Failed(String),
}

/// Parses the command line and the environment of this process, and prints the output.
pub fn run_from_env() -> Parsed {
    match parse(std::env::args_os(), &config::of_process()) {
        Ok(config) => Parsed::Serve(config),
        Err(reply) => Parsed::Exit(reply.print().into()),
    }
}

/// Returns the configuration to serve with, or the output to print instead. `args` starts with the
/// program's name.
pub fn parse(
    args: impl IntoIterator<Item = OsString>,
    environment: &Environment,
) -> Result<Box<Config>, Output> {
    let matches = command().try_get_matches_from(args).map_err(Output::Usage)?;
    let (name, matches) = matches.subcommand().unwrap_or(("serve", &matches));
    let purpose = match name {
        "stats" | "passthrough" => Purpose::Connect,
        _ => Purpose::Serve,
    };
    let resolved = config::resolve(purpose, &flags(matches), environment);
    let resolved = resolved.map_err(Output::InvalidConfig)?;
    let command = match name {
        "check-config" => return Err(check_config(&resolved)),
        "stats" => RemoteCommand::Stats { json: matches.get_flag("json") },
        "passthrough" => RemoteCommand::Passthrough(
            matches.get_one::<String>("switch").map(|switch| switch == "on"),
        ),
        _ => return Ok(Box::new(resolved.config)),
    };
    Err(command.run(&resolved.config).map_or_else(Output::Failed, Output::Text))
}

/// An origin that would not open must fail here as well, not only when the server starts.
fn check_config(resolved: &config::Resolved) -> Output {
    let errors = origins::check(&resolved.config.origins);
    if errors.is_empty() {
        return Output::Text(check_config::text(resolved));
    }
    let lines = errors.iter().map(|error| format!("larder: {error}"));
    Output::InvalidOrigins(lines.collect::<Vec<_>>().join("\n"))
}

impl Output {
    /// Returns the exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Usage(error) => u8::try_from(error.exit_code()).unwrap_or(FAILED),
            Self::Text(_) => 0,
            Self::InvalidConfig(_) | Self::InvalidOrigins(_) => BAD_CONFIGURATION,
            Self::Failed(_) => FAILED,
        }
    }

    /// Prints to standard output or standard error, and returns the exit code.
    fn print(&self) -> u8 {
        let printed = match self {
            Self::Usage(error) => error.print(),
            Self::Text(text) => writeln!(io::stdout(), "{text}"),
            Self::InvalidConfig(errors) => writeln!(io::stderr(), "{errors}"),
            Self::InvalidOrigins(text) => writeln!(io::stderr(), "{text}"),
            Self::Failed(why) => writeln!(io::stderr(), "larder: {why}"),
        };
        // A closed pipe does not turn a failure into another exit code.
        match printed {
            Ok(()) => self.code(),
            Err(_) => self.code().max(FAILED),
        }
    }
}

fn command() -> Command {
    Command::new("larder")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A coherent near cache for Redis and for anything slower")
        .after_help(help::after())
        .max_term_width(100)
        .next_line_help(true)
        .subcommand(
            Command::new("serve").about("Serve until SIGTERM or SIGINT (the default command)"),
        )
        .subcommand(
            Command::new("check-config")
                .about("Show every setting with its source, or every error"),
        )
        .subcommand(
            Command::new("stats").about("Show the statistics of a running server").arg(
                Arg::new("json")
                    .long("json")
                    .action(ArgAction::SetTrue)
                    .help("Show all of them as JSON"),
            ),
        )
        .subcommand(
            Command::new("passthrough")
                .about("Show or set whether a running server sends every read to the store")
                .arg(
                    Arg::new("switch")
                        .value_parser(["on", "off"])
                        .help("Turn pass-through on or off; without it, show the state"),
                ),
        )
        .args(table::TABLE.iter().flat_map(|group| {
            group.settings.iter().map(|setting| {
                Arg::new(setting.info().flag)
                    .long(setting.info().flag)
                    .value_name(setting.info().placeholder)
                    .help(help::of(*setting))
                    .help_heading(group.heading)
                    .global(true)
            })
        }))
}

fn flags(matches: &ArgMatches) -> Vec<(&'static str, String)> {
    table::all()
        .map(|setting| setting.info().flag)
        .filter_map(|flag| Some((flag, matches.get_one::<String>(flag)?.clone())))
        .collect()
}
