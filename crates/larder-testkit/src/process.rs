//! A child process that cannot outlive its test.
//!
//! Dropping a [`Process`] kills it and waits for it, which covers tests that end and tests that
//! panic. A test program that is killed, aborts, or exits with a server in a `static` drops
//! nothing. For that case each process has a [`Guard`]: a shell that reads from a pipe whose other
//! end only the test program holds. When the test program is gone, the shell reads the end of the
//! pipe and kills the process.

use std::fs::{File, read};
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use crate::wait::{eventually, poll};

/// Limit for a process to stop after SIGSTOP.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// A running child that ends with this program, however that ends, and the files that hold its
/// output. Its methods panic if the kernel refuses an operation on the child.
pub struct Process {
    child: Child,
    guard: Guard,
    folder: PathBuf,
}

impl Process {
    /// Starts `command`, with its output appended to the files `stdout` and `stderr` in `folder`.
    pub fn spawn(mut command: Command, folder: &Path) -> io::Result<Self> {
        let mut guard = Guard::start()?;
        // In a process group of its own, so that Ctrl-C on a terminal reaches the test program
        // only. The guard then notices the end of the test program.
        let child = command
            .stdin(Stdio::null())
            .stdout(append(&folder.join("stdout"))?)
            .stderr(append(&folder.join("stderr"))?)
            .process_group(0)
            .spawn()?;
        guard.watch(child.id());
        Ok(Self { child, guard, folder: folder.to_owned() })
    }

    /// Returns the process id. The kernel does not reuse it until this is dropped or is known to
    /// have exited.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns what it has written to standard output so far.
    pub fn stdout(&self) -> String {
        text(&self.folder.join("stdout"))
    }

    /// Returns what it has written to standard error so far.
    pub fn stderr(&self) -> String {
        text(&self.folder.join("stderr"))
    }

    /// Returns the exit status, or `None` while it runs or is stopped.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        let status = self.child.try_wait().expect("a child can be waited for");
        if status.is_some() {
            self.guard.disarm();
        }
        status
    }

    /// Waits for the exit. Returns `None` if it still runs after `limit`.
    pub fn exits_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        poll(limit, || self.exited())
    }

    /// Sends a signal. Panics if the process has exited, as its pid may belong to another process
    /// by now.
    pub fn signal(&mut self, signal: Signal) {
        let ended = self.exited();
        assert!(ended.is_none(), "signal {signal:?} to a process that has exited: {ended:?}");
        kill_process(Pid::from_child(&self.child), signal).expect("a child can be signalled");
    }

    /// Sends SIGSTOP and waits until every thread has stopped.
    pub fn pause(&mut self) {
        self.signal(Signal::STOP);
        let pid = Pid::from_child(&self.child);
        eventually(STOP_LIMIT, "a process to stop after SIGSTOP", || is_stopped(pid));
    }

    /// Sends SIGCONT.
    pub fn resume(&mut self) {
        self.signal(Signal::CONT);
    }

    /// Sends SIGKILL, which also ends a stopped process, and waits for the exit. Does nothing the
    /// second time.
    pub fn kill(&mut self) {
        self.child.kill().ok();
        // Before the kernel may reuse the pid.
        self.guard.disarm();
        self.child.wait().ok();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The shell that kills the process after the test program has ended.
struct Guard {
    shell: Child,
}

impl Guard {
    const SCRIPT: &str = r#"read -r pid || exit; while read -r _; do :; done; kill -KILL "$pid""#;

    fn start() -> io::Result<Self> {
        let shell = Command::new("/bin/sh")
            .args(["-c", Self::SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        Ok(Self { shell })
    }

    fn watch(&mut self, pid: u32) {
        let pipe = self.shell.stdin.as_mut().expect("the guard's input is a pipe");
        writeln!(pipe, "{pid}").expect("the guard reads its input");
    }

    /// Ends the shell without killing the process. Without this the shell would kill it as soon as
    /// the pipe closes.
    fn disarm(&mut self) {
        self.shell.kill().ok();
        self.shell.wait().ok();
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.disarm();
    }
}

fn append(path: &Path) -> io::Result<File> {
    File::options().create(true).append(true).open(path)
}

fn text(path: &Path) -> String {
    String::from_utf8_lossy(&read(path).unwrap_or_default()).into_owned()
}

fn is_stopped(pid: Pid) -> bool {
    // NOWAIT leaves the status in place: a second pause finds it again, and the exit status stays
    // for `Child::wait`.
    let options = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    matches!(waitid(WaitId::Pid(pid), options), Ok(Some(status)) if status.stopped())
}
