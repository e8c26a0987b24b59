//! Assigns one core to the servers and another to the load generator.
//!
//! A child process inherits the affinity of the thread that starts it. Pinning this thread while it
//! starts a server pins all threads of the server from the beginning.

use std::fs::read_to_string;
use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The cores of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cores {
    /// The core of every server.
    pub server: usize,
    /// The core of the generator: that of the servers if there is no other.
    pub generator: usize,
    /// How many cores this process may use.
    pub allowed: usize,
}

impl Cores {
    /// Chooses the first core that this process may use for the servers, and one that shares as
    /// little as possible with it for the generator. Pins this thread to the latter.
    pub fn choose() -> io::Result<Self> {
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

    /// Runs `start` while this thread is pinned to the servers' core.
    pub fn on_server<T>(self, start: impl FnOnce() -> T) -> io::Result<T> {
        pin(self.server)?;
        let started = start();
        pin(self.generator)?;
        Ok(started)
    }

    /// Pins this thread, one of several concurrent ones, to one of the two cores by turns.
    pub fn pin_worker(self, worker: usize) -> io::Result<()> {
        pin(if worker.is_multiple_of(2) { self.server } else { self.generator })
    }

    /// Returns what is unusual about the cores, for the report.
    pub fn remark(self) -> Option<&'static str> {
        if self.server == self.generator {
            return Some("generator and servers share the only core, so latencies are meaningless");
        }
        let shared = siblings(self.server).contains(&self.generator);
        shared.then_some("the two cores are hyperthreads of one core, so each slows the other down")
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

/// Returns the hardware threads of one core. Empty if the kernel does not list them.
fn siblings(core: usize) -> Vec<usize> {
    let path = format!("/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
    read_to_string(path).map_or_else(|_| Vec::new(), |text| parse_list(text.trim()))
}

/// Parses a list of CPUs in the kernel's format: `0-1` or `0,4`.
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
    fn cpu_lists_are_parsed() {
        assert_eq!(parse_list("0-2,8"), [0, 1, 2, 8]);
        assert_eq!(parse_list("3"), [3]);
        assert_eq!(parse_list(""), [0; 0]);
    }

    #[test]
    fn a_single_core_is_remarked() {
        assert!(Cores { server: 7, generator: 7, allowed: 1 }.remark().is_some());
    }
}
