//! When a cached value expires, as people say it.
//!
//! | text | meaning |
//! | --- | --- |
//! | `300`, `1500ms`, `5m`, `48h`, `7d` | this long after the value was made; a plain number is seconds |
//! | `daily 00:00 Europe/Brussels` | at the next 00:00 of this time zone |
//! | `cron 0 0 * * 1`, `cron 0 0 * * 1 Europe/Brussels` | at the next time that the expression names; without a time zone in UTC |
//! | `never` | not at all |
//!
//! This crate reads no clock: every question carries the time. It is a crate of its own, because the
//! library and the server share it, and time zones are more than the engine should depend on.
//!
//! ```
//! use larder_expiry::Expiry;
//! use std::time::Duration;
//!
//! let midnight: Expiry = "daily 00:00 Europe/Brussels".parse()?;
//! // 2026-03-28 22:00 UTC is 23:00 in Brussels.
//! let now = Duration::from_secs(1_774_735_200);
//! assert_eq!(midnight.ttl(now), Some(Duration::from_hours(1)));
//! // The day that follows has 23 hours: clocks go forward.
//! let next = now + Duration::from_hours(1);
//! assert_eq!(midnight.ttl(next), Some(Duration::from_hours(23)));
//! # Ok::<(), larder_expiry::ParseExpiryError>(())
//! ```

mod calendar;
mod duration;
mod error;

use calendar::Schedule;
pub use duration::{parse_duration, show_duration};
pub use error::ParseExpiryError;
use std::{fmt, str::FromStr, time::Duration};

/// When a value expires that was made at a given time. See the [crate] for its text.
#[derive(Clone, Debug, PartialEq)]
pub struct Expiry(Kind);

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Never,
    After(Duration),
    At(Box<Schedule>),
}

impl Expiry {
    /// The expiry of values that do not expire.
    pub const NEVER: Self = Self(Kind::Never);

    /// Returns the expiry this long after the value was made.
    pub const fn after(ttl: Duration) -> Self {
        Self(Kind::After(ttl))
    }

    /// Returns the expiry at the next `time`, such as `00:00`, of a time zone, such as
    /// `Europe/Brussels`.
    ///
    /// Where clocks go forward over that time, it is the moment at which they do. Where they go back
    /// over it, it is the first of the two.
    pub fn daily(time: &str, zone: &str) -> Result<Self, ParseExpiryError> {
        Schedule::daily(time, zone).map(|daily| Self(Kind::At(Box::new(daily))))
    }

    /// Returns the expiry at the next time that a cron expression of five fields names, in a time
    /// zone such as `Europe/Brussels`. Changes of the clock count as in [`Expiry::daily`], except
    /// that `*` in the field of the hour also names an hour that occurs twice.
    pub fn cron(expression: &str, zone: &str) -> Result<Self, ParseExpiryError> {
        Schedule::cron(expression, zone).map(|cron| Self(Kind::At(Box::new(cron))))
    }

    /// Returns the time to live of a value that is made at `unix`, the time since 1970; `None` for
    /// a value that does not expire. Never zero for a time of day or a cron expression.
    pub fn ttl(&self, unix: Duration) -> Option<Duration> {
        match &self.0 {
            Kind::Never => None,
            Kind::After(ttl) => Some(*ttl),
            Kind::At(schedule) => schedule.ttl(unix),
        }
    }

    /// Returns the duration, if this is the same one for every value.
    pub fn as_duration(&self) -> Option<Duration> {
        match self.0 {
            Kind::After(ttl) => Some(ttl),
            Kind::Never | Kind::At(_) => None,
        }
    }
}

impl From<Duration> for Expiry {
    fn from(ttl: Duration) -> Self {
        Self::after(ttl)
    }
}

impl FromStr for Expiry {
    type Err = ParseExpiryError;

    fn from_str(text: &str) -> Result<Self, ParseExpiryError> {
        let text = text.trim();
        match text.split_once(char::is_whitespace).unwrap_or((text, "")) {
            ("never", "") => Ok(Self::NEVER),
            ("daily", rest) => match rest.split_whitespace().collect::<Vec<_>>()[..] {
                [time, zone] => Self::daily(time, zone),
                _ => Err(ParseExpiryError::Daily(text.into())),
            },
            ("cron", rest) => {
                let (expression, zone) = calendar::split_cron(rest)?;
                Self::cron(&expression, zone)
            }
            _ => parse_duration(text)
                .map(Self::after)
                .ok_or_else(|| ParseExpiryError::Unknown(text.into())),
        }
    }
}

/// Writes the text that parses to the same expiry.
impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Never => f.write_str("never"),
            Kind::After(ttl) => f.write_str(&show_duration(*ttl)),
            Kind::At(schedule) => schedule.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Expiry, ParseExpiryError> {
        text.parse()
    }

    #[test]
    fn every_form_is_parsed_and_displayed() {
        for (text, shown) in [
            ("300", "5m"),
            ("5m", "5m"),
            ("48h", "2d"),
            (" 1500ms ", "1500ms"),
            ("never", "never"),
            ("daily 00:00 Europe/Brussels", "daily 00:00 Europe/Brussels"),
            ("daily  06:30:15   UTC", "daily 06:30:15 UTC"),
            ("cron 0 0 * * 1", "cron 0 0 * * 1 UTC"),
            ("cron */5 * * * * Europe/Brussels", "cron */5 * * * * Europe/Brussels"),
        ] {
            let expiry = parse(text).unwrap();
            assert_eq!(expiry.to_string(), shown);
            assert_eq!(parse(shown).unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn a_mistake_is_named() {
        for (text, part) in [
            ("5x", "`5x`"),
            ("", "``"),
            ("-5m", "`-5m`"),
            ("never ever", "`never ever`"),
            ("daily", "daily HH:MM Zone/City"),
            ("daily 00:00", "daily HH:MM Zone/City"),
            ("daily 24:00 Europe/Brussels", "`24:00`"),
            ("daily 00:00 Europe/Bruges", "`Europe/Bruges`"),
            ("cron", "five fields"),
            ("cron 0 0 * *", "five fields"),
            ("cron 0 0 * * 9", "`0 0 * * 9`"),
            ("cron 0 0 * * 1 Mars/Olympus", "`Mars/Olympus`"),
            ("cron 0 0 30 2 *", "names no time"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
