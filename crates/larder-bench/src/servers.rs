//! What is measured: child processes on free ports of 127.0.0.1 and on unix sockets, all on one
//! core. They end with this program, however it ends (`larder_testkit::Process`).

mod kind;

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use larder_testkit::{Process, free_port};
use tempfile::TempDir;

use crate::client::command;
use crate::clock::now;
use crate::cores::Cores;
use crate::generator::{Answers, Target};

pub use kind::{Kind, Setup};

/// How long a server may take from its start to its first answer.
const START_LIMIT: Duration = Duration::from_secs(20);
/// How often a start is tried: another program may take the port first.
const ATTEMPTS_MAX: usize = 3;
/// The unix socket, in the folder of its server.
pub(crate) const SOCKET: &str = "socket";

/// A running server. It is killed when this is dropped.
pub struct Server {
    /// What it is.
    pub kind: Kind,
    /// How it was started; paths are relative to its temporary folder.
    pub command: String,
    // Before the folder: what runs in it must be gone when it is removed.
    process: Process,
    folder: TempDir,
    port: u16,
}

impl Server {
    /// Starts it and waits for its first answer.
    pub fn start(kind: Kind, setup: &Setup, cores: Cores) -> io::Result<Self> {
        let mut log = String::new();
        for _ in 0..ATTEMPTS_MAX {
            let folder = TempDir::with_prefix("larder-bench-")?;
            let port = free_port();
            let (program, args) = kind.command(setup, folder.path(), port)?;
            let shown = format!("{} {}", program.display(), shown(&args));
            let mut command = Command::new(&program);
            // Settings of the one who runs this must not reach the servers.
            command.args(&args).current_dir(&folder).env_clear();
            command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
            let process = cores.on_server(|| Process::spawn(command, folder.path()))?;
            let mut process = process.map_err(|error| named(&shown, &error))?;
            if answers(&mut process, port) {
                return Ok(Self { kind, command: shown, process, folder, port });
            }
            log = format!("{shown}\n{}{}", process.stdout(), process.stderr());
        }
        Err(io::Error::other(format!("{} does not start: {log}", kind.name())))
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Its port of 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it listens for TCP.
    pub fn tcp(&self) -> Target {
        Target::Tcp(self.port)
    }

    /// Where it listens on a unix socket; `None` if it does not.
    pub fn unix(&self) -> Option<Target> {
        let path: PathBuf = self.folder.path().join(SOCKET);
        path.exists().then_some(Target::Unix(path))
    }

    /// What its replies must be.
    pub fn answers(&self) -> Answers {
        match self.kind {
            Kind::Floor => Answers::OfLength,
            _ => Answers::OfKey,
        }
    }
}

/// An error that says what it is about.
pub(crate) fn named(what: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}

/// The program as the child sees it, whose folder is another.
pub(crate) fn absolute(program: &Path) -> io::Result<PathBuf> {
    match program.components().count() {
        // Looked for in PATH.
        1 => Ok(program.to_owned()),
        _ => std::path::absolute(program),
    }
}

fn shown(args: &[String]) -> String {
    let quoted = args.iter().map(|arg| if arg.is_empty() { "\"\"" } else { arg });
    quoted.collect::<Vec<_>>().join(" ")
}

/// Waits for its first answer, or for its end.
fn answers(process: &mut Process, port: u16) -> bool {
    let end = now() + START_LIMIT;
    while now() < end && process.exited().is_none() {
        if asked(port).is_ok_and(|answer| !matches!(answer, 0 | b'-')) {
            // Another program may have been quicker to take the port; then ours has ended by now.
            return process.exited().is_none();
        }
        sleep(Duration::from_millis(5));
    }
    false
}

/// The first byte of its answer to a GET, which every kind understands.
fn asked(port: u16) -> io::Result<u8> {
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    socket.write_all(&command(&[b"GET", b"ready"]))?;
    let mut byte = [0];
    socket.read_exact(&mut byte)?;
    Ok(u8::from_be_bytes(byte))
}
