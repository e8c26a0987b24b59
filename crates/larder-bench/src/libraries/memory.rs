//! Bytes per entry: what a process grows by that keeps nothing else.

use std::io;
use std::path::Path;
use std::process::{Command, id};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::caches::{CacheKind, KEY_BYTES, Size};
use crate::cpu::resident_bytes;
use crate::keys::VALUE_BYTES;
use crate::libraries::fill;
use crate::numbers::per;

/// How a process grew while a cache in it was filled to the brim.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Growth {
    /// Bytes in use before there was a cache.
    pub resident_bytes_before: u64,
    /// When it was full for the first time.
    pub fresh: Held,
    /// When all had left and others had come.
    pub replaced: Held,
}

/// What is held at some time.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Held {
    /// Entries.
    pub items: u64,
    /// Bytes that the process has in use.
    pub resident_bytes: u64,
}

impl Growth {
    /// Bytes per entry beyond its key and its value.
    pub fn overhead_bytes(&self, held: &Held) -> f64 {
        let grown = held.resident_bytes.saturating_sub(self.resident_bytes_before);
        per(grown, held.items) - per((KEY_BYTES + VALUE_BYTES) as u64, 1)
    }
}

/// Fills a cache in this process, in which nothing else may happen meanwhile.
pub fn grow(kind: CacheKind, entries: u32) -> io::Result<Growth> {
    let resident_bytes_before = resident_bytes(id())?;
    let cache = kind.build(Size::AtMost(entries.into()));
    let held = |numbers| {
        fill(&*cache, numbers);
        cache.settle();
        Ok::<_, io::Error>(Held { items: cache.len(), resident_bytes: resident_bytes(id())? })
    };
    let (fresh, replaced) = (held(0..entries)?, held(entries..entries.saturating_mul(2))?);
    Ok(Growth { resident_bytes_before, fresh, replaced })
}

/// The same in a process of its own.
pub(super) fn in_a_process(program: &Path, kind: CacheKind, entries: u32) -> io::Result<Growth> {
    let failed =
        |text: &str| io::Error::other(format!("bytes per entry of {}: {text}", kind.name()));
    let value = kind.to_possible_value().ok_or_else(|| failed("has no name"))?;
    let entries = entries.to_string();
    let output = Command::new(program)
        .args(["entry-bytes", "--cache", value.get_name(), "--entries", &entries])
        .output()?;
    if !output.status.success() {
        return Err(failed(&String::from_utf8_lossy(&output.stderr)));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| failed(&error.to_string()))
}
