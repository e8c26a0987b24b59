//! Expiry at a time of day is right on the days when clocks change, and on all others.

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

use jiff::{Timestamp, ToSpan, civil::DateTime, tz::TimeZone};
use larder_expiry::Expiry;
use proptest::prelude::*;
use std::time::Duration;

/// Changes of the clock at night, at midnight, by half an hour, by a whole day, and none.
const ZONES: [&str; 7] = [
    "Europe/Brussels",
    "America/New_York",
    "America/Havana",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Asia/Kathmandu",
    "UTC",
];

/// Returns the local time at which a value expires that was made at `from`.
fn expires(expiry: &str, from: &str) -> String {
    let expiry: Expiry = expiry.parse().unwrap();
    let now: Timestamp = from.parse().unwrap();
    let ttl = expiry.ttl(Duration::try_from(now.as_duration()).unwrap()).unwrap();
    let zone = TimeZone::get("Europe/Brussels").unwrap();
    (now + ttl).to_zoned(zone).strftime("%F %T%:z").to_string()
}

#[test]
fn midnight_is_23_hours_away_when_clocks_go_forward_and_25_when_they_go_back() {
    for (from, hours) in [
        ("2026-03-28T00:00:00+01:00", 24),
        ("2026-03-29T00:00:00+01:00", 23),
        ("2026-10-24T00:00:00+02:00", 24),
        ("2026-10-25T00:00:00+02:00", 25),
    ] {
        let now: Timestamp = from.parse().unwrap();
        let midnight = Expiry::daily("00:00", "Europe/Brussels").unwrap();
        let ttl = midnight.ttl(Duration::try_from(now.as_duration()).unwrap());
        assert_eq!(ttl, Some(Duration::from_hours(hours)), "{from}");
    }
}

#[test]
fn a_skipped_time_is_the_moment_when_clocks_go_forward() {
    for expiry in ["daily 02:30 Europe/Brussels", "cron 30 2 * * * Europe/Brussels"] {
        assert_eq!(expires(expiry, "2026-03-28T12:00:00Z"), "2026-03-29 03:00:00+02:00");
        assert_eq!(expires(expiry, "2026-03-29T01:00:00Z"), "2026-03-30 02:30:00+02:00");
    }
}

#[test]
fn a_repeated_time_is_the_first_of_the_two() {
    for expiry in ["daily 02:30 Europe/Brussels", "cron 30 2 * * * Europe/Brussels"] {
        assert_eq!(expires(expiry, "2026-10-24T12:00:00Z"), "2026-10-25 02:30:00+02:00");
        assert_eq!(expires(expiry, "2026-10-25T00:30:00Z"), "2026-10-26 02:30:00+01:00");
        assert_eq!(expires(expiry, "2026-10-25T01:00:00Z"), "2026-10-26 02:30:00+01:00");
    }
}

#[test]
fn every_hour_of_a_cron_expression_includes_the_repeated_one() {
    let hourly = "cron 0 * * * * Europe/Brussels";
    assert_eq!(expires(hourly, "2026-10-25T00:00:00Z"), "2026-10-25 02:00:00+01:00");
    assert_eq!(expires(hourly, "2026-10-25T01:00:00Z"), "2026-10-25 03:00:00+01:00");
}

#[test]
fn a_day_of_the_week_is_that_of_the_time_zone() {
    let monday = "cron 0 0 * * 1 Europe/Brussels";
    assert_eq!(expires(monday, "2026-03-29T21:59:59Z"), "2026-03-30 00:00:00+02:00");
    assert_eq!(expires(monday, "2026-03-29T22:00:00Z"), "2026-04-06 00:00:00+02:00");
}

/// Returns the first minute after `now` at which a clock on the wall, which somebody sets back but
/// whose largest reading counts, first reads `time` or more. That is what a time of day means,
/// found without arithmetic on calendars.
fn model(time: (i8, i8), zone: &TimeZone, now: Timestamp) -> Timestamp {
    let minute = Timestamp::from_second(now.as_second() / 60 * 60).unwrap();
    let read = |at: Timestamp| zone.to_datetime(at);
    let mut largest: DateTime = (0..300).map(|back| read(minute - back.minutes())).max().unwrap();
    for at in (1..).map(|ahead: i64| minute + ahead.minutes()) {
        let reading = read(at);
        let due = reading.date().at(time.0, time.1, 0, 0);
        let due = if due <= reading { due } else { due.yesterday().unwrap() };
        if largest < due {
            return at;
        }
        largest = largest.max(reading);
    }
    unreachable!("the loop ends within two days")
}

fn a_moment() -> impl Strategy<Value = i64> {
    // Any time from 2011, when Apia skipped a day, to 2037, and more often one near a change.
    let changes = [
        "2011-12-30T10:00:00Z", // Apia
        "2026-03-29T01:00:00Z", // Brussels
        "2026-10-25T01:00:00Z",
        "2026-03-08T05:00:00Z", // Havana
        "2026-11-01T05:00:00Z",
        "2026-04-04T15:00:00Z", // Lord Howe
        "2026-10-03T15:30:00Z",
    ];
    let changes = changes.map(|at| at.parse::<Timestamp>().unwrap().as_second());
    prop_oneof![
        1_300_000_000..2_140_000_000_i64,
        (prop::sample::select(changes.to_vec()), -200_000..200_000_i64)
            .prop_map(|(at, off)| at + off),
    ]
}

#[test]
fn a_skipped_day_does_not_skip_the_expiry() {
    // In Apia, 31 December 2011 followed the 29th.
    let expiry = Expiry::daily("00:00", "Pacific/Apia").unwrap();
    let before: Timestamp = "2011-12-30T09:59:59Z".parse().unwrap();
    let ttl = expiry.ttl(Duration::try_from(before.as_duration()).unwrap());
    assert_eq!(ttl, Some(Duration::from_secs(1)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_time_of_day_is_when_the_clock_first_reads_it(
        zone in prop::sample::select(ZONES.to_vec()),
        hour in prop_oneof![0..24_i8, 0..4_i8],
        minute in prop_oneof![Just(0_i8), Just(30), 0..60_i8],
        now in a_moment(),
    ) {
        let expiry = Expiry::daily(&format!("{hour:02}:{minute:02}"), zone).unwrap();
        let ttl = expiry.ttl(Duration::from_secs(now.try_into().unwrap())).unwrap();
        let now = Timestamp::from_second(now).unwrap();
        let zone = TimeZone::get(zone).unwrap();
        prop_assert!(ttl > Duration::ZERO);
        prop_assert_eq!(now + ttl, model((hour, minute), &zone, now));
    }
}
