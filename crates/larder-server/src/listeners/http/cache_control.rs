//! What a request's `Cache-Control` asks of the near cache.

use super::problem::Problem;
use crate::{app::App, stats::reads::ReadResult};
use http::{HeaderMap, StatusCode, header::CACHE_CONTROL};

/// The directives of RFC 9111, 5.2.1 that concern a near cache.
///
/// The type of the same purpose in the crate `headers` compares the case of directives, and ignores
/// all of them if one is malformed: a client that asks for `no-cache` would get a cached value.
#[derive(Default)]
pub(super) struct CacheDirectives {
    pub(super) no_cache: bool,
    pub(super) only_if_cached: bool,
}

impl CacheDirectives {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut directives = Self::default();
        for value in headers.get_all(CACHE_CONTROL) {
            for directive in value.to_str().unwrap_or_default().split(',').map(str::trim) {
                directives.no_cache |= directive.eq_ignore_ascii_case("no-cache");
                directives.only_if_cached |= directive.eq_ignore_ascii_case("only-if-cached");
            }
        }
        directives
    }
}

/// Counts a request for a cached value where there is none, and returns the response.
pub(super) fn not_cached(app: &App) -> Problem {
    app.http_stats().reads.count(ReadResult::NotCached, 1);
    let detail = "the request is only-if-cached and the value is not in memory";
    Problem::new(StatusCode::GATEWAY_TIMEOUT, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directives(values: &[&str]) -> (bool, bool) {
        let headers = values.iter().map(|value| (CACHE_CONTROL, value.parse().unwrap())).collect();
        let CacheDirectives { no_cache, only_if_cached } = CacheDirectives::of(&headers);
        (no_cache, only_if_cached)
    }

    #[test]
    fn directives_are_found_in_any_case_line_and_company() {
        assert_eq!(directives(&[]), (false, false));
        assert_eq!(directives(&["max-age=0, No-Cache"]), (true, false));
        assert_eq!(directives(&["max-age=x,no-cache"]), (true, false));
        assert_eq!(directives(&["max-stale", "only-if-cached"]), (false, true));
        assert_eq!(directives(&["no-cache-at-all, no cache"]), (false, false));
    }
}
