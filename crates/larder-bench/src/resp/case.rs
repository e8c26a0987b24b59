//! The loads under which servers are compared, and which servers take part.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::keys::{Distribution, KeySpace, ValueSize};
use crate::plan::{LargeValues, Plan};
use crate::servers::ServerKind;

/// The pipelines of loads for which further ones would show nothing new.
const FEW_PIPELINES: [usize; 2] = [1, 16];
/// The connections of a mixed workload: most clients put a whole process on one.
pub(crate) const MIXED_CONNECTIONS: usize = 8;
/// The percentage of writes in a mixed workload.
pub(crate) const WRITES_PERCENT: u64 = 10;

/// What requests do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Workload {
    /// Read keys that every server has.
    Hits,
    /// Read keys that were never read before.
    Misses,
    /// Read and write keys that every server has. A write invalidates the key in a near cache.
    Mixed,
}

/// The transport of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// TCP over loopback.
    Tcp,
    /// A unix socket.
    Unix,
}

/// A load under which servers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub struct Case {
    /// What requests do.
    pub workload: Workload,
    /// The transport of requests.
    pub transport: Transport,
    /// The number of connections.
    pub connections: usize,
    /// The number of requests per write.
    pub pipeline: usize,
    /// The size of the values.
    #[serde(default)]
    pub size: ValueSize,
    /// How reads are spread over the keys.
    #[serde(default)]
    pub distribution: Distribution,
}

impl Case {
    /// Returns hits of the usual size over TCP.
    pub(crate) const fn hits(connections: usize, pipeline: usize) -> Self {
        let (workload, transport) = (Workload::Hits, Transport::Tcp);
        let (size, distribution) = (ValueSize::Usual, Distribution::Uniform);
        Self { workload, transport, connections, pipeline, size, distribution }
    }

    /// Returns all cases of a plan.
    pub(super) fn all(plan: &Plan) -> Vec<Self> {
        let one = Self::hits(plan.connections, 1);
        let hits = || plan.pipelines.iter().map(|&pipeline| Self { pipeline, ..one });
        let over_unix = hits().map(|case| Self { transport: Transport::Unix, ..case });
        let many = Self { connections: plan.many_connections, ..one };
        let misses = Self { workload: Workload::Misses, ..one };
        let mut cases: Vec<_> = hits().chain(over_unix).chain([many, misses]).collect();
        let large = |it: &LargeValues| Self { connections: it.connections, size: it.size, ..one };
        let zipf = |pipeline| Self { distribution: Distribution::Zipf, pipeline, ..one };
        cases.extend(FEW_PIPELINES.map(zipf));
        cases.extend(plan.pipelines.iter().map(|&pipeline| Self {
            workload: Workload::Mixed,
            connections: MIXED_CONNECTIONS,
            pipeline,
            ..one
        }));
        cases.extend(plan.large.iter().map(large));
        cases
    }

    /// Whether values have the usual size and reads are uniform.
    fn is_plain(&self) -> bool {
        (self.size, self.distribution) == (ValueSize::Usual, Distribution::Uniform)
    }

    /// Whether a kind of server takes part.
    pub(super) fn is_for(&self, kind: ServerKind) -> bool {
        let compared = match self.workload {
            Workload::Misses => &[ServerKind::Nutcracker, ServerKind::Larder][..],
            Workload::Mixed => &[ServerKind::Redis, ServerKind::Nutcracker, ServerKind::Larder],
            Workload::Hits if self.is_plain() => &ServerKind::MEASURED,
            Workload::Hits => &[
                ServerKind::Baseline,
                ServerKind::Redis,
                ServerKind::Nutcracker,
                ServerKind::Larder,
            ],
        };
        compared.contains(&kind) && (self.transport == Transport::Tcp || kind.has_unix_socket())
    }

    /// Returns the keys that are requested from this kind of server.
    pub(super) fn key_space(&self, kind: ServerKind) -> KeySpace {
        match self.workload {
            Workload::Hits => KeySpace::with_values_of(self.size),
            Workload::Misses => KeySpace::COLD,
            // Writes through the other proxy must not invalidate the keys of Larder.
            Workload::Mixed if kind == ServerKind::Nutcracker => KeySpace::MIXED_SEPARATE,
            Workload::Mixed => KeySpace::MIXED,
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { workload, transport, connections, pipeline, .. } = self;
        let workload = match workload {
            Workload::Hits => "hits",
            Workload::Misses => "misses",
            Workload::Mixed => "mixed",
        };
        let transport = if *transport == Transport::Tcp { "TCP" } else { "unix" };
        write!(f, "{workload}, {transport}, {connections} connections, P={pipeline}")?;
        if self.size != ValueSize::Usual {
            write!(f, ", {}", self.size.name())?;
        }
        if self.distribution == Distribution::Zipf { f.write_str(", zipf") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_case_has_the_servers_that_support_it() {
        let cases = Case::all(&Plan::full());
        let members = |case: &Case| ServerKind::MEASURED.map(|kind| case.is_for(kind));
        let over_unix = cases.iter().find(|case| case.transport == Transport::Unix).unwrap();
        assert_eq!(members(over_unix), [true, true, false, false, false, true]);
        let misses = cases.iter().find(|case| case.workload == Workload::Misses).unwrap();
        assert_eq!(members(misses), [false, false, false, true, false, true]);
        let large = cases.iter().find(|case| case.size == ValueSize::Mib1).unwrap();
        assert_eq!((large.key_space(ServerKind::Redis), large.connections), (KeySpace::MIB1, 8));
        assert_eq!(large.to_string(), "hits, TCP, 8 connections, P=1, 1 MiB");
    }

    #[test]
    fn the_proxies_write_different_keys() {
        let mix = Case { workload: Workload::Mixed, ..Case::hits(50, 1) };
        assert!(mix.is_for(ServerKind::Nutcracker) && mix.is_for(ServerKind::Larder));
        assert!(!mix.is_for(ServerKind::Baseline));
        assert_ne!(mix.key_space(ServerKind::Nutcracker), mix.key_space(ServerKind::Larder));
    }
}
