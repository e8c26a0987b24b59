//! The query parameter `ttl`: the time to live of a written value.

use super::problem::Problem;
use crate::config::parse_duration;
use std::time::Duration;

/// Maximum time to live: a hundred years.
const TTL_MAX: Duration = Duration::from_hours(100 * 365 * 24);

/// Returns the `ttl` of a query that may hold one and nothing else.
pub(super) fn from_query(query: Option<&str>) -> Result<Option<Duration>, Problem> {
    let mut found = None;
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (name, text) = pair.split_once('=').unwrap_or((pair, ""));
        if name != "ttl" {
            return Err(Problem::bad_request(format!(
                "there is no parameter {name:?}; this route takes ttl alone"
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
                "ttl={text} is not a time from 1ms to 36500d: write 60, 1500ms or 24h, or leave it \
                 out for a value that does not expire"
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ttl_is_in_seconds_or_has_a_unit() {
        let ttl = |query| from_query(Some(query)).unwrap();
        assert_eq!(from_query(None).unwrap(), None);
        assert_eq!(ttl(""), None);
        assert_eq!(ttl("ttl=60"), Some(Duration::from_mins(1)));
        assert_eq!(ttl("ttl=1500ms"), Some(Duration::from_millis(1500)));
    }

    #[test]
    fn an_invalid_ttl_is_refused() {
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
