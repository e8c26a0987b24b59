//! Expiry at a time of the calendar, in a time zone.

use crate::ParseExpiryError;
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use jiff::{Timestamp, civil::Time, tz::TimeZone};
use std::{fmt, time::Duration};

/// Fields of a cron expression.
const CRON_FIELDS: usize = 5;

/// Times of the calendar in a time zone.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Schedule {
    cron: Cron,
    zone: TimeZone,
    /// The text that parses to this schedule.
    text: String,
}

impl Schedule {
    /// Returns the schedule of a time of day. It is that of a cron expression, so that both treat
    /// changes of the clock alike.
    pub(crate) fn daily(time: &str, zone: &str) -> Result<Self, ParseExpiryError> {
        let at = parse_time(time)?;
        let expression = format!("{} {} {} * * *", at.second(), at.minute(), at.hour());
        Ok(Self {
            cron: parse_cron(&expression, Seconds::Required)?,
            zone: parse_zone(zone)?,
            text: format!("daily {time} {zone}"),
        })
    }

    /// Returns the schedule of a cron expression.
    pub(crate) fn cron(expression: &str, zone: &str) -> Result<Self, ParseExpiryError> {
        let fields = expression.split_whitespace().count();
        if fields != CRON_FIELDS {
            return Err(ParseExpiryError::CronFields(expression.into(), fields));
        }
        let schedule = Self {
            cron: parse_cron(expression, Seconds::Disallowed)?,
            zone: parse_zone(zone)?,
            text: format!("cron {expression} {zone}"),
        };
        // Any date will do: an expression that names no time from 1970 on never names one.
        match schedule.ttl(Duration::ZERO) {
            Some(_) => Ok(schedule),
            None => Err(ParseExpiryError::CronNever(expression.into())),
        }
    }

    /// Returns the time until the first occurrence after `unix`, the time since 1970. `None` at the
    /// end of the calendar, in the year 9999.
    pub(crate) fn ttl(&self, unix: Duration) -> Option<Duration> {
        let now = Timestamp::from_duration(unix.try_into().ok()?).ok()?;
        let next = self.next(now, false).or_else(|| {
            // The search fails at a day that the zone skips, as Samoa did in 2011. What is due on that
            // day is due when the clock skips it.
            let change = self.zone.following(now).next()?.timestamp();
            self.next(change, true).map(|_| change)
        })?;
        next.duration_since(now).try_into().ok()
    }

    fn next(&self, from: Timestamp, inclusive: bool) -> Option<Timestamp> {
        let from = from.to_zoned(self.zone.clone());
        self.cron.find_next_occurrence(&from, inclusive).ok().map(|next| next.timestamp())
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Splits the text after `cron` into the expression and the time zone.
pub(crate) fn split_cron(text: &str) -> Result<(String, &str), ParseExpiryError> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let zone = match fields.get(CRON_FIELDS..) {
        Some([]) => "UTC",
        Some([zone]) => zone,
        _ => return Err(ParseExpiryError::CronFields(text.trim().into(), fields.len())),
    };
    Ok((fields.into_iter().take(CRON_FIELDS).collect::<Vec<_>>().join(" "), zone))
}

fn parse_cron(expression: &str, seconds: Seconds) -> Result<Cron, ParseExpiryError> {
    let parser = CronParser::builder().seconds(seconds).year(Year::Disallowed).build();
    parser
        .parse(expression)
        .map_err(|error| ParseExpiryError::Cron(expression.into(), error.to_string().into()))
}

fn parse_time(text: &str) -> Result<Time, ParseExpiryError> {
    let format = if text.matches(':').count() == 1 { "%H:%M" } else { "%H:%M:%S" };
    Time::strptime(format, text).map_err(|_| ParseExpiryError::Time(text.into()))
}

fn parse_zone(name: &str) -> Result<TimeZone, ParseExpiryError> {
    TimeZone::get(name).map_err(|_| ParseExpiryError::Zone(name.into()))
}
