//! The loads that servers are compared under, and who answers which.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::keys::{Family, Pick, ValueSize};
use crate::plan::{Large, Plan};
use crate::servers::Kind;

/// Pipelines of loads of which more would tell nothing new.
const FEW_PIPELINES: [usize; 2] = [1, 16];
/// Of a mix, how many requests in a hundred are writes.
pub(crate) const WRITES_PERCENT: u64 = 10;

/// What the reads find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reads {
    /// Keys that everybody has.
    Hits,
    /// Keys that nobody has read before.
    Misses,
    /// Keys that everybody has, or had until somebody wrote them: so many of the requests do.
    Mix,
}

/// What the reads travel over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// TCP over loopback.
    Tcp,
    /// A unix socket.
    Unix,
}

/// A load that servers are compared under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub struct Case {
    /// What the reads find.
    pub reads: Reads,
    /// What they travel over.
    pub transport: Transport,
    /// How many connections are open.
    pub connections: usize,
    /// Requests per write.
    pub pipeline: usize,
    /// How large the values are.
    #[serde(default)]
    pub size: ValueSize,
    /// How often each key is asked for.
    #[serde(default)]
    pub pick: Pick,
}

impl Case {
    /// Hits of the usual size over TCP.
    pub(crate) const fn hits(connections: usize, pipeline: usize) -> Self {
        let (reads, transport) = (Reads::Hits, Transport::Tcp);
        let (size, pick) = (ValueSize::Usual, Pick::Uniform);
        Self { reads, transport, connections, pipeline, size, pick }
    }

    /// Everything that is asked of servers.
    pub(super) fn all(plan: &Plan) -> Vec<Self> {
        let one = Self::hits(plan.connections, 1);
        let hits = || plan.pipelines.iter().map(|&pipeline| Self { pipeline, ..one });
        let over_unix = hits().map(|case| Self { transport: Transport::Unix, ..case });
        let many = Self { connections: plan.many_connections, ..one };
        let misses = Self { reads: Reads::Misses, ..one };
        let mut cases: Vec<_> = hits().chain(over_unix).chain([many, misses]).collect();
        let large = |it: &Large| Self { connections: it.connections, size: it.size, ..one };
        let zipf = |pipeline| Self { pick: Pick::Zipf, pipeline, ..one };
        cases.extend(FEW_PIPELINES.map(zipf));
        cases.extend(FEW_PIPELINES.map(|pipeline| Self { reads: Reads::Mix, pipeline, ..one }));
        cases.extend(plan.large.iter().map(large));
        cases
    }

    /// Whether nothing is special about its values and keys.
    fn is_plain(&self) -> bool {
        (self.size, self.pick) == (ValueSize::Usual, Pick::Uniform)
    }

    /// Whether a kind of server has a part in it.
    pub(super) fn is_for(&self, kind: Kind) -> bool {
        let compared = match self.reads {
            Reads::Misses => &[Kind::Nutcracker, Kind::Larder][..],
            Reads::Mix => &[Kind::Redis, Kind::Nutcracker, Kind::Larder],
            Reads::Hits if self.is_plain() => &Kind::MEASURED,
            Reads::Hits => &[Kind::Floor, Kind::Redis, Kind::Nutcracker, Kind::Larder],
        };
        compared.contains(&kind) && (self.transport == Transport::Tcp || kind.has_unix_socket())
    }

    /// The keys that this kind of server is asked for.
    pub(super) fn family(&self, kind: Kind) -> Family {
        match self.reads {
            Reads::Hits => Family::with_values_of(self.size),
            Reads::Misses => Family::COLD,
            // Larder must not hear of what is written through the other proxy.
            Reads::Mix if kind == Kind::Nutcracker => Family::MIXED_APART,
            Reads::Mix => Family::MIXED,
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reads, transport, connections, pipeline, .. } = self;
        let reads = match reads {
            Reads::Hits => "hits",
            Reads::Misses => "misses",
            Reads::Mix => "mix",
        };
        let transport = if *transport == Transport::Tcp { "TCP" } else { "unix" };
        write!(f, "{reads}, {transport}, {connections} connections, P={pipeline}")?;
        if self.size != ValueSize::Usual {
            write!(f, ", {}", self.size.name())?;
        }
        if self.pick == Pick::Zipf { f.write_str(", zipf") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_case_has_those_who_can_answer_it() {
        let cases = Case::all(&Plan::full());
        let members = |case: &Case| Kind::MEASURED.map(|kind| case.is_for(kind));
        let over_unix = cases.iter().find(|case| case.transport == Transport::Unix).unwrap();
        assert_eq!(members(over_unix), [true, true, false, false, false, true]);
        let misses = cases.iter().find(|case| case.reads == Reads::Misses).unwrap();
        assert_eq!(members(misses), [false, false, false, true, false, true]);
        let large = cases.iter().find(|case| case.size == ValueSize::Mib1).unwrap();
        assert_eq!((large.family(Kind::Redis), large.connections), (Family::MIB1, 8));
        assert_eq!(large.to_string(), "hits, TCP, 8 connections, P=1, 1 MiB");
    }

    #[test]
    fn what_is_written_through_one_proxy_is_not_read_through_the_other() {
        let mix = Case { reads: Reads::Mix, ..Case::hits(50, 1) };
        assert!(mix.is_for(Kind::Nutcracker) && mix.is_for(Kind::Larder));
        assert!(!mix.is_for(Kind::Floor));
        assert_ne!(mix.family(Kind::Nutcracker), mix.family(Kind::Larder));
    }
}
