//! What `larder-bench count` runs under valgrind, and how it reads its record.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests: a panic is a failure")]

use std::process::Command;

use larder_bench::count::{Counts, hit_library};

#[test]
fn every_counted_read_of_the_library_is_a_hit() {
    for is_batched in [true, false] {
        hit_library(is_batched, 2).unwrap();
    }
}

#[test]
fn a_malformed_record_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("counts.json");
    std::fs::write(&file, "{}").unwrap();
    assert!(Counts::load(&file).is_err());
    std::fs::write(&file, r#"{"instructions": {"HTTP hit": 7}}"#).unwrap();
    assert!((Counts::load(&file).unwrap().instructions["HTTP hit"] - 7.0).abs() < 1e-9);
}

#[test]
fn a_missing_larder_is_named() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_larder-bench"));
    command.args(["count", "--larder", "/nowhere/larder"]).env_remove("LARDER_REQUIRE_ALL");
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    let words = ["no /nowhere/larder", "valgrind is not installed"];
    assert!(words.iter().any(|word| text.contains(word)), "{text}");
}
