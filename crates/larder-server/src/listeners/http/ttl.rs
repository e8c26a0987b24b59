//! The parameter `ttl`: how long the store keeps what is put.

use super::problem::Problem;
use crate::config::parse_duration;
use std::time::Duration;

/// The longest time to live: a hundred years.
const TTL_MAX: Duration = Duration::from_hours(100 * 365 * 24);

/// Reads the query of a put, which may hold one `ttl` and nothing else.
pub(super) fn from_query(query: Option<&str>) -> Result<Option<Duration>, Problem> {
    let mut found = None;
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (name, text) = pair.split_once('=').unwrap_or((pair, ""));
        if name != "ttl" {
            return Err(Problem::bad_request(format!(
                "there is no parameter {name:?}; ?ttl= says how long the value is kept"
            )));
        }
        if found.replace(parse(text)?).is_some() {
            return Err(Problem::bad_request("ttl is given twice"));
        }
    }
    Ok(found)
}

fn parse(text: &str) -> Result<Duration, Problem> {
    parse_duration(text)
        .filter(|ttl| (Duration::from_millis(1)..=TTL_MAX).contains(ttl))
        .ok_or_else(|| {
            Problem::bad_request(format!(
                "ttl={text}: write a time from 1ms to 36500d, as 60, 1500ms or 24h; leave it out \
                 for a value that does not expire"
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_units_are_understood() {
        let ttl = |query| from_query(Some(query)).unwrap();
        assert_eq!(from_query(None).unwrap(), None);
        assert_eq!(ttl(""), None);
        assert_eq!(ttl("ttl=60"), Some(Duration::from_mins(1)));
        assert_eq!(ttl("ttl=1500ms"), Some(Duration::from_millis(1500)));
    }

    #[test]
    fn what_is_no_time_to_live_is_refused() {
        for query in [
            "ttl=",
            "ttl",
            "ttl=0",
            "ttl=-1",
            "ttl=abc",
            "ttl=1&ttl=2",
            "tll=1",
            "x=1&ttl=1",
            "ttl=99999999999999999999",
            "ttl=1e400",
            "ttl=4000000d",
            "ttl=NaN",
        ] {
            assert!(from_query(Some(query)).is_err(), "{query}");
        }
    }
}
