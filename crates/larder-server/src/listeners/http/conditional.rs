//! Entity tags, and the conditions of requests on them (RFC 9110, 13.1).

use super::problem::Problem;
use headers::{ETag, Header, HeaderMapExt, IfMatch, IfNoneMatch};
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{ETAG, IF_MATCH, IF_NONE_MATCH, IF_UNMODIFIED_SINCE},
};
use std::iter;
use twox_hash::XxHash3_128;

/// Returns a strong tag: 128 bits of XXH3 over the payload. Every Larder computes the same one.
pub(super) fn etag(payload: &[u8], seed: u64) -> HeaderValue {
    let hash = XxHash3_128::oneshot_with_seed(seed, payload);
    let digit = |half: u8| half + if half < 10 { b'0' } else { b'a' - 10 };
    let mut text = [b'"'; 34];
    let (digits, _) = text.get_mut(1..).unwrap_or_default().as_chunks_mut();
    for ([high, low], byte) in digits.iter_mut().zip(hash.to_be_bytes()) {
        (*high, *low) = (digit(byte >> 4), digit(byte & 0xf));
    }
    HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Returns whether `If-Match`, if there is one, names this tag.
pub(super) fn if_match(request: &HeaderMap, etag: &HeaderValue) -> bool {
    let condition = request.typed_get::<IfMatch>();
    condition
        .is_none_or(|condition| typed(etag).is_some_and(|it| condition.precondition_passes(&it)))
}

/// Returns whether `If-None-Match`, if there is one, does not name this tag.
pub(super) fn if_none_match(request: &HeaderMap, etag: &HeaderValue) -> bool {
    let condition = request.typed_get::<IfNoneMatch>();
    condition
        .is_none_or(|condition| typed(etag).is_none_or(|it| condition.precondition_passes(&it)))
}

fn typed(etag: &HeaderValue) -> Option<ETag> {
    ETag::decode(&mut iter::once(etag)).ok()
}

/// Returns a 412 with the tag that the value has.
pub(super) fn precondition_failed(etag: HeaderValue) -> Problem {
    let detail = "the value has none of the tags that If-Match names";
    Problem::new(StatusCode::PRECONDITION_FAILED, detail).with(ETAG, etag)
}

/// Refuses conditional writes, which are not supported: ignoring the condition would write where
/// the client asked not to.
pub(super) fn refuse_conditional_write(headers: &HeaderMap) -> Result<(), Problem> {
    let conditions = [IF_MATCH, IF_NONE_MATCH, IF_UNMODIFIED_SINCE];
    match conditions.iter().find(|name| headers.contains_key(*name)) {
        None => Ok(()),
        Some(name) => Err(unsupported_condition(name)),
    }
}

pub(super) fn unsupported_condition(name: &HeaderName) -> Problem {
    let detail = format!("conditional writes ({name}) are not supported");
    Problem::new(StatusCode::NOT_IMPLEMENTED, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: HeaderValue = HeaderValue::from_static("\"a\"");

    #[test]
    fn an_etag_depends_on_the_payload_and_the_seed() {
        assert_eq!(etag(b"v", 0), etag(b"v", 0));
        assert_ne!(etag(b"v", 0), etag(b"v", 1));
        assert_ne!(etag(b"v", 0), etag(b"w", 0));
        let hash = XxHash3_128::oneshot_with_seed(7, b"value");
        assert_eq!(etag(b"value", 7), format!("\"{hash:032x}\""));
    }

    fn with(name: HeaderName, text: &str) -> HeaderMap {
        [(name, text.parse().unwrap())].into_iter().collect()
    }

    #[test]
    fn if_none_match_is_a_list_and_compares_weakly() {
        let names = |text| !if_none_match(&with(IF_NONE_MATCH, text), &TAG);
        assert!(names("\"a\"") && names("W/\"a\"") && names("\"b\", \"a\"") && names("*"));
        assert!(!names("\"b\"") && !names("a") && !names("") && !names("\"b,*,c\""));
        assert!(if_none_match(&HeaderMap::new(), &TAG));
    }

    #[test]
    fn if_match_is_a_list_and_compares_strongly() {
        let passes = |text| if_match(&with(IF_MATCH, text), &TAG);
        assert!(passes("\"a\"") && passes("\"b\", \"a\"") && passes("*"));
        assert!(!passes("W/\"a\"") && !passes("\"b\"") && !passes("a") && !passes(""));
        assert!(!passes("\"b,*,c\"") && !passes("\"b\", *"));
        assert!(if_match(&HeaderMap::new(), &TAG));
    }

    #[test]
    fn odd_tags_match_nothing() {
        for odd in ["\"", "W/", "W/\"", "\"a b\"", "\"\u{e9}\"", "\"a\"\"", ",", "\"b", "**"] {
            assert!(!if_match(&with(IF_MATCH, odd), &TAG), "{odd}");
            assert!(if_none_match(&with(IF_NONE_MATCH, odd), &TAG), "{odd}");
        }
    }
}
