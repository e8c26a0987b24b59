//! The store's tracking table, as it was when the store was last asked.

use larder_redis::TrackingTable;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The table counts as nearly full from this part of its limit on, in percent, until it has fallen
/// below the other.
const NEARLY_FULL: u64 = 90;
const NO_LONGER_FULL: u64 = 80;

/// See the [module](self).
#[derive(Default)]
pub(crate) struct TrackingStats(Mutex<Known>);

#[derive(Clone, Copy, Default)]
struct Known {
    table: Option<TrackingTable>,
    is_nearly_full: bool,
}

/// What a new size has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    NearlyFull,
    NoLongerFull,
}

impl TrackingStats {
    /// Records the table, or that its size is unknown now.
    pub(crate) fn record(&self, table: Option<TrackingTable>) -> Option<Change> {
        let mut known = self.known();
        let was_nearly_full = known.is_nearly_full;
        let percent = if was_nearly_full { NO_LONGER_FULL } else { NEARLY_FULL };
        known.table = table;
        known.is_nearly_full = table.is_some_and(|table| reaches(table, percent));
        match (was_nearly_full, known.is_nearly_full) {
            (false, true) => Some(Change::NearlyFull),
            (true, false) => Some(Change::NoLongerFull),
            _ => None,
        }
    }

    pub(crate) fn table(&self) -> Option<TrackingTable> {
        self.known().table
    }

    /// Returns what is wrong, for people.
    pub(crate) fn problem(&self) -> Option<String> {
        let Known { table: Some(TrackingTable { keys, keys_max: Some(max), .. }), is_nearly_full } =
            *self.known()
        else {
            return None;
        };
        is_nearly_full.then(|| {
            format!(
                "the store tracks {keys} keys of at most {max} (tracking-table-max-keys): beyond \
                 that it invalidates keys at random"
            )
        })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn reaches(table: TrackingTable, percent: u64) -> bool {
    let TrackingTable { keys, keys_max, .. } = table;
    keys_max.is_some_and(|max| keys.saturating_mul(100) >= max.saturating_mul(percent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_nearly_full_until_it_has_shrunk_enough() {
        let stats = TrackingStats::default();
        let record = |keys, keys_max| {
            let change = stats.record(Some(TrackingTable { keys, items: keys, keys_max }));
            (change, stats.problem().is_some())
        };
        let limit = Some(100);
        assert_eq!(record(89, limit), (None, false));
        assert_eq!(record(90, limit), (Some(Change::NearlyFull), true));
        assert_eq!(record(100, limit), (None, true));
        assert_eq!(record(80, limit), (None, true));
        assert_eq!(record(79, limit), (Some(Change::NoLongerFull), false));
        assert_eq!(record(1_000, None), (None, false), "there is no limit");
        assert_eq!(record(1_000, limit), (Some(Change::NearlyFull), true));
        assert_eq!(stats.record(None), Some(Change::NoLongerFull));
    }
}
