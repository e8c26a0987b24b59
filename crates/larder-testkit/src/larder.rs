//! Larder itself as a child process, run as an operator would run it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::process::Process;
use crate::wait::poll;
use crate::{Signal, free_port, http};

/// Limit from the start of Larder to its first response, over all attempts.
const START_LIMIT: Duration = Duration::from_secs(20);
/// Limit for Larder to exit, after SIGTERM or by itself.
const EXIT_LIMIT: Duration = Duration::from_secs(30);
/// Part of the error that Larder logs if another program has bound its port first. The start is
/// then repeated on another port.
const PORT_TAKEN: &str = "in use by another program";

/// A running Larder, killed on drop.
pub struct Larder {
    // Declared before the folder, so that the process has ended when its folder is removed.
    process: Mutex<Process>,
    _folder: TempDir,
    port: u16,
    resp_port: Option<u16>,
}

impl Larder {
    /// Starts `program`, which is `env!("CARGO_BIN_EXE_larder")`, with these arguments.
    pub fn start(program: impl AsRef<Path>, args: &[&str]) -> Self {
        Self::builder(program).args(args).start()
    }

    /// Returns a builder for `program`, which is `env!("CARGO_BIN_EXE_larder")`.
    pub fn builder(program: impl AsRef<Path>) -> LarderBuilder {
        LarderBuilder {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            config: None,
            serves_resp: false,
        }
    }

    /// Returns a URL of the HTTP listener: `url("/livez")`.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Returns the port of the HTTP listener.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the port of the RESP listener, which [`LarderBuilder::resp`] asked for.
    ///
    /// # Panics
    /// If it was not asked for.
    pub fn resp_port(&self) -> u16 {
        self.resp_port.expect("a Larder built with `resp()`")
    }

    /// Returns the process id.
    pub fn pid(&self) -> u32 {
        self.process().pid()
    }

    /// Returns what it has written to standard error so far.
    pub fn log(&self) -> String {
        self.process().stderr()
    }

    /// Returns what it has written to standard output so far.
    pub fn stdout(&self) -> String {
        self.process().stdout()
    }

    /// Sends SIGSTOP and waits until the process has stopped.
    pub fn pause(&self) {
        self.process().pause();
    }

    /// Sends SIGCONT.
    pub fn resume(&self) {
        self.process().resume();
    }

    /// Sends a signal without waiting for its effect.
    pub fn signal(&self, signal: Signal) {
        self.process().signal(signal);
    }

    /// Sends SIGTERM and waits for the exit. Returns the exit status and how long it took.
    pub fn terminate(&self) -> (ExitStatus, Duration) {
        let start = Instant::now();
        self.signal(Signal::TERM);
        (self.wait(), start.elapsed())
    }

    /// Waits for the exit.
    ///
    /// # Panics
    /// With the log if it still runs after 30 s.
    pub fn wait(&self) -> ExitStatus {
        let mut process = self.process();
        let status = process.exits_within(EXIT_LIMIT);
        status.unwrap_or_else(|| panic!("larder still runs:\n{}", process.stderr()))
    }

    /// Sends SIGKILL and waits for the exit.
    pub fn kill(&self) {
        self.process().kill();
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().expect("no thread panicked while holding the lock")
    }
}

/// Settings of a [`Larder`]. Its environment is empty except for `PATH` and the variables given
/// here, and its working directory is a temporary one, so that nothing of the machine leaks in.
#[derive(Clone, Debug)]
pub struct LarderBuilder {
    program: PathBuf,
    args: Vec<String>,
    env: Vec<(String, String)>,
    config: Option<String>,
    serves_resp: bool,
}

impl LarderBuilder {
    /// Serves RESP on a free port: see [`Larder::resp_port`].
    #[must_use]
    pub fn resp(mut self) -> Self {
        self.serves_resp = true;
        self
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<T: AsRef<str>>(mut self, args: &[T]) -> Self {
        self.args.extend(args.iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// Sets the text of the settings file (TOML), which is passed with `--config`.
    #[must_use]
    pub fn config_text(mut self, toml: impl Into<String>) -> Self {
        self.config = Some(toml.into());
        self
    }

    /// Starts the server on free ports and waits until `GET /livez` returns 200.
    ///
    /// # Panics
    /// With the standard error if it exits or does not respond within 20 s.
    pub fn start(self) -> Larder {
        let folder = temp_folder();
        let (process, port, resp_port) = self.launch(&folder);
        Larder { process: Mutex::new(process), _folder: folder, port, resp_port }
    }

    /// Runs a command to its end, with only the given arguments.
    ///
    /// # Panics
    /// If it still runs after 30 s. It is killed then.
    pub fn run(self) -> CommandOutput {
        let folder = temp_folder();
        let mut process = self.spawn(&folder, &[]);
        let status = process.exits_within(EXIT_LIMIT);
        let (stdout, stderr) = (process.stdout(), process.stderr());
        let status = status.unwrap_or_else(|| panic!("larder does not exit:\n{stdout}{stderr}"));
        CommandOutput { status, stdout, stderr }
    }

    /// Runs a command that is expected to fail. Returns its exit code and its standard error.
    ///
    /// # Panics
    /// If it succeeds, is ended by a signal, or still runs after 30 s.
    pub fn fails_with(self) -> (i32, String) {
        let CommandOutput { status, stdout, stderr } = self.run();
        match status.code() {
            Some(code) if code != 0 => (code, stderr),
            _ => panic!("larder should have failed, but: {status}\n{stdout}{stderr}"),
        }
    }

    /// Tries free ports until none of them is taken in the meantime.
    fn launch(&self, folder: &TempDir) -> (Process, u16, Option<u16>) {
        let start = Instant::now();
        loop {
            let port = free_port();
            let resp_port = self.serves_resp.then(|| free_port_but(port));
            let mut args = vec!["--http-port".to_owned(), port.to_string()];
            args.extend(resp_port.into_iter().flat_map(|port| ["--port".into(), port.to_string()]));
            let mut process = self.spawn(folder, &args);
            if responds(&mut process, port) {
                return (process, port, resp_port);
            }
            let log = process.stderr();
            let again = log.contains(PORT_TAKEN) && start.elapsed() < START_LIMIT;
            assert!(again, "larder does not start on port {port}:\n{log}");
        }
    }

    fn spawn(&self, folder: &TempDir, more_args: &[String]) -> Process {
        let mut command = Command::new(&self.program);
        command.current_dir(folder).env_clear().args(&self.args);
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        if let Some(toml) = &self.config {
            let file = folder.path().join("larder.toml");
            std::fs::write(&file, toml).expect("the settings file is written");
            command.args([OsStr::new("--config"), file.as_os_str()]);
        }
        command.args(more_args);
        Process::spawn(command, folder.path())
            .unwrap_or_else(|error| panic!("{}: {error}", self.program.display()))
    }
}

/// The result of a command that has exited.
#[derive(Clone, Debug)]
pub struct CommandOutput {
    /// The exit status.
    pub status: ExitStatus,
    /// The standard output.
    pub stdout: String,
    /// The standard error.
    pub stderr: String,
}

fn temp_folder() -> TempDir {
    TempDir::with_prefix("larder-").expect("a temporary folder")
}

/// Returns a free port other than one that is about to be used.
fn free_port_but(used: u16) -> u16 {
    std::iter::repeat_with(free_port).find(|port| *port != used).unwrap_or_default()
}

/// Waits until `GET /livez` returns 200. Returns false if the process exits first.
fn responds(process: &mut Process, port: u16) -> bool {
    let url = format!("http://127.0.0.1:{port}/livez");
    let lives = || http::try_send("GET", &url, &[], "").is_ok_and(|answer| answer.status == 200);
    let ready = poll(START_LIMIT, || match process.exited() {
        Some(_) => Some(false),
        None => lives().then_some(true),
    });
    // Another server may have taken the port first. In that case this process has exited by now.
    ready == Some(true) && process.exited().is_none()
}
