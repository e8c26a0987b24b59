//! Instructions per hit are counted of a library, and a wrong record is an error.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests: a panic is a failure")]

use std::process::Command;

use larder_bench::caches::CacheKind;
use larder_bench::count::{Counts, hit_library};

#[test]
fn every_read_of_a_library_is_a_hit() {
    for kind in [CacheKind::Larder, CacheKind::LarderSingle] {
        hit_library(kind, 2).unwrap();
    }
}

#[test]
fn a_record_that_cannot_be_read_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("counts.json");
    std::fs::write(&file, "{}").unwrap();
    assert!(Counts::saved(&file).is_err());
    std::fs::write(&file, r#"{"instructions": {"HTTP hit": 7}}"#).unwrap();
    assert!((Counts::saved(&file).unwrap().instructions["HTTP hit"] - 7.0).abs() < 1e-9);
}

#[test]
fn a_larder_that_is_missing_is_named() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_larder-bench"));
    command.args(["count", "--larder", "/nowhere/larder"]).env_remove("LARDER_REQUIRE_ALL");
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    let words = ["no /nowhere/larder", "no valgrind"];
    assert!(words.iter().any(|word| text.contains(word)), "{text}");
}
