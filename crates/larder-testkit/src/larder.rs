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

/// How long Larder may take from its start to its first answer, all attempts together.
const START_LIMIT: Duration = Duration::from_secs(20);
/// How long Larder may take to leave, after SIGTERM or on its own account.
const EXIT_LIMIT: Duration = Duration::from_secs(30);
/// What Larder says when another program was quicker to bind its port: then it gets another one.
const PORT_TAKEN: &str = "in use by another program";

/// A running Larder. It is killed when this is dropped.
pub struct Larder {
    // Before the folder: what runs in it must be gone when it is removed.
    process: Mutex<Process>,
    _folder: TempDir,
    port: u16,
}

impl Larder {
    /// Starts `program`, which is `env!("CARGO_BIN_EXE_larder")`, with these arguments.
    pub fn start(program: impl AsRef<Path>, args: &[&str]) -> Self {
        Self::builder(program).args(args).start()
    }

    /// A run of `program`, which is `env!("CARGO_BIN_EXE_larder")`, with more settings.
    pub fn builder(program: impl AsRef<Path>) -> LarderBuilder {
        LarderBuilder {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            config: None,
        }
    }

    /// A URL of its HTTP listener: `url("/livez")`.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The port of its HTTP listener.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process().pid()
    }

    /// What it wrote to its standard error so far.
    pub fn log(&self) -> String {
        self.process().stderr()
    }

    /// What it wrote to its standard output so far.
    pub fn stdout(&self) -> String {
        self.process().stdout()
    }

    /// SIGSTOP; returns once it has stopped.
    pub fn pause(&self) {
        self.process().pause();
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.process().resume();
    }

    /// Sends a signal and does not wait.
    pub fn signal(&self, signal: Signal) {
        self.process().signal(signal);
    }

    /// SIGTERM; returns how it ended and how long that took.
    pub fn terminate(&self) -> (ExitStatus, Duration) {
        let start = Instant::now();
        self.signal(Signal::TERM);
        (self.wait(), start.elapsed())
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// With its log when it still runs after 30 s.
    pub fn wait(&self) -> ExitStatus {
        let mut process = self.process();
        let status = process.exits_within(EXIT_LIMIT);
        status.unwrap_or_else(|| panic!("larder still runs:\n{}", process.stderr()))
    }

    /// SIGKILL; returns once it is gone.
    pub fn kill(&self) {
        self.process().kill();
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().expect("no earlier panic in the testkit")
    }
}

/// Settings of a run of Larder. Its environment is empty but for `PATH` and what is given here, and
/// its working folder is a temporary one: nothing of the machine leaks in.
#[derive(Clone, Debug)]
pub struct LarderBuilder {
    program: PathBuf,
    args: Vec<String>,
    env: Vec<(String, String)>,
    config: Option<String>,
}

impl LarderBuilder {
    /// One more argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args<T: AsRef<str>>(mut self, args: &[T]) -> Self {
        self.args.extend(args.iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// One environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// The text of its settings file (TOML), which it is given with `--config`.
    #[must_use]
    pub fn config_text(mut self, toml: impl Into<String>) -> Self {
        self.config = Some(toml.into());
        self
    }

    /// Starts the server on a free `--http-port` and waits until `GET /livez` answers 200.
    ///
    /// # Panics
    /// With its standard error when it ends or does not answer within 20 s.
    pub fn start(self) -> Larder {
        let folder = temp_folder();
        let (process, port) = self.launch(&folder);
        Larder { process: Mutex::new(process), _folder: folder, port }
    }

    /// Runs a command that ends by itself, with the arguments given and no other.
    ///
    /// # Panics
    /// When it still runs after 30 s; it is killed then.
    pub fn run(self) -> CommandOutput {
        let folder = temp_folder();
        let mut process = self.spawn(&folder, &[]);
        let status = process.exits_within(EXIT_LIMIT);
        let (stdout, stderr) = (process.stdout(), process.stderr());
        let status = status.unwrap_or_else(|| panic!("larder does not end:\n{stdout}{stderr}"));
        CommandOutput { status, stdout, stderr }
    }

    /// Runs a command that is expected to fail; returns its exit code and its standard error.
    ///
    /// # Panics
    /// When it succeeds, is ended by a signal, or still runs after 30 s.
    pub fn fails_with(self) -> (i32, String) {
        let CommandOutput { status, stdout, stderr } = self.run();
        match status.code() {
            Some(code) if code != 0 => (code, stderr),
            _ => panic!("larder was to fail, but: {status}\n{stdout}{stderr}"),
        }
    }

    fn launch(&self, folder: &TempDir) -> (Process, u16) {
        let start = Instant::now();
        loop {
            let port = free_port();
            let mut process = self.spawn(folder, &["--http-port", &port.to_string()]);
            if answers(&mut process, port) {
                return (process, port);
            }
            let log = process.stderr();
            let again = log.contains(PORT_TAKEN) && start.elapsed() < START_LIMIT;
            assert!(again, "larder does not start on port {port}:\n{log}");
        }
    }

    fn spawn(&self, folder: &TempDir, more_args: &[&str]) -> Process {
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

/// A command that has ended.
#[derive(Clone, Debug)]
pub struct CommandOutput {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to its standard output.
    pub stdout: String,
    /// What it wrote to its standard error.
    pub stderr: String,
}

fn temp_folder() -> TempDir {
    TempDir::with_prefix("larder-").expect("a temporary folder")
}

/// Waits for `GET /livez` to answer 200, or for the end of the process.
fn answers(process: &mut Process, port: u16) -> bool {
    let url = format!("http://127.0.0.1:{port}/livez");
    let lives = || http::try_send("GET", &url, &[], "").is_ok_and(|answer| answer.status == 200);
    let ready = poll(START_LIMIT, || match process.exited() {
        Some(_) => Some(false),
        None => lives().then_some(true),
    });
    // Another server may have been quicker to take the port; then ours has ended by now.
    ready == Some(true) && process.exited().is_none()
}
