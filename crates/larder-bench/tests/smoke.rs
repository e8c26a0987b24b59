//! The bench measures: figures of real servers are plausible, and a lying server is found out.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests: a panic is a failure")]

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use larder_bench::floor::Floor;
use larder_bench::generator::{Answers, Generator, Protocol, Shape, Target};
use larder_bench::keys::{Family, Order, VALUE_BYTES, ValueSize};
use larder_bench::measure::{self, Reads, Results, Row, Sample, Transport};
use larder_bench::plan::{Large, Plan};
use larder_bench::report;
use larder_bench::servers::{Kind, Setup};
use larder_bench::stop::Stop;

/// How long a server is asked: short, as nobody looks at the third digit.
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
        open_percents: vec![50],
        large: vec![Large { size: ValueSize::Kib16, keys: 10, connections: 3 }],
    }
}

fn run() -> Results {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_larder-bench"));
    let setup = Setup::new(program, "redis-server".into());
    measure::run(&setup, &plan(), &Stop::default()).unwrap()
}

#[test]
fn figures_are_plausible() {
    if !larder_testkit::require_redis() {
        return;
    }
    let results = run();
    // Two pipelines over two transports and by zipf, many connections, and larger values: two servers
    // each. Reads and writes in two pipelines: Redis alone.
    assert_eq!(results.rows.len(), 18);
    for row in &results.rows {
        assert_eq!(row.samples.len(), 2, "{}", row.case);
        for sample in &row.samples {
            assert!(sample.requests >= row.case.connections as u64, "{}: {sample:?}", row.case);
            // Half a request per nanosecond, or one that takes a hundredth of a second, is none.
            let micros = sample.cpu_micros();
            assert!((0.002..10_000.0).contains(&micros), "{}: {sample:?}", row.case);
            assert!(sample.elapsed_ns >= ROUND_MILLIS * 1_000_000, "{}: {sample:?}", row.case);
            assert!(0 < sample.p50_ns && sample.p50_ns <= sample.p99_ns, "{sample:?}");
            assert!(sample.p99_ns <= sample.p999_ns, "{sample:?}");
            // One core has no more time than passes; the kernel's clock is rough at the edges.
            let most = sample.elapsed_ns + 20_000_000;
            assert!(sample.cpu_ns <= most, "{}: {sample:?}", row.case);
        }
    }
    a_tenth_is_written_and_nothing_elsewhere(&results);
    a_fixed_rate_is_kept(&results);
    pipelines_are_cheaper(&results);
    report_names_everything(&results);
}

fn a_tenth_is_written_and_nothing_elsewhere(results: &Results) {
    for row in &results.rows {
        let share = row.median(Sample::write_share);
        let wanted = if row.case.reads == Reads::Mix { 0.05..0.15 } else { 0.0..0.001 };
        assert!(wanted.contains(&share), "{}: {share}", row.case);
    }
}

fn a_fixed_rate_is_kept(results: &Results) {
    let who: Vec<_> = results.open.iter().map(|row| row.who).collect();
    assert_eq!(who, [Kind::Floor, Kind::Redis]);
    for row in &results.open {
        assert_eq!(row.samples.len(), 2, "{}", row.case);
        for sample in &row.samples {
            assert_eq!(sample.requests, row.case.per_second * ROUND_MILLIS / 1000, "{}", row.case);
            assert!(0 < sample.p50_ns && sample.p50_ns <= sample.p99_ns, "{sample:?}");
            assert!(sample.p99_ns <= sample.p999_ns && sample.p999_ns <= sample.max_ns);
            assert!(sample.late <= sample.requests, "{sample:?}");
        }
    }
}

/// One write with sixteen requests costs less per request than sixteen writes. That holds by a
/// factor of five to ten, however busy the machine is.
fn pipelines_are_cheaper(results: &Results) {
    for kind in [Kind::Floor, Kind::Redis] {
        let cpu = |pipeline| {
            let row = results.rows.iter().find(|row| {
                row.who == kind && row.case.pipeline == pipeline && row.case.connections == 5
            });
            row.unwrap().median(Sample::cpu_micros)
        };
        assert!(cpu(16) < cpu(1), "{}: {} and {}", kind.name(), cpu(16), cpu(1));
    }
}

/// Each where it is installed: a proxy sends every request on, and memcached has none behind it.
#[test]
fn peers_are_asked_in_their_own_way() {
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
    let results = measure::run(&setup, &plan, &Stop::default()).unwrap();
    let hits: Vec<_> = results.rows.iter().filter(|row| row.case.pipeline == 4).collect();
    let over_tcp = |row: &&&Row| row.case.transport == Transport::Tcp;
    assert_eq!(hits.iter().filter(over_tcp).map(|row| row.who).collect::<Vec<_>>(), wanted);
    for row in hits {
        let commands = row.samples[0].commands;
        match row.who {
            Kind::Haproxy => assert_eq!(commands, Some(row.samples[0].requests)),
            _ => assert_eq!(commands, None, "{}", row.who.name()),
        }
    }
}

fn report_names_everything(results: &Results) {
    let text = report::resp::report(results).text();
    let words = [
        "kernel",
        "version of redis: Redis server v=",
        "command of floor",
        "not measured: memcached, nutcracker, haproxy",
        "over TCP, 5 connections",
        "over a unix socket, 5",
        "over TCP, 100",
        "| 16 KiB |           3 | redis",
        "MB/s",
        "(zipf)",
        "hits of reads",
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
    assert_eq!(json["rows"][0]["who"], "floor");
    assert!(json["rows"][0]["samples"][0]["cpu_ns"].as_u64().unwrap() > 0);
}

/// A floor in a thread of this process, which nobody stops: it ends with the test program.
fn floor(value_bytes: usize) -> Target {
    let floor = Floor::bind(0, None, value_bytes).unwrap();
    let port = floor.port().unwrap();
    thread::spawn(move || floor.serve());
    Target::Tcp(port)
}

fn shape(answers: Answers) -> Shape {
    let (protocol, family) = (Protocol::Resp, Family::HOT);
    Shape { connections: 2, pipeline: 4, protocol, family, answers }
}

#[test]
fn each_request_is_counted_once() {
    let target = floor(VALUE_BYTES);
    let shape = shape(Answers::OfLength);
    let mut generator = Generator::connect(&target, shape, &Stop::default()).unwrap();
    let seen = generator.run(&mut Order::once(0..4_002), Duration::from_mins(1)).unwrap();
    // Two were too few for a batch.
    assert_eq!((seen.requests, seen.wrong), (4_000, 0));
    assert_eq!(seen.latency.len(), 1_000);
}

#[test]
fn the_value_of_no_key_is_noticed() {
    let target = floor(VALUE_BYTES);
    let shape = shape(Answers::OfKey);
    let mut generator = Generator::connect(&target, shape, &Stop::default()).unwrap();
    let seen = generator.run(&mut Order::random(10, 1), Duration::ZERO).unwrap();
    assert_eq!((seen.requests, seen.wrong), (8, 8));
    let error = seen.all_right().unwrap_err();
    assert_eq!(error.to_string(), "8 of 8 replies held another value");
}

#[test]
fn a_value_of_another_length_ends_the_run() {
    for value_bytes in [VALUE_BYTES - 1, VALUE_BYTES + 1, 0] {
        let target = floor(value_bytes);
        let shape = shape(Answers::OfLength);
        let mut generator = Generator::connect(&target, shape, &Stop::default()).unwrap();
        let error = generator.run(&mut Order::random(10, 1), Duration::ZERO).unwrap_err();
        assert!(error.to_string().contains("not a value of 100 bytes"), "{error}");
    }
}
