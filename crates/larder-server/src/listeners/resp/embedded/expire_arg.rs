//! Times to live and dates, as clients write and read them.
//!
//! The map's clock never jumps, but the time of day may. Dates are converted to the map's time and
//! back by the current difference of the two, which is 0 unless somebody sets the clock.

use super::{command_error::CommandError, context::CommandContext, number};
use larder_core::memory_store::Expiry;

/// Two clocks that are read one after the other differ by less than this.
const CLOCK_SKEW_MS: i64 = 1000;

/// The unit of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Millis,
}

/// A time in a command: a span from now on, or a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ExpireArg<'a> {
    pub(super) unit: Unit,
    pub(super) is_date: bool,
    pub(super) text: &'a [u8],
}

impl<'a> ExpireArg<'a> {
    /// Returns the time in an option of `SET` or `GETEX`.
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

    /// Returns whether both are given by the same option.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        (self.unit, self.is_date) == (other.unit, other.is_date)
    }

    /// Returns when the key expires. The time must be positive.
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

    /// Returns the date in milliseconds since 1970, or `None` if it does not fit into 64 bits.
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

/// Converts a date to the map's time.
pub(super) fn from_date(ctx: &mut CommandContext<'_>, date: i64) -> i64 {
    date.saturating_sub(clock_offset(ctx))
}

/// Converts the map's time to a date.
pub(super) fn to_date(ctx: &mut CommandContext<'_>, time: i64) -> i64 {
    time.saturating_add(clock_offset(ctx))
}

/// Returns what must be added to the map's time to get the time of day.
fn clock_offset(ctx: &mut CommandContext<'_>) -> i64 {
    let unix = ctx.proxy.engine().clock().unix().as_millis();
    let offset = i64::try_from(unix).unwrap_or(i64::MAX).saturating_sub(ctx.txn().now());
    if offset.abs() < CLOCK_SKEW_MS { 0 } else { offset }
}
