//! A server's process, from its start to its first answer.

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
use crate::servers::named;

/// How long a server may take from its start to its first answer.
const START_LIMIT: Duration = Duration::from_secs(20);
/// How long it may take to end.
const END_LIMIT: Duration = Duration::from_secs(30);
/// How often a start is tried: another program may take the port first.
const ATTEMPTS_MAX: usize = 3;

/// What is started, in a folder of its own.
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    /// Variables of its environment.
    pub(crate) variables: Vec<(&'static str, String)>,
}

impl Launch {
    /// A program with its arguments; `""` is an empty one.
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

/// A running process that answers. It is killed when this is dropped.
pub(crate) struct Launched {
    /// How it was started; paths are relative to its temporary folder.
    pub(crate) command: String,
    // Before the folder: what runs in it must be gone when it is removed.
    process: Process,
    folder: TempDir,
    port: u16,
}

impl Launched {
    /// Starts what `launch` says for a folder and a port, and waits for the first answer to
    /// `question`.
    pub(crate) fn start(
        name: &str,
        cores: Cores,
        question: &[u8],
        launch: impl Fn(&Path, u16) -> io::Result<Launch>,
    ) -> io::Result<Self> {
        let mut log = String::new();
        for _ in 0..ATTEMPTS_MAX {
            let folder = TempDir::with_prefix("larder-bench-")?;
            let port = free_port();
            let launch = launch(folder.path(), port)?;
            let shown = launch.shown();
            let mut command = Command::new(&launch.program);
            // Settings of the one who runs this must not reach the servers.
            command.args(&launch.args).current_dir(&folder).env_clear();
            command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
            command.envs(launch.variables);
            let process = cores.on_server(|| Process::spawn(command, folder.path()))?;
            let mut process = process.map_err(|error| named(&shown, &error))?;
            if answers(&mut process, port, question) {
                return Ok(Self { command: shown, process, folder, port });
            }
            log = format!("{shown}\n{}{}", process.stdout(), process.stderr());
        }
        Err(io::Error::other(format!("{name} does not start: {log}")))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Asks it to end, and waits for that; what it wrote to its standard error.
    pub(crate) fn end(mut self) -> io::Result<String> {
        self.process.signal(Signal::TERM);
        match self.process.exits_within(END_LIMIT) {
            Some(status) if status.success() => Ok(self.process.stderr()),
            ended => Err(io::Error::other(format!("{ended:?}: {}", self.process.stderr()))),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// The program as the child sees it, whose folder is another.
fn absolute(program: &Path) -> io::Result<PathBuf> {
    match program.components().count() {
        // Looked for in PATH.
        1 => Ok(program.to_owned()),
        _ => std::path::absolute(program),
    }
}

/// Waits for its first answer, or for its end.
fn answers(process: &mut Process, port: u16, question: &[u8]) -> bool {
    let end = now() + START_LIMIT;
    while now() < end && process.exited().is_none() {
        if asked(port, question).is_ok_and(|answer| !matches!(answer, 0 | b'-')) {
            // Another program may have been quicker to take the port; then ours has ended by now.
            return process.exited().is_none();
        }
        sleep(Duration::from_millis(5));
    }
    false
}

/// The first byte of its answer.
fn asked(port: u16, question: &[u8]) -> io::Result<u8> {
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    socket.write_all(question)?;
    let mut byte = [0];
    socket.read_exact(&mut byte)?;
    Ok(u8::from_be_bytes(byte))
}
