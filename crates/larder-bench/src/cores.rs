//! Which core serves and which one asks.
//!
//! A child inherits the affinity of the thread that starts it, so a server is pinned by pinning
//! this thread for the moment of the start: its threads are pinned from the first one on.

use std::fs::read_to_string;
use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The cores of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cores {
    /// Where every server runs.
    pub server: usize,
    /// Where the generator runs; the server's own where there is no other.
    pub generator: usize,
    /// How many there were to choose from.
    pub allowed: usize,
}

impl Cores {
    /// The first core that this process may use, and one that shares as little as possible with
    /// it. Pins this thread to the latter.
    pub fn take() -> io::Result<Self> {
        let allowed = allowed()?;
        let server = *allowed.first().ok_or_else(|| io::Error::other("no core to run on"))?;
        let siblings = siblings(server);
        let others = || allowed.iter().copied().filter(|core| *core != server);
        let generator = others()
            .find(|core| !siblings.contains(core))
            .or_else(|| others().next())
            .unwrap_or(server);
        pin(generator)?;
        Ok(Self { server, generator, allowed: allowed.len() })
    }

    /// Runs `start` with this thread pinned to the servers' core.
    pub fn on_server<T>(self, start: impl FnOnce() -> T) -> io::Result<T> {
        pin(self.server)?;
        let started = start();
        pin(self.generator)?;
        Ok(started)
    }

    /// Pins this thread, one of several that work at once: no two to one core while there are two.
    pub fn pin_worker(self, worker: usize) -> io::Result<()> {
        pin(if worker.is_multiple_of(2) { self.server } else { self.generator })
    }

    /// What is unusual about them, for the reader of the report.
    pub fn remark(self) -> Option<&'static str> {
        if self.server == self.generator {
            return Some("generator and servers share the only core: latencies mean nothing");
        }
        let shared = siblings(self.server).contains(&self.generator);
        shared.then_some("the two cores are threads of one: each slows the other down")
    }
}

fn allowed() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect())
}

fn pin(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}

/// The hardware threads of one core: `0-1` or `0,4`. Empty where the kernel does not say.
fn siblings(core: usize) -> Vec<usize> {
    let path = format!("/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
    read_to_string(path).map_or_else(|_| Vec::new(), |text| parse_list(text.trim()))
}

fn parse_list(text: &str) -> Vec<usize> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    text.split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cores_are_read() {
        assert_eq!(parse_list("0-2,8"), [0, 1, 2, 8]);
        assert_eq!(parse_list("3"), [3]);
        assert_eq!(parse_list(""), [0; 0]);
    }

    #[test]
    fn one_core_is_no_secret() {
        assert!(Cores { server: 7, generator: 7, allowed: 1 }.remark().is_some());
    }
}
