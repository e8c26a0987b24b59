//! What a process used: CPU time in nanoseconds, and memory.
//!
//! `schedstat` counts each thread's time on a core exactly, where `stat` counts in ticks of 10 ms.
//! A thread's figure is complete once it sleeps, so it is read when no request is under way.

use std::collections::BTreeMap;
use std::fs::{read_dir, read_to_string};
use std::io;

use rustix::time::{ClockId, clock_gettime};

/// CPU time of every thread of a process and of its children so far, in nanoseconds.
#[derive(Debug)]
pub(crate) struct CpuTime(BTreeMap<String, u64>);

impl CpuTime {
    /// Reads it.
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
            self.0.insert(thread.file_name().to_string_lossy().into_owned(), first(&text)?);
            // Not every kernel tells.
            let children = read_to_string(thread.path().join("children")).unwrap_or_default();
            for child in children.split_whitespace() {
                // So may a child.
                self.add(child).or_else(absent)?;
            }
        }
        Ok(())
    }

    /// Nanoseconds used since `earlier`. By thread: one that ended in between takes its old time
    /// with it and must not be subtracted from the others'.
    pub(crate) fn since(&self, earlier: &Self) -> u64 {
        let used = |(thread, now): (&String, &u64)| {
            now.saturating_sub(earlier.0.get(thread).copied().unwrap_or_default())
        };
        self.0.iter().map(used).sum()
    }
}

/// CPU time of this thread so far, in nanoseconds. It runs while it asks, so the kernel has to
/// count what `schedstat` does not know yet.
pub(crate) fn of_this_thread() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let part = |part: i64| u64::try_from(part).unwrap_or_default();
    part(time.tv_sec) * 1_000_000_000 + part(time.tv_nsec)
}

/// Bytes of memory that a process has in use.
pub(crate) fn resident_bytes(pid: u32) -> io::Result<u64> {
    let status = read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    Ok(1024 * first(line.unwrap_or_default())?)
}

fn absent(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

fn first(text: &str) -> io::Result<u64> {
    let number = text.split_whitespace().next().and_then(|word| word.parse().ok());
    number.ok_or_else(|| io::Error::other(format!("not a figure of the kernel: {text:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(threads: &[(&str, u64)]) -> CpuTime {
        CpuTime(threads.iter().map(|(name, ns)| ((*name).to_owned(), *ns)).collect())
    }

    #[test]
    fn a_thread_that_ended_takes_nothing_from_the_others() {
        let before = times(&[("1", 100), ("2", 5_000)]);
        let after = times(&[("1", 160), ("3", 7)]);
        assert_eq!(after.since(&before), 67);
    }

    #[test]
    fn children_count_too() {
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
