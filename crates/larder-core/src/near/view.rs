//! The moment and the epoch that lookups are judged by.

use crate::Moment;

/// What decides whether an entry is valid: the current time and the current epoch.
#[derive(Clone, Copy, Debug)]
pub struct ReadView {
    pub(crate) now: Moment,
    pub(crate) epoch: u32,
}

impl ReadView {
    /// Returns the time at which this view was taken.
    pub fn now(self) -> Moment {
        self.now
    }

    /// Returns a view in which only entries are valid that do not expire before `moment`.
    pub(crate) fn until(self, moment: Moment) -> Self {
        Self { now: moment, ..self }
    }

    /// Returns the view of a near cache that has no engine.
    pub const fn standalone(now: Moment) -> Self {
        Self { now, epoch: 0 }
    }
}
