//! What is inserted, and why it may be refused.

use super::{change_stamp::ChangeStamp, view::ReadView};
use crate::{Moment, key::HashedKey};

/// A value to insert.
pub(crate) struct Insertion<'a, V> {
    pub(crate) key: HashedKey<'a>,
    pub(crate) value: &'a V,
    /// The moment from which the value is no longer served.
    pub(crate) deadline: Moment,
    /// The view at the time of the insertion. Its epoch becomes that of the entry.
    pub(crate) view: ReadView,
    /// The stamp that must still be current. `None` if the caller holds a lock that every removal
    /// of the name takes first, or if nothing else needs to be excluded.
    pub(crate) stamp: Option<ChangeStamp>,
}

/// Why a value was not inserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InsertError {
    /// It is too large, or its name already has the maximum number of values.
    NoRoom,
    /// The name has changed since its stamp was taken.
    StampChanged,
}
