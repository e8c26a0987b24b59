//! A value as an answer: `ETag`, 304 and 412, and what caches in between may do with it.

use super::{cache_status, get_set::to_json, problem::Problem};
use crate::app::App;
use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, VARY, X_CONTENT_TYPE_OPTIONS,
    },
};
use larder_core::{FetchError, Fetched};
use larder_redis::{Payload, Reply};
use std::convert::Infallible;
use twox_hash::XxHash3_128;

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// Headers that a value has, at most.
const HEADERS: usize = 6;

/// How a payload is shown: as what, and with which headers.
#[derive(Clone)]
pub(super) struct ResponseHeaders {
    /// A number for this shape: one payload in two shapes has two tags.
    number: u64,
    /// The headers, with empty values where each answer has its own. They are copied for each:
    /// that costs less than inserting them one by one.
    headers: HeaderMap,
}

impl ResponseHeaders {
    pub(super) fn new(number: u64, media_type: &'static str) -> Self {
        // Room for one more than there are, without which inserting over one makes room first.
        let mut headers = HeaderMap::with_capacity(HEADERS + 1);
        headers.extend(
            [
                (ETAG, ""),
                (CACHE_CONTROL, "no-cache"),
                (CONTENT_TYPE, media_type),
                // A value that looks like HTML must not become a page.
                (X_CONTENT_TYPE_OPTIONS, "nosniff"),
                (CACHE_STATUS, ""),
            ]
            .map(|(name, value)| (name, HeaderValue::from_static(value))),
        );
        Self { number, headers }
    }

    /// The same, where `Accept` chose it.
    pub(super) fn chosen_by_accept(mut self) -> Self {
        self.headers.insert(VARY, HeaderValue::from_static("accept"));
        self
    }
}

/// The body of a payload.
#[derive(Clone, Copy)]
pub(super) enum BodyFormat<'a> {
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

/// Answers a read: the value, 304 when the client has it, 412 when it wants another one, 404 with
/// `missing` when there is none.
pub(super) fn answer(
    app: &App,
    request: &HeaderMap,
    fetched: Result<Fetched<Reply>, FetchError>,
    missing: &'static str,
    shape: &ResponseHeaders,
    form: BodyFormat<'_>,
) -> Response {
    let fetched = match fetched {
        Ok(fetched) => fetched,
        Err(error) => {
            app.metrics().http().failed();
            return Problem::from(error).into_response();
        }
    };
    app.metrics().http().answered(&fetched);
    let status = cache_status::value(app, fetched.found, fetched.collapsed);
    let mut response = match fetched.value.payload() {
        Payload::String(payload) => value(request, payload, &fetched.value, shape, form),
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

fn value(
    request: &HeaderMap,
    payload: &[u8],
    reply: &Reply,
    shape: &ResponseHeaders,
    form: BodyFormat<'_>,
) -> Response {
    let tag = tag(payload, shape.number);
    if !is_wanted(request, tag.as_bytes()) {
        return precondition_failed(tag).into_response();
    }
    let mut headers = shape.headers.clone();
    let (status, body) = if is_known(request, tag.as_bytes()) {
        headers.remove(CONTENT_TYPE);
        headers.remove(X_CONTENT_TYPE_OPTIONS);
        // Of no length, as it would have to be that of the value (RFC 9110, 8.6).
        let nothing = stream::empty::<Result<Bytes, Infallible>>();
        (StatusCode::NOT_MODIFIED, Body::from_stream(nothing))
    } else {
        let body = match form {
            BodyFormat::Raw => Body::from(Bytes::from_owner(Shared(reply.clone()))),
            BodyFormat::WithKey(key) => Body::from(to_json(key, payload)),
        };
        (StatusCode::OK, body)
    };
    headers.insert(ETAG, tag);
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// A strong tag: 128 bits of XXH3 over the payload, the same on every Larder.
fn tag(payload: &[u8], shape: u64) -> HeaderValue {
    let hash = XxHash3_128::oneshot_with_seed(shape, payload);
    let digit = |half: u8| half + if half < 10 { b'0' } else { b'a' - 10 };
    let mut text = [b'"'; 34];
    let (admitted, _) = text.get_mut(1..).unwrap_or_default().as_chunks_mut();
    for ([high, low], byte) in admitted.iter_mut().zip(hash.to_be_bytes()) {
        (*high, *low) = (digit(byte >> 4), digit(byte & 0xf));
    }
    HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Whether `If-Match`, where there is one, names this tag. It compares strongly (RFC 9110, 13.1.1).
fn is_wanted(request: &HeaderMap, tag: &[u8]) -> bool {
    !request.contains_key(IF_MATCH) || names(request, &IF_MATCH, |wanted| wanted == tag)
}

/// Whether `If-None-Match` names this tag. It compares weakly (RFC 9110, 13.1.2).
fn is_known(request: &HeaderMap, tag: &[u8]) -> bool {
    names(request, &IF_NONE_MATCH, |known| known.strip_prefix(b"W/").unwrap_or(known) == tag)
}

/// Whether a header is `*`, or a list in which one is. No tag of ours holds a comma.
fn names(request: &HeaderMap, header: &HeaderName, is_one: impl Fn(&[u8]) -> bool) -> bool {
    request.get_all(header).iter().map(|list| list.as_bytes().trim_ascii()).any(|list| {
        list == b"*" || list.split(|&byte| byte == b',').any(|tag| is_one(tag.trim_ascii()))
    })
}

/// With the tag that the value has.
pub(super) fn precondition_failed(tag: HeaderValue) -> Problem {
    let detail = "If-Match names other tags than the value has";
    Problem::new(StatusCode::PRECONDITION_FAILED, detail).with(ETAG, tag)
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

    fn with(name: HeaderName, text: &str) -> HeaderMap {
        [(name, text.parse().unwrap())].into_iter().collect()
    }

    #[test]
    fn if_none_match_is_a_list() {
        let knows = |text| is_known(&with(IF_NONE_MATCH, text), b"\"a\"");
        assert!(knows("\"a\"") && knows("W/\"a\"") && knows("\"b\", \"a\"") && knows("*"));
        assert!(!knows("\"b\"") && !knows("a") && !knows("") && !knows("\"b,*,c\""));
    }

    #[test]
    fn if_match_wants_the_very_tag() {
        let wants = |text| is_wanted(&with(IF_MATCH, text), b"\"a\"");
        assert!(wants("\"a\"") && wants("\"b\", \"a\"") && wants("*"));
        assert!(!wants("W/\"a\"") && !wants("\"b\"") && !wants("a") && !wants(""));
        assert!(!wants("\"b,*,c\"") && !wants("\"b\", *"));
        assert!(is_wanted(&HeaderMap::new(), b"\"a\""));
    }
}
