//! Selects the representation of a value that a client accepts: JSON or the raw bytes.

use http::{HeaderMap, header::ACCEPT};

/// A representation of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Representation {
    Json,
    Raw,
}

/// Returns the representation that `Accept` prefers, or `None` if it accepts neither. The default
/// is JSON.
pub(super) fn representation(headers: &HeaderMap) -> Option<Representation> {
    let ranges: Vec<_> = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(range)
        .collect();
    if ranges.is_empty() {
        return Some(Representation::Json);
    }
    let json = quality(&ranges, "application", "json");
    let raw = quality(&ranges, "application", "octet-stream");
    match () {
        () if json <= 0.0 && raw <= 0.0 => None,
        () if raw > json => Some(Representation::Raw),
        () => Some(Representation::Json),
    }
}

/// The type, subtype and quality of a media range.
type Range<'a> = (&'a str, &'a str, f32);

fn range(text: &str) -> Option<Range<'_>> {
    let mut parts = text.split(';').map(str::trim);
    let (kind, subtype) = parts.next()?.split_once('/')?;
    let quality = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
    Some((kind, subtype, quality.map_or(1.0, |quality| quality.parse().unwrap_or(0.0))))
}

/// Returns the quality that the most specific matching range gives to a media type.
fn quality(ranges: &[Range<'_>], kind: &str, subtype: &str) -> f32 {
    let matching = |exact: &dyn Fn(&Range<'_>) -> bool| {
        ranges.iter().find(|range| exact(range)).map(|range| range.2)
    };
    matching(&|range| range.0.eq_ignore_ascii_case(kind) && range.1.eq_ignore_ascii_case(subtype))
        .or_else(|| matching(&|range| range.0.eq_ignore_ascii_case(kind) && range.1 == "*"))
        .or_else(|| matching(&|range| range.0 == "*" && range.1 == "*"))
        .unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Representation::{Json, Raw};

    #[test]
    fn accept_follows_rfc_9110() {
        for (accept, wanted) in [
            ("*/*", Some(Json)),
            ("application/json", Some(Json)),
            ("application/octet-stream", Some(Raw)),
            ("Application/Octet-Stream", Some(Raw)),
            ("application/octet-stream, application/json;q=0.5", Some(Raw)),
            ("application/octet-stream;q=0.1, */*;q=0.5", Some(Json)),
            ("application/*", Some(Json)),
            ("application/json;q=0, */*", Some(Raw)),
            ("text/html, */*;q=0.8", Some(Json)),
            ("image/png", None),
            ("application/json;q=0", None),
            ("", Some(Json)),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, accept.parse().unwrap());
            assert_eq!(representation(&headers), wanted, "{accept}");
        }
        assert_eq!(representation(&HeaderMap::new()), Some(Json));
    }
}
