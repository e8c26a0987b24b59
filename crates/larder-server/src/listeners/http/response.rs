//! Responses. Each has its whole body in memory, so hyper knows its length and adds the header.

use bytes::Bytes;
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use http_body_util::Full;
use serde::Serialize;

pub(super) type Response = http::Response<Full<Bytes>>;

/// Returns a response without a body.
pub(super) fn empty(status: StatusCode) -> Response {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}

/// Returns a 200 with a body.
pub(super) fn ok(media_type: &'static str, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Full::new(body.into()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// Returns a 200 with JSON.
pub(super) fn json(value: &impl Serialize) -> Response {
    // Only maps with keys that are not strings fail, and no response has one.
    ok("application/json", serde_json::to_vec(value).unwrap_or_default())
}

/// Forbids caches in between to store the response.
pub(super) fn no_store(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
