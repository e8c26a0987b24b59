//! Servers end even if the test program ends without dropping them.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests: a panic is a failure; parent and child communicate by environment and output"
)]

use std::env;
use std::net::TcpStream;
use std::process::{Command, exit};
use std::time::Duration;

use larder_testkit::{RedisServer, eventually, require_redis};
use tempfile::TempDir;

/// Set in the child run of this test program, which leaves a server behind.
const LEAVE_SERVER: &str = "LARDER_TEST_LEAVES_A_SERVER";

#[test]
fn a_server_left_behind_is_killed() {
    if !require_redis() {
        return;
    }
    if env::var(LEAVE_SERVER).is_ok() {
        leave_a_server();
    }
    let folder = TempDir::new().unwrap();
    let run = Command::new(env::current_exe().unwrap())
        .args(["--exact", "a_server_left_behind_is_killed", "--nocapture"])
        .env(LEAVE_SERVER, "1")
        .env("TMPDIR", folder.path())
        .output()
        .unwrap();
    let output = String::from_utf8(run.stdout).unwrap();
    let port = output.split("port=").nth(1).and_then(|rest| rest.split_whitespace().next());
    let port: u16 = port.unwrap_or_else(|| panic!("no server: {output}")).parse().unwrap();
    let gone = || TcpStream::connect(("127.0.0.1", port)).is_err();
    eventually(Duration::from_secs(10), "the guard to kill the server", gone);
}

/// Exits without a drop and leaves a stopped server, which neither a closed pipe nor SIGTERM would
/// end.
fn leave_a_server() -> ! {
    let redis = RedisServer::start();
    redis.pause();
    println!("port={} ", redis.port());
    exit(0);
}
