//! Times to live and dates, as clients give and read them.
//!
//! The map's own time never jumps. The time of day may, so dates are turned into the map's time and
//! back by what lies between the two just now; while nobody sets the clock that is nothing.

use super::{command_error::CommandError, context::CommandContext, number};
use larder_core::memory_store::Expiry;

/// The map's time and the time of day read a moment apart differ by less than this.
const READ_APART_MS: i64 = 1000;

/// What a time is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Millis,
}

/// A time that a client gives: from now on, or since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ExpireArg<'a> {
    pub(super) unit: Unit,
    pub(super) is_date: bool,
    pub(super) text: &'a [u8],
}

impl<'a> ExpireArg<'a> {
    /// The time behind an option of `SET` or `GETEX`.
    pub(super) fn option(word: &[u8], text: &'a [u8]) -> Option<Self> {
        let (unit, is_date) = match word.to_ascii_uppercase().as_slice() {
            b"EX" => (Unit::Seconds, false),
            b"PX" => (Unit::Millis, false),
            b"EXAT" => (Unit::Seconds, true),
            b"PXAT" => (Unit::Millis, true),
            _ => return None,
        };
        Some(Self { unit, is_date, text })
    }

    pub(super) fn is_like(&self, other: &Self) -> bool {
        (self.unit, self.is_date) == (other.unit, other.is_date)
    }

    /// The end of a life. It must be a positive time.
    pub(super) fn life(
        self,
        ctx: &mut CommandContext<'_>,
        command: &str,
    ) -> Result<Expiry, CommandError> {
        let value = number::integer(self.text).ok_or(CommandError::NOT_AN_INTEGER)?;
        let refused = || CommandError::expire_time(command);
        if value <= 0 {
            return Err(refused());
        }
        let date = self.date(ctx, value).ok_or_else(refused)?;
        Ok(Expiry::At(from_date(ctx, date)))
    }

    /// The same in milliseconds since 1970; `None` if that is no number of 64 bits.
    pub(super) fn date(self, ctx: &mut CommandContext<'_>, value: i64) -> Option<i64> {
        let millis = match self.unit {
            Unit::Seconds => value.checked_mul(1000)?,
            Unit::Millis => value,
        };
        if self.is_date {
            return Some(millis);
        }
        let now = ctx.txn().now();
        to_date(ctx, now).checked_add(millis)
    }
}

/// A date in the map's time.
pub(super) fn from_date(ctx: &mut CommandContext<'_>, date: i64) -> i64 {
    date.saturating_sub(apart(ctx))
}

/// The date of a moment in the map's time.
pub(super) fn to_date(ctx: &mut CommandContext<'_>, time: i64) -> i64 {
    time.saturating_add(apart(ctx))
}

/// What to add to the map's time for the time of day.
fn apart(ctx: &mut CommandContext<'_>) -> i64 {
    let unix = ctx.app.engine().clock().unix().as_millis();
    let apart = i64::try_from(unix).unwrap_or(i64::MAX).saturating_sub(ctx.txn().now());
    if apart.abs() < READ_APART_MS { 0 } else { apart }
}
