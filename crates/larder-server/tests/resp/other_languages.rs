//! Clients in other languages, as installed by `scripts/setup clients`. Their scripts are in
//! `tests/clients`.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use larder_testkit::Harness;

use crate::setup::{over_bad_network, start, start_with_relay};

#[test]
fn redis_py_works() {
    for protocol in ["2", "3"] {
        run("python/bin/python", "redis_py.py", &[protocol]);
    }
}

#[test]
fn node_redis_works() {
    for protocol in ["2", "3"] {
        run("node", "node_redis.js", &[protocol]);
    }
}

#[test]
fn ioredis_works() {
    run("node", "ioredis.js", &[]);
}

#[test]
fn callers_that_share_a_connection_read_from_memory() {
    for library in ["ioredis", "node-redis"] {
        let Some(harness) = start(&[]) else { return };
        let Some(printed) = run_against(&harness, "node", "multiplexed.js", &[library, "400"])
        else {
            return;
        };
        let reads: u64 =
            printed.lines().find_map(|line| line.strip_prefix("reads ")).unwrap().parse().unwrap();
        let hits = harness.larder.resp_hits();
        assert!(hits * 100 > reads * 85, "{library}: {hits} hits of {reads} reads");
    }
}

#[test]
fn callers_that_share_a_connection_read_their_writes_over_a_bad_network() {
    for library in ["ioredis", "node-redis"] {
        let Some(harness) = start_with_relay(&[]) else { return };
        over_bad_network(&harness, || {
            run_against(&harness, "node", "multiplexed.js", &[library, "60"]);
        });
    }
}

/// Runs a script against a Larder that starts empty.
fn run(program: &str, script: &str, args: &[&str]) {
    let Some(harness) = start(&[]) else { return };
    run_against(&harness, program, script, args);
}

/// Runs a script, and returns what it printed; `None` if its client is not installed.
fn run_against(harness: &Harness, program: &str, script: &str, args: &[&str]) -> Option<String> {
    let mut command = client(program)?;
    let script = format!("{}/../../tests/clients/{script}", env!("CARGO_MANIFEST_DIR"));
    let output =
        command.arg(&script).arg(harness.resp_port().to_string()).args(args).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && printed.ends_with("all done\n"),
        "{script} {args:?}: {printed}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(harness.larder.resp_hits() > 0, "nothing was served from memory");
    Some(printed.into_owned())
}

/// Returns the interpreter with its clients, killed after a minute, or `None` if they are not
/// installed.
fn client(program: &str) -> Option<Command> {
    let installed = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("clients");
    let language = program.split('/').next().unwrap();
    if !installed.join(language).join("installed").exists() {
        let all = env::var("LARDER_REQUIRE_ALL").is_ok_and(|value| value == "1");
        assert!(!all, "no clients for {language}, and LARDER_REQUIRE_ALL=1: scripts/setup clients");
        eprintln!("skipped: no clients for {language}; see scripts/setup clients");
        return None;
    }
    let program = match language {
        "python" => installed.join(program),
        _ => program.into(),
    };
    let mut command = Command::new("timeout");
    command.arg("60").arg(program).env("NODE_PATH", installed.join("node/node_modules"));
    Some(command)
}
