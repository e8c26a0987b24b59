//! What Larder has to reach, beside others in the same round, and in memory.

use serde::Serialize;

use crate::caches::CacheKind;
use crate::libraries::{self, Work};
use crate::measure::Transport;

/// A figure that must be reached and one that is hoped for; lower is better.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Goal {
    pub(crate) must: f64,
    pub(crate) aim: f64,
}

/// Bytes that an entry of 20 + 100 bytes takes beyond those.
pub(crate) const ENTRY_BYTES: Goal = Goal { must: 100.0, aim: 64.0 };
/// CPU of the proxy itself for a miss, against a proxy without memory. The aim is 5.5 us where that
/// takes 7.8.
pub(crate) const MISS_OWN: Goal = Goal { must: 1.0, aim: 0.7 };
/// The same of proxy and Redis together.
pub(crate) const MISS_TOTAL: Goal = Goal { must: 1.0, aim: 1.0 };

/// CPU of a GET over HTTP, against nginx's `return`.
pub(crate) const HTTP_GET: Goal = Goal { must: 1.3, aim: 0.97 };

/// Bytes that an entry of 25 + 100 bytes takes beyond those, inside one process.
pub(crate) const LIBRARY_ENTRY_BYTES: Goal = Goal { must: 130.0, aim: 100.0 };
/// How the time to clear grows with the entries: 1 or more where it is linear. Not 0 where it is
/// constant, as a cache of many entries has left nothing else in the processor's.
pub(crate) const CLEAR_GROWTH: Goal = Goal { must: 0.5, aim: 0.1 };
/// A miss and its insertion, against `quick_cache`: of the near tier by itself where either only
/// keeps what it is given, of the engine where either loads for all who wait. The aim is 300 ns
/// where that takes 304.
const INSERT: Goal = Goal { must: 1.2, aim: 0.99 };
/// The part of the optimum that is hoped for, in the mean of all traces.
const HIT_RATIO_AIM: f64 = 0.9;

/// Hits by keys and threads, against `quick_cache`. The aims are 25, 45, 115 and 155 ns where that
/// takes 28, 48, 189 and 166.
const LIBRARY_HITS: [(u32, usize, Goal); 4] = [
    (10_000, 1, Goal { must: 1.1, aim: 0.89 }),
    (10_000, 2, Goal { must: 1.1, aim: 0.94 }),
    (1_000_000, 1, Goal { must: 1.1, aim: 0.61 }),
    (1_000_000, 2, Goal { must: 1.1, aim: 0.93 }),
];

/// Hits, 50 connections: CPU against Redis.
const HITS: [(Transport, usize, Goal); 6] = [
    (Transport::Tcp, 1, Goal { must: 0.93, aim: 0.88 }),
    (Transport::Tcp, 16, Goal { must: 0.70, aim: 0.60 }),
    (Transport::Tcp, 64, Goal { must: 0.65, aim: 0.50 }),
    (Transport::Unix, 1, Goal { must: 0.80, aim: 0.70 }),
    (Transport::Unix, 16, Goal { must: 0.65, aim: 0.55 }),
    (Transport::Unix, 64, Goal { must: 0.65, aim: 0.50 }),
];

/// The goal of hits with that many requests per write, if there is one.
pub(crate) fn hits(transport: Transport, pipeline: usize) -> Option<Goal> {
    let found = HITS.iter().find(|(via, count, _)| (*via, *count) == (transport, pipeline));
    found.map(|(.., goal)| *goal)
}

/// The goal of a cache in a case inside one process, if there is one.
pub(crate) fn library(cache: CacheKind, case: libraries::Case) -> Option<Goal> {
    let hits = || {
        let found = LIBRARY_HITS
            .iter()
            .find(|(keys, threads, _)| (*keys, *threads) == (case.keys, case.threads));
        found.map(|(.., goal)| *goal)
    };
    match case.work {
        _ if !cache.has_goals() => None,
        Work::Hit => hits(),
        Work::Insert => (cache == CacheKind::Near).then_some(INSERT),
        Work::Load => Some(INSERT),
        Work::Clear => None,
    }
}

/// The goal of the hit ratio, as a part of the optimum: what another cache has. Higher is better.
pub(crate) fn hit_ratio(of_other: f64) -> Goal {
    Goal { must: of_other, aim: HIT_RATIO_AIM.max(of_other) }
}

impl Goal {
    /// Whether the must is out of reach of this figure, read as precisely as it is shown.
    pub(crate) fn is_missed(self, figure: f64, digits: usize) -> bool {
        self.verdict(figure, digits).starts_with("must missed")
    }

    /// `must met, aim missed by 0.03`. As precise as the figure beside it, so that the two agree.
    pub(crate) fn verdict(self, figure: f64, digits: usize) -> String {
        let over = |goal: f64| {
            let text = format!("{:.digits$}", rounded(figure, digits) - goal);
            text.parse::<f64>().is_ok_and(|over| over > 0.0).then_some(text)
        };
        match (over(self.must), over(self.aim)) {
            (Some(over), _) => format!("must missed by {over}"),
            (None, Some(over)) => format!("must met, aim missed by {over}"),
            (None, None) => "must met, aim met".to_owned(),
        }
    }
}

fn rounded(figure: f64, digits: usize) -> f64 {
    format!("{figure:.digits$}").parse().unwrap_or(figure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_say_by_how_much() {
        let goal = hits(Transport::Tcp, 1).unwrap();
        assert_eq!(goal.verdict(0.871, 2), "must met, aim met");
        assert_eq!(goal.verdict(0.91, 2), "must met, aim missed by 0.03");
        assert_eq!(goal.verdict(0.934, 2), "must met, aim missed by 0.05");
        assert_eq!(goal.verdict(0.936, 2), "must missed by 0.01");
        assert_eq!(ENTRY_BYTES.verdict(151.2, 0), "must missed by 51");
    }

    #[test]
    fn other_shapes_have_no_goal() {
        assert_eq!(hits(Transport::Unix, 2), None);
    }
}
