//! A short run over RESP has plausible figures, and wrong replies are noticed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests: a panic is a failure")]

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use larder_bench::baseline::Baseline;
use larder_bench::generator::{Generator, LoadConfig, Protocol, ReplyCheck, Target};
use larder_bench::keys::{KeySequence, KeySpace, VALUE_BYTES, ValueSize};
use larder_bench::plan::{LargeValues, Plan};
use larder_bench::report;
use larder_bench::resp::{self, Results, Row, Sample, Transport, Workload};
use larder_bench::servers::{ServerKind, Setup};
use larder_bench::stop::Stop;

/// How long a server is loaded: short, as the test needs no precision.
const ROUND_MILLIS: u64 = 50;

fn plan() -> Plan {
    Plan {
        quick: false,
        rounds: 2,
        round_millis: ROUND_MILLIS,
        hot_keys: 100,
        cold_keys: 0,
        pipelines: vec![1, 16],
        connections: 5,
        many_connections: 100,
        open_loop_percents: vec![50],
        large: vec![LargeValues { size: ValueSize::Kib16, keys: 10, connections: 3 }],
    }
}

fn run() -> Results {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_larder-bench"));
    let setup = Setup::new(program, "redis-server".into());
    resp::run(&setup, &plan(), &Stop::default()).unwrap()
}

#[test]
fn figures_are_plausible() {
    if !larder_testkit::require_redis() {
        return;
    }
    let results = run();
    // Two servers each for two pipelines over two transports and under zipf, for many connections,
    // and for larger values. Redis alone for reads and writes in two pipelines.
    assert_eq!(results.rows.len(), 18);
    for row in &results.rows {
        assert_eq!(row.samples.len(), 2, "{}", row.case);
        for sample in &row.samples {
            assert!(sample.requests >= row.case.connections as u64, "{}: {sample:?}", row.case);
            // Half a request per nanosecond is too fast, and 10 ms per request too slow.
            let micros = sample.cpu_micros();
            assert!((0.002..10_000.0).contains(&micros), "{}: {sample:?}", row.case);
            assert!(sample.elapsed_ns >= ROUND_MILLIS * 1_000_000, "{}: {sample:?}", row.case);
            assert!(0 < sample.p50_ns && sample.p50_ns <= sample.p99_ns, "{sample:?}");
            assert!(sample.p99_ns <= sample.p999_ns, "{sample:?}");
            // One core cannot use more CPU time than has elapsed; the kernel's clock may lag.
            let most = sample.elapsed_ns + 20_000_000;
            assert!(sample.cpu_ns <= most, "{}: {sample:?}", row.case);
        }
    }
    only_the_mixed_workload_writes(&results);
    the_fixed_rate_is_kept(&results);
    pipelining_is_cheaper(&results);
    the_report_is_complete(&results);
}

fn only_the_mixed_workload_writes(results: &Results) {
    for row in &results.rows {
        let share = row.median(Sample::write_share);
        let wanted = if row.case.workload == Workload::Mixed { 0.05..0.15 } else { 0.0..0.001 };
        assert!(wanted.contains(&share), "{}: {share}", row.case);
    }
}

fn the_fixed_rate_is_kept(results: &Results) {
    let subjects: Vec<_> = results.open_loop.iter().map(|row| row.subject).collect();
    assert_eq!(subjects, [ServerKind::Baseline, ServerKind::Redis]);
    for row in &results.open_loop {
        assert_eq!(row.samples.len(), 2, "{}", row.case);
        for sample in &row.samples {
            assert_eq!(sample.requests, row.case.per_second * ROUND_MILLIS / 1000, "{}", row.case);
            assert!(0 < sample.p50_ns && sample.p50_ns <= sample.p99_ns, "{sample:?}");
            assert!(sample.p99_ns <= sample.p999_ns && sample.p999_ns <= sample.max_ns);
            assert!(sample.late <= sample.requests, "{sample:?}");
        }
    }
}

/// One write with sixteen requests costs five to ten times less per request than sixteen writes,
/// however busy the machine is.
fn pipelining_is_cheaper(results: &Results) {
    for kind in [ServerKind::Baseline, ServerKind::Redis] {
        let cpu = |pipeline| {
            let row = results.rows.iter().find(|row| {
                row.subject == kind && row.case.pipeline == pipeline && row.case.connections == 5
            });
            row.unwrap().median(Sample::cpu_micros)
        };
        assert!(cpu(16) < cpu(1), "{}: {} and {}", kind.name(), cpu(16), cpu(1));
    }
}

/// Measures what is installed: haproxy forwards every request, and memcached has no backend.
#[test]
fn each_server_is_loaded_in_its_own_protocol() {
    if !larder_testkit::require_redis() {
        return;
    }
    let installed = |path: &str| Some(PathBuf::from(path)).filter(|program| program.exists());
    let setup = Setup {
        memcached: installed("/usr/bin/memcached"),
        haproxy: installed("/usr/sbin/haproxy"),
        ..Setup::new(env!("CARGO_BIN_EXE_larder-bench").into(), "redis-server".into())
    };
    let wanted = setup.kinds();
    let plan = Plan { rounds: 1, pipelines: vec![4], large: Vec::new(), ..plan() };
    let results = resp::run(&setup, &plan, &Stop::default()).unwrap();
    let hits: Vec<_> = results
        .rows
        .iter()
        .filter(|row| row.case.workload == Workload::Hits && row.case.pipeline == 4)
        .collect();
    let over_tcp = |row: &&&Row| row.case.transport == Transport::Tcp;
    assert_eq!(hits.iter().filter(over_tcp).map(|row| row.subject).collect::<Vec<_>>(), wanted);
    for row in hits {
        let commands = row.samples[0].commands;
        match row.subject {
            ServerKind::Haproxy => assert_eq!(commands, Some(row.samples[0].requests)),
            _ => assert_eq!(commands, None, "{}", row.subject.name()),
        }
    }
}

fn the_report_is_complete(results: &Results) {
    let text = report::resp::report(results).text();
    let words = [
        "kernel",
        "version of redis: Redis server v=",
        "command of baseline",
        "not measured: memcached, nutcracker, haproxy",
        "over TCP, 5 connections",
        "over a unix socket, 5",
        "over TCP, 100",
        "| 16 KiB |           3 | redis",
        "MB/s",
        "zipf-distributed keys",
        "hits of reads",
        "reads not in redis",
        "Nine GET to one SET over TCP, 8 connections",
        "a fixed rate, over TCP",
        "| 50 % |",
        "noise",
    ];
    for word in words {
        assert!(text.contains(word), "no {word:?} in:\n{text}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("new/resp.json");
    report::save(results, &file).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(json["rows"][0]["subject"], "baseline");
    assert!(json["rows"][0]["samples"][0]["cpu_ns"].as_u64().unwrap() > 0);
}

/// Starts a baseline in a thread, which ends with the test process.
fn baseline(value_bytes: usize) -> Target {
    let baseline = Baseline::bind(0, None, value_bytes).unwrap();
    let port = baseline.port().unwrap();
    thread::spawn(move || baseline.serve());
    Target::Tcp(port)
}

fn config(check: ReplyCheck) -> LoadConfig {
    let (protocol, key_space) = (Protocol::Resp, KeySpace::HOT);
    LoadConfig { connections: 2, pipeline: 4, protocol, key_space, check }
}

#[test]
fn each_request_is_counted_once() {
    let target = baseline(VALUE_BYTES);
    let config = config(ReplyCheck::Length);
    let mut generator = Generator::connect(&target, config, &Stop::default()).unwrap();
    let stats = generator.run(&mut KeySequence::once(0..4_002), Duration::from_mins(1)).unwrap();
    // The last two keys do not fill a batch.
    assert_eq!((stats.requests, stats.wrong), (4_000, 0));
    assert_eq!(stats.latency.len(), 1_000);
}

#[test]
fn the_value_of_another_key_is_noticed() {
    let target = baseline(VALUE_BYTES);
    let config = config(ReplyCheck::Value);
    let mut generator = Generator::connect(&target, config, &Stop::default()).unwrap();
    let stats = generator.run(&mut KeySequence::random(10, 1), Duration::ZERO).unwrap();
    assert_eq!((stats.requests, stats.wrong), (8, 8));
    let error = stats.checked().unwrap_err();
    assert_eq!(error.to_string(), "8 of 8 replies had another value");
}

#[test]
fn a_value_of_another_length_ends_the_run() {
    for value_bytes in [VALUE_BYTES - 1, VALUE_BYTES + 1, 0] {
        let target = baseline(value_bytes);
        let config = config(ReplyCheck::Length);
        let mut generator = Generator::connect(&target, config, &Stop::default()).unwrap();
        let error = generator.run(&mut KeySequence::random(10, 1), Duration::ZERO).unwrap_err();
        assert!(error.to_string().contains("not a value of 100 bytes"), "{error}");
    }
}
