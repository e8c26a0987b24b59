//! Responses that carry a value: its body, its headers, and 404 if there is none.

use super::{cache_status, conditional, key_value::to_json, problem::Problem, response::Response};
use crate::{app::App, stats::reads::ReadResult};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, VARY, X_CONTENT_TYPE_OPTIONS},
};
use http_body_util::Full;
use larder_core::{FetchError, Fetched};
use larder_redis::{Payload, Reply};

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// Maximum headers of a value.
const HEADERS_MAX: usize = 6;

/// The headers of one representation of values.
#[derive(Clone)]
pub(super) struct ResponseHeaders {
    /// Distinguishes the entity tags of the representations of one value.
    etag_seed: u64,
    /// Complete but for the values of `ETag` and `Cache-Status`. Copying the map for each response
    /// costs less than inserting the headers one by one.
    headers: HeaderMap,
}

impl ResponseHeaders {
    pub(super) fn new(etag_seed: u64, media_type: &'static str) -> Self {
        // One spare slot, without which replacing a value grows the map first.
        let mut headers = HeaderMap::with_capacity(HEADERS_MAX + 1);
        headers.extend(
            [
                (ETAG, ""),
                (CACHE_CONTROL, "no-cache"),
                (CONTENT_TYPE, media_type),
                // Keeps browsers from showing a value that looks like HTML as a page.
                (X_CONTENT_TYPE_OPTIONS, "nosniff"),
                (CACHE_STATUS, ""),
            ]
            .map(|(name, value)| (name, HeaderValue::from_static(value))),
        );
        Self { etag_seed, headers }
    }

    /// Adds `Vary: accept`, for representations that the header `Accept` selects.
    pub(super) fn vary_by_accept(mut self) -> Self {
        self.headers.insert(VARY, HeaderValue::from_static("accept"));
        self
    }
}

/// How the body is made from the payload of a reply.
#[derive(Clone, Copy)]
pub(super) enum BodyFormat<'a> {
    /// The payload itself.
    Raw,
    /// A JSON object with this key and the payload.
    KeyValue(&'a [u8]),
}

/// Responds to a read: 200 with the value, 304 if the client has it already, 412 if `If-Match`
/// names other tags, 404 with the detail `missing` if there is no value.
pub(super) fn respond(
    app: &App,
    request: &HeaderMap,
    fetched: Result<Fetched<Reply>, FetchError>,
    missing: &'static str,
    headers: &ResponseHeaders,
    format: BodyFormat<'_>,
) -> Response {
    app.http_stats().reads.count(ReadResult::of(&fetched), 1);
    let fetched = match fetched {
        Ok(fetched) => fetched,
        Err(error) => return Problem::from(error).into_response(),
    };
    let status = cache_status::value(app, fetched.found, fetched.collapsed);
    let mut response = match fetched.value.payload() {
        Payload::String(payload) => found(request, payload, &fetched.value, headers, format),
        Payload::Absent => Problem::not_found(missing).into_response(),
        Payload::Other => not_a_string().into_response(),
    };
    response.headers_mut().insert(CACHE_STATUS, status);
    response
}

fn found(
    request: &HeaderMap,
    payload: &[u8],
    reply: &Reply,
    headers: &ResponseHeaders,
    format: BodyFormat<'_>,
) -> Response {
    let etag = conditional::etag(payload, headers.etag_seed);
    if !conditional::if_match(request, &etag) {
        return conditional::precondition_failed(etag).into_response();
    }
    let mut headers = headers.headers.clone();
    let (status, body) = if conditional::if_none_match(request, &etag) {
        let body = match format {
            BodyFormat::Raw => Bytes::from_owner(SharedReply(reply.clone())),
            BodyFormat::KeyValue(key) => to_json(key, payload).into(),
        };
        (StatusCode::OK, body)
    } else {
        headers.remove(CONTENT_TYPE);
        headers.remove(X_CONTENT_TYPE_OPTIONS);
        (StatusCode::NOT_MODIFIED, Bytes::new())
    };
    headers.insert(ETAG, etag);
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// A reply that the body shares with the near cache.
struct SharedReply(Reply);

impl AsRef<[u8]> for SharedReply {
    fn as_ref(&self) -> &[u8] {
        match self.0.payload() {
            Payload::String(payload) => payload,
            Payload::Absent | Payload::Other => &[],
        }
    }
}

fn not_a_string() -> Problem {
    Problem::new(StatusCode::BAD_GATEWAY, "the store replied with something other than a string")
}
