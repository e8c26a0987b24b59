//! The goals of Larder: ratios to other programs in the same round, and memory.

use serde::Serialize;

use crate::cache_kind::CacheKind;
use crate::libraries::{self, Operation};
use crate::resp::Transport;

/// A figure that must be reached and a better one that is aimed at. Lower is better.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Goal {
    pub(crate) must: f64,
    pub(crate) aim: f64,
}

/// Bytes per entry beyond its key of 20 bytes and its value of 100.
pub(crate) const ENTRY_BYTES: Goal = Goal { must: 100.0, aim: 64.0 };
/// CPU time of the proxy itself per miss, against a proxy without a cache. The aim is 5.5 us where
/// that proxy takes 7.8.
pub(crate) const MISS_OWN: Goal = Goal { must: 1.0, aim: 0.7 };
/// CPU time of proxy and Redis together per miss, against the same proxy.
pub(crate) const MISS_TOTAL: Goal = Goal { must: 1.0, aim: 1.0 };

/// CPU time of a GET over HTTP, against nginx's `return`.
pub(crate) const HTTP_GET: Goal = Goal { must: 1.3, aim: 0.97 };

/// Bytes per entry in one process, beyond its key of 25 bytes and its value of 100.
pub(crate) const LIBRARY_ENTRY_BYTES: Goal = Goal { must: 130.0, aim: 100.0 };
/// How the time to clear grows with the number of entries: 1 or more if linear. Not 0 even if
/// constant, as a cache of many entries has displaced everything else from the CPU's caches.
pub(crate) const CLEAR_GROWTH: Goal = Goal { must: 0.5, aim: 0.1 };
/// A miss with its insertion, against `quick_cache`: the near cache where both only insert, the
/// engine where concurrent misses share a load. The aim is 300 ns where `quick_cache` takes 304.
const INSERT: Goal = Goal { must: 1.2, aim: 0.99 };
/// The fraction of the optimum that is aimed at, averaged over all traces.
const HIT_RATIO_AIM: f64 = 0.9;

/// Hits by keys and threads, against `quick_cache`. The aims are 25, 45, 115 and 155 ns where
/// `quick_cache` takes 28, 48, 189 and 166.
const LIBRARY_HITS: [(u32, usize, Goal); 4] = [
    (10_000, 1, Goal { must: 1.1, aim: 0.89 }),
    (10_000, 2, Goal { must: 1.1, aim: 0.94 }),
    (1_000_000, 1, Goal { must: 1.1, aim: 0.61 }),
    (1_000_000, 2, Goal { must: 1.1, aim: 0.93 }),
];

/// CPU time of hits over 50 connections, against Redis.
const HITS: [(Transport, usize, Goal); 6] = [
    (Transport::Tcp, 1, Goal { must: 0.93, aim: 0.88 }),
    (Transport::Tcp, 16, Goal { must: 0.70, aim: 0.60 }),
    (Transport::Tcp, 64, Goal { must: 0.65, aim: 0.50 }),
    (Transport::Unix, 1, Goal { must: 0.80, aim: 0.70 }),
    (Transport::Unix, 16, Goal { must: 0.65, aim: 0.55 }),
    (Transport::Unix, 64, Goal { must: 0.65, aim: 0.50 }),
];

/// CPU time of proxy and Redis together for nine reads to one write, by requests per write, against
/// Redis alone.
const MIXED_TOTAL: [(usize, Goal); 3] = [
    (1, Goal { must: 1.15, aim: 1.0 }),
    (16, Goal { must: 2.0, aim: 1.2 }),
    (64, Goal { must: 2.0, aim: 1.2 }),
];
/// The fraction of these reads that Redis does not run. Higher is better. The next read after each
/// write has to, which leaves 0.9.
const MIXED_UNSEEN: [(usize, Goal); 3] = [
    (1, Goal { must: 0.90, aim: 0.90 }),
    (16, Goal { must: 0.85, aim: 0.90 }),
    (64, Goal { must: 0.85, aim: 0.90 }),
];

/// Returns the goals of mixed traffic with this many requests per write: the CPU time, then the
/// fraction of unseen reads.
pub(crate) fn mixed(pipeline: usize) -> Option<(Goal, Goal)> {
    let of = |goals: [(usize, Goal); 3]| {
        goals.into_iter().find(|(count, _)| *count == pipeline).map(|(_, goal)| goal)
    };
    of(MIXED_TOTAL).zip(of(MIXED_UNSEEN))
}

/// Returns the goal of hits with this many requests per write, if there is one.
pub(crate) fn hits(transport: Transport, pipeline: usize) -> Option<Goal> {
    let found = HITS.iter().find(|(via, count, _)| (*via, *count) == (transport, pipeline));
    found.map(|(.., goal)| *goal)
}

/// Returns the goal of a cache in a case in one process, if there is one.
pub(crate) fn library(cache: CacheKind, case: libraries::Case) -> Option<Goal> {
    let hits = || {
        let found = LIBRARY_HITS
            .iter()
            .find(|(keys, threads, _)| (*keys, *threads) == (case.keys, case.threads));
        found.map(|(.., goal)| *goal)
    };
    match case.operation {
        _ if !cache.has_goals() => None,
        Operation::Hit => hits(),
        Operation::Insert => (cache == CacheKind::Near).then_some(INSERT),
        Operation::Load => Some(INSERT),
        Operation::Clear => None,
    }
}

/// Returns the goal of the hit ratio as a fraction of the optimum: to reach that of another cache.
/// Higher is better.
pub(crate) fn hit_ratio(of_other: f64) -> Goal {
    Goal { must: of_other, aim: HIT_RATIO_AIM.max(of_other) }
}

impl Goal {
    /// Whether a figure, rounded as it is shown, misses the `must`.
    pub(crate) fn is_missed(self, figure: f64, digits: usize) -> bool {
        self.verdict(figure, digits).starts_with("required: missed")
    }

    /// Returns a verdict such as `required: met; target: missed by 0.03`, with as many digits as the figure
    /// beside it, so that the two agree.
    pub(crate) fn verdict(self, figure: f64, digits: usize) -> String {
        let over = |goal: f64| {
            let text = format!("{:.digits$}", rounded(figure, digits) - goal);
            text.parse::<f64>().is_ok_and(|over| over > 0.0).then_some(text)
        };
        match (over(self.must), over(self.aim)) {
            (Some(over), _) => format!("required: missed by {over}"),
            (None, Some(over)) => format!("required: met; target: missed by {over}"),
            (None, None) => "required: met; target: met".to_owned(),
        }
    }
}

fn rounded(figure: f64, digits: usize) -> f64 {
    format!("{figure:.digits$}").parse().unwrap_or(figure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;

    #[test]
    fn mixed_traffic_has_goals_for_each_measured_pipeline() {
        for pipeline in Plan::full().pipelines {
            let (total, unseen) = mixed(pipeline).unwrap();
            assert!(total.aim <= total.must && unseen.aim >= unseen.must, "P={pipeline}");
        }
        assert_eq!(mixed(2), None);
    }

    #[test]
    fn a_verdict_says_by_how_much_a_goal_is_missed() {
        let goal = hits(Transport::Tcp, 1).unwrap();
        assert_eq!(goal.verdict(0.871, 2), "required: met; target: met");
        assert_eq!(goal.verdict(0.91, 2), "required: met; target: missed by 0.03");
        assert_eq!(goal.verdict(0.934, 2), "required: met; target: missed by 0.05");
        assert_eq!(goal.verdict(0.936, 2), "required: missed by 0.01");
        assert_eq!(ENTRY_BYTES.verdict(151.2, 0), "required: missed by 51");
    }

    #[test]
    fn other_pipelines_have_no_goal() {
        assert_eq!(hits(Transport::Unix, 2), None);
    }
}
