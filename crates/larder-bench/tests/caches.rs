//! Caches are measured beside each other: every case has its figures, and they are plausible.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests: a panic is a failure")]

use std::path::Path;
use std::process::Command;

use larder_bench::caches::CacheKind;
use larder_bench::libraries::{self, LibrariesPlan, LibraryResults, LibraryRow, Sample, Work};
use larder_bench::report;
use larder_bench::stop::Stop;

const PROGRAM: &str = env!("CARGO_BIN_EXE_larder-bench");

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
    assert_eq!(count(&|row| row.case.work == Work::Hit), 2 * 2 * 2 * all);
    assert_eq!(count(&|row| row.case.work == Work::Insert), 2 * 2 * distinct);
    // Only some let one reader load for all.
    assert_eq!(count(&|row| row.case.work == Work::Load), 2 * 2 * 4);
    assert_eq!(count(&|row| row.case.work == Work::Clear), 2 * distinct);
    for row in &results.rows {
        let what = format!("{}, {}: {:?}", row.who.name(), row.case, row.samples);
        let rounds = if row.case.work == Work::Clear { 1 } else { 2 };
        assert_eq!(row.samples.len(), rounds, "{what}");
        for sample in &row.samples {
            assert!(sample.count > 0 && row.case.nanos(sample) > 1.0, "{what}");
            // Two threads of 5 ms have no more time than that; the kernel's clock may lag behind.
            assert!(sample.cpu_ns <= sample.elapsed_ns + 20_000_000, "{what}");
        }
    }
    memory_is_plausible(&results);
    report_and_json_agree(&results);
}

fn memory_is_plausible(results: &LibraryResults) {
    assert_eq!(results.entries.len(), CacheKind::ALL.len() - 1);
    for memory in &results.entries {
        let (growth, name) = (memory.growth, memory.cache.name());
        for held in [growth.fresh, growth.replaced] {
            // Shards that are not filled evenly are full before all are.
            assert!((40_000..=50_000).contains(&held.items), "{name}: {held:?}");
            // No less than a pointer and a length, no more than eight times the value.
            let bytes = growth.overhead_bytes(&held);
            assert!((16.0..800.0).contains(&bytes), "{name}: {bytes} bytes");
        }
    }
}

fn report_and_json_agree(results: &LibraryResults) {
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
fn missing_traces_are_named() {
    let mut command = Command::new(PROGRAM);
    let output = command.args(["hit-ratio", "--traces", "/nowhere"]).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(error.contains("/nowhere/multi1.trace.gz: No such file"), "{error}");
}
