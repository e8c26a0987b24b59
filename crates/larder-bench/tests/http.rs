//! A short run over HTTP has plausible figures, and wrong responses are noticed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests: a panic is a failure")]

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use larder_bench::baseline::{Baseline, BaselineProtocol};
use larder_bench::generator::http::Exchange;
use larder_bench::generator::{Generator, Target};
use larder_bench::http::{self, HttpKind, HttpRequest, HttpResults, HttpSetup};
use larder_bench::keys::{KeySequence, VALUE_BYTES};
use larder_bench::plan::Plan;
use larder_bench::report;
use larder_bench::resp::Sample;
use larder_bench::stop::Stop;

const PROGRAM: &str = env!("CARGO_BIN_EXE_larder-bench");

fn run(nginx: Option<PathBuf>) -> HttpResults {
    let setup = HttpSetup {
        bench: PathBuf::from(PROGRAM),
        redis: "redis-server".into(),
        nginx,
        webdis: None,
        python: None,
        larder: None,
        backend_port: 0,
    };
    let plan = Plan {
        quick: false,
        rounds: 2,
        round_millis: 50,
        hot_keys: 100,
        cold_keys: 0,
        pipelines: Vec::new(),
        connections: 5,
        many_connections: 100,
        open_loop_percents: Vec::new(),
        large: Vec::new(),
    };
    http::run(&setup, &plan, &Stop::default()).unwrap()
}

#[test]
fn figures_are_plausible() {
    if !larder_testkit::require_redis() {
        return;
    }
    let nginx = Some(PathBuf::from("/usr/sbin/nginx")).filter(|program| program.exists());
    let has_nginx = nginx.is_some();
    let results = run(nginx);
    let count = |request| results.rows.iter().filter(|row| row.case.request == request).count();
    // Two numbers of connections. Only nginx with files sends an ETag.
    assert_eq!(count(HttpRequest::Get), if has_nginx { 6 } else { 2 });
    assert_eq!(count(HttpRequest::Revalidate), usize::from(has_nginx));
    for row in &results.rows {
        assert_eq!(row.samples.len(), 2, "{}", row.case);
        for sample in &row.samples {
            assert!(sample.requests >= row.case.connections as u64, "{}: {sample:?}", row.case);
            let micros = sample.cpu_micros();
            assert!((0.1..10_000.0).contains(&micros), "{}: {sample:?}", row.case);
            assert!(sample.cpu_ns <= sample.elapsed_ns + 20_000_000, "{}: {sample:?}", row.case);
            assert!(0 < sample.p50_ns && sample.p50_ns <= sample.p999_ns, "{sample:?}");
        }
    }
    the_report_survives_json(&results);
}

fn the_report_survives_json(results: &HttpResults) {
    let text = report::http::report(results).text();
    for word in
        ["| baseline", "as not installed: ", "webdis", "flask + cachetools", "noise", "GET over"]
    {
        assert!(text.contains(word), "no {word:?} in:\n{text}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("http.json");
    report::save(results, &file).unwrap();
    let read: HttpResults = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(report::http::report(&read).text(), text);
}

/// The goal is a ratio to nginx in the same round.
#[test]
fn the_goal_is_a_ratio_to_nginx() {
    let row = |subject: &str, cpu_ns: u64| {
        format!(
            r#"{{"case": {{"request": "get", "connections": 50}}, "subject": "{subject}", "samples":
            [{{"requests": 1000, "elapsed_ns": 9000000, "cpu_ns": {cpu_ns}, "backend_ns": null,
            "generator_ns": 1, "p50_ns": 1, "p99_ns": 2, "p999_ns": 3}}]}}"#
        )
    };
    let json = format!(
        r#"{{"environment": {{"kernel": "6", "cpu": "some", "cores": 2, "server_core": 0,
        "generator_core": 1, "load": "0", "remark": null, "versions": [], "commands": []}},
        "plan": {{"rounds": 1, "round_millis": 9, "hot_keys": 10, "cold_keys": 0, "pipelines": [],
        "connections": 50, "many_connections": 1000}}, "missing": [],
        "rows": [{}, {}]}}"#,
        row("nginx-return", 6_000_000),
        row("larder", 9_000_000)
    );
    let results: HttpResults = serde_json::from_str(&json).unwrap();
    assert_eq!(results.rows[0].subject, HttpKind::NginxReturn);
    assert!((results.rows[1].median(Sample::cpu_micros) - 9.0).abs() < 1e-9);
    let report = report::http::report(&results);
    let text = report.text();
    assert!(text.contains("1.50 x nginx return (CPU) | required: missed by 0.20"), "{text}");
    assert!(report.sections[0].plot.as_ref().unwrap().svg.contains("9.00 us"));
}

/// Starts a baseline in a thread, which ends with the test process.
fn baseline(value_bytes: usize) -> Target {
    let baseline =
        Baseline::bind(0, None, value_bytes).unwrap().with_protocol(BaselineProtocol::Http);
    let port = baseline.port().unwrap();
    thread::spawn(move || baseline.serve());
    Target::Tcp(port)
}

fn generator(target: &Target, body: String) -> Generator {
    let exchange = Exchange::get("/get/", body);
    Generator::connect_http(target, 2, &exchange, &Stop::default()).unwrap()
}

#[test]
fn each_request_is_counted_once() {
    let mut generator = generator(&baseline(VALUE_BYTES), "x".repeat(VALUE_BYTES));
    let stats = generator.run(&mut KeySequence::once(0..4_001), Duration::from_mins(1)).unwrap();
    assert_eq!((stats.requests, stats.wrong, stats.latency.len()), (4_001, 0, 4_001));
}

#[test]
fn a_wrong_body_is_noticed() {
    for (value_bytes, body) in
        [(VALUE_BYTES, "y".repeat(VALUE_BYTES)), (VALUE_BYTES - 1, "x".repeat(VALUE_BYTES))]
    {
        let mut generator = generator(&baseline(value_bytes), body);
        let stats = generator.run(&mut KeySequence::random(10, 1), Duration::ZERO).unwrap();
        assert_eq!((stats.requests, stats.wrong), (2, 2));
        assert!(stats.checked().is_err());
    }
}

#[test]
fn missing_servers_are_named_if_all_are_required() {
    let mut command = std::process::Command::new(PROGRAM);
    command.args(["http", "--python", "/nowhere/python", "--larder", PROGRAM]);
    let output = command.env("LARDER_REQUIRE_ALL", "1").output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(error.contains("fastapi + dict") || error.contains("redis-server"), "{error}");
}
