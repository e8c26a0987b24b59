//! The process of a server, from its start to its first reply.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use larder_testkit::{Process, free_port};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::clock::now;
use crate::cores::Cores;
use crate::error::with_context;

/// How long a server may take from its start to its first reply.
const START_LIMIT: Duration = Duration::from_secs(20);
/// How long a server may take to stop.
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// How often a start is attempted, as another program may take the port first.
const ATTEMPTS_MAX: usize = 3;

/// A command line, to be run in a folder of its own.
pub(crate) struct LaunchCommand {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    /// Environment variables.
    pub(crate) variables: Vec<(&'static str, String)>,
}

impl LaunchCommand {
    /// Splits the arguments at whitespace; `""` is an empty argument.
    pub(crate) fn new(program: &Path, args: &str) -> io::Result<Self> {
        let args = args.split_whitespace().map(|word| word.trim_matches('"').to_owned());
        Ok(Self { program: absolute(program)?, args: args.collect(), variables: Vec::new() })
    }

    fn shown(&self) -> String {
        let quoted = |arg: &String| if arg.is_empty() { "\"\"".to_owned() } else { arg.clone() };
        let args: Vec<_> = self.args.iter().map(quoted).collect();
        format!("{} {}", self.program.display(), args.join(" "))
    }
}

/// A running server process, which is killed on drop.
pub(crate) struct ServerProcess {
    /// The command line, whose paths are relative to the temporary folder.
    pub(crate) command: String,
    // Declared before the folder: the process must have ended when the folder is removed.
    process: Process,
    folder: TempDir,
    port: u16,
}

impl ServerProcess {
    /// Runs the command that `launch` returns for a folder and a port, and waits for the first
    /// reply to `probe`.
    pub(crate) fn start(
        name: &str,
        cores: Cores,
        probe: &[u8],
        launch: impl Fn(&Path, u16) -> io::Result<LaunchCommand>,
    ) -> io::Result<Self> {
        let mut log = String::new();
        for _ in 0..ATTEMPTS_MAX {
            let folder = TempDir::with_prefix("larder-bench-")?;
            let port = free_port();
            let launch = launch(folder.path(), port)?;
            let shown = launch.shown();
            let mut command = Command::new(&launch.program);
            // The caller's environment must not configure the servers.
            command.args(&launch.args).current_dir(&folder).env_clear();
            command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
            command.envs(launch.variables);
            let process = cores.on_server(|| Process::spawn(command, folder.path()))?;
            let mut process = process.map_err(|error| with_context(&shown, &error))?;
            if wait_for_reply(&mut process, port, probe) {
                return Ok(Self { command: shown, process, folder, port });
            }
            log = format!("{shown}\n{}{}", process.stdout(), process.stderr());
        }
        Err(io::Error::other(format!("{name} did not start: {log}")))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Stops the process with SIGTERM, and returns what it wrote to stderr.
    pub(crate) fn stop(mut self) -> io::Result<String> {
        self.process.signal(Signal::TERM);
        match self.process.exits_within(STOP_LIMIT) {
            Some(status) if status.success() => Ok(self.process.stderr()),
            ended => Err(io::Error::other(format!("{ended:?}: {}", self.process.stderr()))),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// Makes a path absolute, as the child has another working directory.
fn absolute(program: &Path) -> io::Result<PathBuf> {
    match program.components().count() {
        // A bare name is looked up in PATH.
        1 => Ok(program.to_owned()),
        _ => std::path::absolute(program),
    }
}

/// Waits until the process replies or exits.
fn wait_for_reply(process: &mut Process, port: u16, probe: &[u8]) -> bool {
    let deadline = now() + START_LIMIT;
    while now() < deadline && process.exited().is_none() {
        if first_byte(port, probe).is_ok_and(|byte| !matches!(byte, 0 | b'-')) {
            // If another program took the port first, this process has exited by now.
            return process.exited().is_none();
        }
        sleep(Duration::from_millis(5));
    }
    false
}

/// Sends the probe and returns the first byte of the reply.
fn first_byte(port: u16, probe: &[u8]) -> io::Result<u8> {
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    socket.write_all(probe)?;
    let mut byte = [0];
    socket.read_exact(&mut byte)?;
    Ok(u8::from_be_bytes(byte))
}
