//! Bytes per entry: the growth of a process that holds nothing but the cache.

use std::io;
use std::path::Path;
use std::process::{Command, id};

use clap::ValueEnum;
use larder_bench::cache_kind::CacheKind;
use larder_bench::caches::{Capacity, fill};
use larder_bench::cpu::resident_bytes;
use larder_bench::libraries::{Growth, MemoryReading};

use crate::caches::build;

/// Fills a cache and measures how this process grows, which must do nothing else meanwhile.
pub fn measure_growth(kind: CacheKind, entries: u32) -> io::Result<Growth> {
    let resident_bytes_before = resident_bytes(id())?;
    let cache = build(kind, Capacity::Sharded(entries.into()));
    let reading = |numbers| {
        fill(&*cache, numbers);
        cache.run_pending();
        let items = cache.len();
        Ok::<_, io::Error>(MemoryReading { items, resident_bytes: resident_bytes(id())? })
    };
    let (fresh, replaced) = (reading(0..entries)?, reading(entries..entries.saturating_mul(2))?);
    Ok(Growth { resident_bytes_before, fresh, replaced })
}

/// Does the same in a separate process.
pub(super) fn measure_in_process(
    program: &Path,
    kind: CacheKind,
    entries: u32,
) -> io::Result<Growth> {
    let failed =
        |text: &str| io::Error::other(format!("bytes per entry of {}: {text}", kind.name()));
    let value = kind.to_possible_value().ok_or_else(|| failed("no name for the command line"))?;
    let entries = entries.to_string();
    let output = Command::new(program)
        .args(["entry-bytes", "--cache", value.get_name(), "--entries", &entries])
        .output()?;
    if !output.status.success() {
        return Err(failed(&String::from_utf8_lossy(&output.stderr)));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| failed(&error.to_string()))
}
