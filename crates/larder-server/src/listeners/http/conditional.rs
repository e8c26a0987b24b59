//! A value as an answer: `ETag`, 304, and what caches in between may do with it.

use super::{cache_status, get_set::to_json, problem::Problem};
use crate::larder::Larder;
use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY, X_CONTENT_TYPE_OPTIONS},
};
use larder_core::{FetchError, Fetched};
use larder_redis::{Payload, Reply};
use twox_hash::XxHash3_128;

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// Headers that a value has, at most.
const HEADERS: usize = 8;

/// How a payload is shown, and as what.
#[derive(Clone, Copy)]
pub(super) struct Shape<'a> {
    /// The media type.
    pub(super) media_type: &'static str,
    /// A number for this shape: one payload in two shapes has two tags.
    pub(super) number: u64,
    /// Whether `Accept` chose it.
    pub(super) varies: bool,
    pub(super) form: Form<'a>,
}

/// The body of a payload.
#[derive(Clone, Copy)]
pub(super) enum Form<'a> {
    /// The payload itself.
    Raw,
    /// A JSON object of it and its key.
    WithKey(&'a [u8]),
}

/// A reply that a body shares with the near tier.
struct Shared(Reply);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        match self.0.payload() {
            Payload::String(payload) => payload,
            Payload::Absent | Payload::Other => &[],
        }
    }
}

/// Answers a read: the value, 304 when the client has it, 404 with `missing` when there is none.
pub(super) fn answer(
    larder: &Larder,
    request: &HeaderMap,
    fetched: Result<Fetched<Reply>, FetchError>,
    missing: &'static str,
    shape: Shape<'_>,
) -> Response {
    let fetched = match fetched {
        Ok(fetched) => fetched,
        Err(error) => {
            larder.metrics().http().failed();
            return Problem::from(error).into_response();
        }
    };
    larder.metrics().http().answered(&fetched);
    let status = cache_status::value(larder, fetched.found, fetched.collapsed);
    let mut response = match fetched.value.payload() {
        Payload::String(payload) => value(request, payload, &fetched.value, shape),
        Payload::Absent => Problem::not_found(missing).into_response(),
        Payload::Other => Problem::new(
            StatusCode::BAD_GATEWAY,
            "the store answered with something that is no string",
        )
        .into_response(),
    };
    response.headers_mut().insert(CACHE_STATUS, status);
    response
}

fn value(request: &HeaderMap, payload: &[u8], reply: &Reply, shape: Shape<'_>) -> Response {
    let tag = tag(payload, shape.number);
    let known = is_known(request, tag.as_bytes());
    let body = || match shape.form {
        Form::Raw => Body::from(Bytes::from_owner(Shared(reply.clone()))),
        Form::WithKey(key) => Body::from(to_json(key, payload)),
    };
    let mut response = Response::new(if known { Body::empty() } else { body() });
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.reserve(HEADERS);
    headers.insert(ETAG, tag);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if shape.varies {
        headers.insert(VARY, HeaderValue::from_static("accept"));
    }
    if !known {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(shape.media_type));
        // A value that looks like HTML must not become a page.
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    }
    response
}

/// A strong tag: 128 bits of XXH3 over the payload, the same on every Larder.
fn tag(payload: &[u8], shape: u64) -> HeaderValue {
    let hash = XxHash3_128::oneshot_with_seed(shape, payload);
    let digit = |half: u8| half + if half < 10 { b'0' } else { b'a' - 10 };
    let mut text = [b'"'; 34];
    let (places, _) = text.get_mut(1..).unwrap_or_default().as_chunks_mut();
    for ([high, low], byte) in places.iter_mut().zip(hash.to_be_bytes()) {
        (*high, *low) = (digit(byte >> 4), digit(byte & 0xf));
    }
    HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Whether `If-None-Match` names this tag. It compares weakly (RFC 9110, 13.1.2).
fn is_known(request: &HeaderMap, tag: &[u8]) -> bool {
    request
        .get_all(IF_NONE_MATCH)
        .iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii)
        .any(|known| known == b"*" || known.strip_prefix(b"W/").unwrap_or(known) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_follows_the_bytes_and_the_shape() {
        assert_eq!(tag(b"v", 0), tag(b"v", 0));
        assert_ne!(tag(b"v", 0), tag(b"v", 1));
        assert_ne!(tag(b"v", 0), tag(b"w", 0));
        let hash = XxHash3_128::oneshot_with_seed(7, b"value");
        assert_eq!(tag(b"value", 7), format!("\"{hash:032x}\""));
    }

    #[test]
    fn if_none_match_is_a_list() {
        let knows = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(IF_NONE_MATCH, text.parse().unwrap());
            is_known(&headers, b"\"a\"")
        };
        assert!(knows("\"a\"") && knows("W/\"a\"") && knows("\"b\", \"a\"") && knows("*"));
        assert!(!knows("\"b\"") && !knows("a") && !knows(""));
    }
}
