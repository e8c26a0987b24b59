//! The command line: `larder [serve]`, `larder check-config`, and what is asked of a running server.
//!
//! Flags and their help come from the table of settings. What is wrong with the words of the command
//! line is clap's to say (exit 2); what is wrong with the values is the settings' (exit 78).

mod check_config;
mod help;
mod remote;
mod stats;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::config::{self, Config, ConfigErrors, Environment, table};
use remote::RemoteCommand;

/// `EX_CONFIG` of `sysexits.h`.
const BAD_CONFIGURATION: u8 = 78;
const FAILED: u8 = 1;

/// What the process was asked to do.
#[derive(Debug)]
pub enum Parsed {
    /// Serve by this plan.
    Serve(Box<Config>),
    /// Nothing more: everything was said, and this is how to end.
    Exit(ExitCode),
}

/// What there is to say instead of serving.
#[derive(Debug)]
pub enum Output {
    /// Help, the version, or a mistake in the words of the command line.
    Usage(clap::Error),
    /// What `check-config` shows.
    Text(String),
    /// What is wrong with the settings.
    InvalidConfig(ConfigErrors),
    /// Why a running server could not be asked.
    Failed(String),
}

/// Reads the command line and the environment of this process, and says what there is to say.
pub fn run_from_env() -> Parsed {
    match parse(std::env::args_os(), &config::of_process()) {
        Ok(config) => Parsed::Serve(config),
        Err(reply) => Parsed::Exit(reply.print().into()),
    }
}

/// The plan to serve by, or what there is to say instead. `args` starts with the program's name.
pub fn parse(
    args: impl IntoIterator<Item = OsString>,
    environment: &Environment,
) -> Result<Box<Config>, Output> {
    let matches = command().try_get_matches_from(args).map_err(Output::Usage)?;
    let (name, matches) = matches.subcommand().unwrap_or(("serve", &matches));
    let resolved = config::resolve(&flags(matches), environment).map_err(Output::InvalidConfig)?;
    let command = match name {
        "check-config" => return Err(Output::Text(check_config::text(&resolved))),
        "stats" => RemoteCommand::Stats { json: matches.get_flag("json") },
        "passthrough" => RemoteCommand::Passthrough(
            matches.get_one::<String>("switch").map(|switch| switch == "on"),
        ),
        _ => return Ok(Box::new(resolved.config)),
    };
    Err(command.ask(&resolved.config).map_or_else(Output::Failed, Output::Text))
}

impl Output {
    /// The exit code that goes with it.
    pub fn code(&self) -> u8 {
        match self {
            Self::Usage(error) => u8::try_from(error.exit_code()).unwrap_or(FAILED),
            Self::Text(_) => 0,
            Self::InvalidConfig(_) => BAD_CONFIGURATION,
            Self::Failed(_) => FAILED,
        }
    }

    /// Says it, on stdout or stderr, and returns the exit code.
    fn print(&self) -> u8 {
        let said = match self {
            Self::Usage(error) => error.print(),
            Self::Text(text) => writeln!(io::stdout(), "{text}"),
            Self::InvalidConfig(errors) => writeln!(io::stderr(), "{errors}"),
            Self::Failed(why) => writeln!(io::stderr(), "larder: {why}"),
        };
        // A closed pipe takes nothing away from a failure.
        match said {
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
        .subcommand(Command::new("serve").about("Serve until SIGTERM or SIGINT; the default"))
        .subcommand(
            Command::new("check-config")
                .about("Show the settings in force and where each came from, or all mistakes"),
        )
        .subcommand(Command::new("stats").about("Show the counts of a running server").arg(
            Arg::new("json").long("json").action(ArgAction::SetTrue).help("All of them, as JSON"),
        ))
        .subcommand(
            Command::new("passthrough")
                .about("Send every read of a running server to the store, or no longer")
                .arg(
                    Arg::new("switch")
                        .value_parser(["on", "off"])
                        .help("What to turn it; without, how it stands"),
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
