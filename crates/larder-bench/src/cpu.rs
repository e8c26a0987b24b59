//! What a process uses: CPU time in nanoseconds, and memory.
//!
//! `schedstat` counts each thread's time on a core exactly, while `stat` counts ticks of 10 ms. A
//! thread's figure is complete only once it sleeps, so it is read while no request is in flight.

use std::collections::BTreeMap;
use std::fs::{read_dir, read_to_string};
use std::io;

use rustix::time::{ClockId, clock_gettime};

/// The CPU time so far of every thread of a process and of its children, in nanoseconds.
#[derive(Debug)]
pub(crate) struct CpuTime(BTreeMap<String, u64>);

impl CpuTime {
    /// Reads the CPU time of a process.
    pub(crate) fn of(pid: u32) -> io::Result<Self> {
        let mut time = Self(BTreeMap::new());
        time.add(&pid.to_string())?;
        Ok(time)
    }

    fn add(&mut self, pid: &str) -> io::Result<()> {
        for thread in read_dir(format!("/proc/{pid}/task"))? {
            let thread = thread?;
            // A thread may end between the listing and the reading.
            let Ok(text) = read_to_string(thread.path().join("schedstat")) else { continue };
            self.0.insert(thread.file_name().to_string_lossy().into_owned(), first_number(&text)?);
            // Not every kernel lists children.
            let children = read_to_string(thread.path().join("children")).unwrap_or_default();
            for child in children.split_whitespace() {
                // A child may end as well.
                self.add(child).or_else(ignore_not_found)?;
            }
        }
        Ok(())
    }

    /// Returns the nanoseconds used since `earlier`. Compares thread by thread: the time of a
    /// thread that has ended must not be subtracted from that of the others.
    pub(crate) fn since(&self, earlier: &Self) -> u64 {
        let used = |(thread, now): (&String, &u64)| {
            now.saturating_sub(earlier.0.get(thread).copied().unwrap_or_default())
        };
        self.0.iter().map(used).sum()
    }
}

/// Returns the CPU time of the calling thread so far, in nanoseconds. Asks the kernel's clock, as
/// `schedstat` is not up to date for a running thread.
pub fn of_this_thread() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let part = |part: i64| u64::try_from(part).unwrap_or_default();
    part(time.tv_sec) * 1_000_000_000 + part(time.tv_nsec)
}

/// Returns the resident memory of a process in bytes.
pub fn resident_bytes(pid: u32) -> io::Result<u64> {
    let status = read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    Ok(1024 * first_number(line.unwrap_or_default())?)
}

fn ignore_not_found(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

fn first_number(text: &str) -> io::Result<u64> {
    let number = text.split_whitespace().next().and_then(|word| word.parse().ok());
    number.ok_or_else(|| io::Error::other(format!("not a number from the kernel: {text:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(threads: &[(&str, u64)]) -> CpuTime {
        CpuTime(threads.iter().map(|(name, ns)| ((*name).to_owned(), *ns)).collect())
    }

    #[test]
    fn a_thread_that_has_ended_is_not_subtracted() {
        let before = times(&[("1", 100), ("2", 5_000)]);
        let after = times(&[("1", 160), ("3", 7)]);
        assert_eq!(after.since(&before), 67);
    }

    #[test]
    fn children_are_included() {
        let mut child = std::process::Command::new("cat");
        let mut child = child.stdin(std::process::Stdio::piped()).spawn().unwrap();
        let time = CpuTime::of(std::process::id()).unwrap();
        assert!(time.0.contains_key(&child.id().to_string()), "{time:?}");
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    #[test]
    fn this_process_uses_time_and_memory() {
        let before = CpuTime::of(std::process::id()).unwrap();
        assert!((0..3_000_000_u64).map(std::hint::black_box).sum::<u64>() > 0);
        std::thread::yield_now();
        assert!(CpuTime::of(std::process::id()).unwrap().since(&before) > 0);
        assert!(resident_bytes(std::process::id()).unwrap() > 100_000);
    }
}
