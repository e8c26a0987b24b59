//! The results of a load.

use std::io;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::generator::connection::CompletedBatch;

/// The range of the latency histogram, in which it is exact to a thousandth.
const LATENCY_NS: (u64, u64) = (1_000, 60_000_000_000);

/// The results of a load.
#[derive(Debug)]
pub struct LoadStats {
    /// The number of answered requests.
    pub requests: u64,
    /// How many of those were writes.
    pub writes: u64,
    /// The number of well-formed replies with another value.
    pub wrong: u64,
    /// The time from the first write to the last reply.
    pub elapsed: Duration,
    /// The time from the write of a batch, or from when it was due, to its last reply, in
    /// nanoseconds.
    pub latency: Histogram<u64>,
}

impl LoadStats {
    pub(super) fn new() -> io::Result<Self> {
        let latency = histogram()?;
        Ok(Self { requests: 0, writes: 0, wrong: 0, elapsed: Duration::ZERO, latency })
    }

    /// Adds a completed batch.
    pub(super) fn add(&mut self, batch: &CompletedBatch, requests: u64, latency: Duration) {
        self.latency.saturating_record(nanos(latency));
        self.requests += requests;
        self.writes += batch.writes;
        self.wrong += batch.wrong;
    }

    /// Returns an error if any reply had another value.
    pub fn checked(self) -> io::Result<Self> {
        match self.wrong {
            0 => Ok(self),
            wrong => {
                let text = format!("{wrong} of {} replies had another value", self.requests);
                Err(io::Error::other(text))
            }
        }
    }
}

/// The results of an open loop.
#[derive(Debug)]
pub struct OpenLoopStats {
    /// The requests. Their latencies are measured from when they were due, in nanoseconds.
    pub load: LoadStats,
    /// How long the generator itself delayed each request, in nanoseconds.
    pub late: Histogram<u64>,
}

impl OpenLoopStats {
    /// Returns an error if any reply had another value.
    pub fn checked(self) -> io::Result<Self> {
        Ok(Self { load: self.load.checked()?, ..self })
    }
}

pub(super) fn histogram() -> io::Result<Histogram<u64>> {
    let (lowest, highest) = LATENCY_NS;
    Histogram::new_with_bounds(lowest, highest, 3).map_err(io::Error::other)
}

pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
