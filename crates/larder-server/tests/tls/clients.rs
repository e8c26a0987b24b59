//! Unmodified real clients: redis-cli, and redis-py where `scripts/setup clients` installed it.

use std::env;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use larder_testkit::{CertificateAuthority, require_redis_tls};

use crate::setup::{TlsHarness, text};
use crate::tls_client::random_bytes;

/// A redis-py script that takes its settings from the URL.
const PYTHON: &str = "
import sys, redis
client = redis.Redis.from_url(sys.argv[1], socket_timeout=20)
large = bytes(range(256)) * 40960
assert client.set('large', large) and client.set('small', 'v')
for _ in range(20):
    assert client.get('large') == large
    assert client.get('small') == b'v'
pipeline = client.pipeline(transaction=False)
for n in range(5000):
    pipeline.set(f'k:{n}', n)
    pipeline.get(f'k:{n}')
assert pipeline.execute()[1::2] == [str(n).encode() for n in range(5000)]
listener = client.pubsub()
listener.subscribe('channel')
client.publish('channel', 'text')
while listener.get_message(timeout=20)['data'] != b'text':
    pass
with client.pipeline() as transaction:
    assert transaction.set('t', 1).incr('t').execute() == [True, 2]
print('all done')
";

#[test]
fn redis_cli_works() {
    if !require_redis_tls() {
        return;
    }
    let Some(harness) = TlsHarness::start(&[]) else { return };
    let session = "SET greeting hello\nGET greeting\nINCR n\nMULTI\nINCR n\nEXEC\nGET greeting\n";
    let printed = output_of(&harness, &[], session.as_bytes());
    assert_eq!(printed, "OK\nhello\n1\nOK\nQUEUED\n2\nhello\n");
    let large = random_bytes(1 << 20).iter().map(|byte| b'a' + byte % 26).collect::<Vec<_>>();
    assert_eq!(output_of(&harness, &["-x", "SET", "large"], &large), "OK\n");
    assert_eq!(output_of(&harness, &["GET", "large"], b"").trim_end().as_bytes(), large);
    let sets: Vec<u8> = (0..20_000)
        .flat_map(|n| crate::tls_client::encode(&format!("SET piped:{n} {n}")))
        .collect();
    let report = output_of(&harness, &["--pipe"], &sets);
    assert!(report.contains("errors: 0, replies: 20000"), "{report}");
}

#[test]
fn redis_cli_works_with_a_client_certificate() {
    if !require_redis_tls() {
        return;
    }
    let requires_certificate = |authority: &CertificateAuthority| {
        vec!["--tls-ca-cert-file".to_owned(), text(&authority.file()).to_owned()]
    };
    let Some(harness) = TlsHarness::start_with(requires_certificate) else { return };
    let certificate = harness.authority.sign(&["a-client"]);
    let args = ["--cert", text(&certificate.certificate), "--key", text(&certificate.key), "PING"];
    assert_eq!(output_of(&harness, &args, b""), "PONG\n");
    assert!(!run(&harness, &["PING"], b"").status.success(), "without a certificate");
}

#[test]
fn redis_py_works() {
    let Some(mut python) = python() else { return };
    let Some(harness) = TlsHarness::start(&[]) else { return };
    let ca = harness.authority.file();
    let url = format!("rediss://localhost:{}?ssl_ca_certs={}", harness.port, text(&ca));
    let output = python.args(["-c", PYTHON, &url]).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(printed, "all done\n", "{}", String::from_utf8_lossy(&output.stderr));
    assert!(harness.larder.resp_hits() > 0, "nothing was served from memory");
}

/// Returns what redis-cli prints.
fn output_of(harness: &TlsHarness, args: &[&str], input: &[u8]) -> String {
    let output = run(harness, args, input);
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn run(harness: &TlsHarness, args: &[&str], input: &[u8]) -> Output {
    let ca = harness.authority.file();
    let mut child = Command::new("timeout")
        .args(["60", "redis-cli", "-e", "--tls", "--cacert", text(&ca), "--sni", "localhost"])
        .args(["-p", &harness.port.to_string()])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A client that is rejected reads nothing.
    child.stdin.take().unwrap().write_all(input).ok();
    child.wait_with_output().unwrap()
}

/// Returns a Python with redis-py, killed after a minute, or `None` if it is not installed.
fn python() -> Option<Command> {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let installed = target.parent().unwrap().join("clients/python");
    if !installed.join("installed").exists() {
        let all = env::var("LARDER_REQUIRE_ALL").is_ok_and(|value| value == "1");
        assert!(!all, "no clients for python, and LARDER_REQUIRE_ALL=1: scripts/setup clients");
        eprintln!("skipped: no clients for python; see scripts/setup clients");
        return None;
    }
    let mut command = Command::new("timeout");
    command.arg("60").arg(installed.join("bin/python"));
    Some(command)
}
