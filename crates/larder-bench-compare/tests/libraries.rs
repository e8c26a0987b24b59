//! A short run measures every cache in every case, with plausible figures.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests: a panic is a failure")]

use std::path::Path;
use std::process::Command;

use larder_bench::cache_kind::CacheKind;
use larder_bench::libraries::{LibrariesPlan, LibraryResults, LibraryRow, Operation, Sample};
use larder_bench::report;
use larder_bench::stop::Stop;
use larder_bench_compare::libraries;

const PROGRAM: &str = env!("CARGO_BIN_EXE_larder-bench-compare");

fn run() -> LibraryResults {
    let plan = LibrariesPlan {
        quick: false,
        rounds: 2,
        clear_rounds: 1,
        round_millis: 5,
        keys: vec![200, 2000],
        threads: vec![1, 2],
        entries: 50_000,
    };
    libraries::run(Path::new(PROGRAM), &plan, &Stop::default()).unwrap()
}

#[test]
fn figures_are_plausible() {
    let results = run();
    let count = |wanted: &dyn Fn(&LibraryRow) -> bool| {
        results.rows.iter().filter(|row| wanted(row)).count()
    };
    let (all, distinct) = (CacheKind::ALL.len(), CacheKind::ALL.len() - 1);
    // Two sizes; zipf and uniform; one thread and two.
    assert_eq!(count(&|row| row.case.operation == Operation::Hit), 2 * 2 * 2 * all);
    assert_eq!(count(&|row| row.case.operation == Operation::Insert), 2 * 2 * distinct);
    // Four caches can share a load.
    assert_eq!(count(&|row| row.case.operation == Operation::Load), 2 * 2 * 4);
    assert_eq!(count(&|row| row.case.operation == Operation::Clear), 2 * distinct);
    for row in &results.rows {
        let label = format!("{}, {}: {:?}", row.subject.name(), row.case, row.samples);
        let rounds = if row.case.operation == Operation::Clear { 1 } else { 2 };
        assert_eq!(row.samples.len(), rounds, "{label}");
        for sample in &row.samples {
            assert!(sample.count > 0 && row.case.nanos(sample) > 1.0, "{label}");
            // A thread cannot use more CPU time than has elapsed; the kernel's clock may lag.
            assert!(sample.cpu_ns <= sample.elapsed_ns + 20_000_000, "{label}");
        }
    }
    memory_is_plausible(&results);
    the_report_survives_json(&results);
}

fn memory_is_plausible(results: &LibraryResults) {
    assert_eq!(results.entries.len(), CacheKind::ALL.len() - 1);
    for memory in &results.entries {
        let (growth, name) = (memory.growth, memory.cache.name());
        for reading in [growth.fresh, growth.replaced] {
            // Keys are spread unevenly, so some shards are full before others.
            assert!((40_000..=50_000).contains(&reading.items), "{name}: {reading:?}");
            // At least a pointer and a length, at most eight times the value.
            let bytes = growth.overhead_bytes(&reading);
            assert!((16.0..800.0).contains(&bytes), "{name}: {bytes} bytes");
        }
    }
}

fn the_report_survives_json(results: &LibraryResults) {
    let text = report::libraries::report(results).text();
    for kind in CacheKind::ALL {
        assert!(text.contains(&format!("\n| {}", kind.name())), "no {} in:\n{text}", kind.name());
    }
    for word in ["noise", "version of quick_cache: 0.", "per hit, 2000 keys", "clear 2k keys"] {
        assert!(text.contains(word), "no {word:?} in:\n{text}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("libraries.json");
    report::save(results, &file).unwrap();
    let read: LibraryResults = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(report::libraries::report(&read).text(), text);
    assert!(read.rows[0].median(Sample::elapsed_nanos) > 0.0);
}

#[test]
fn a_missing_trace_is_named() {
    let mut command = Command::new(PROGRAM);
    let output = command.args(["hit-ratio", "--traces", "/nowhere"]).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(error.contains("/nowhere/multi1.trace.gz: No such file"), "{error}");
}
