//! A request's body, whole and within its limit, or nothing.

use super::problem::Problem;
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE},
};
use http_body_util::BodyExt;
use std::time::Duration;

/// How long a client may leave the body's next part unsent.
const PART_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads a raw value. What is announced larger than `max` bytes is refused before it is read.
pub(super) async fn raw_value(
    headers: &HeaderMap,
    mut body: Body,
    max: usize,
) -> Result<Bytes, Problem> {
    refuse_wrapped(headers)?;
    let announced = headers.get(CONTENT_LENGTH).and_then(|text| text.to_str().ok()?.parse().ok());
    if announced.is_some_and(|bytes: u64| bytes > max as u64) {
        return Err(too_large(max));
    }
    let mut value = BytesMut::new();
    loop {
        let part = tokio::time::timeout(PART_TIMEOUT, body.frame())
            .await
            .map_err(|_| Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not go on"))?;
        let Some(part) = part else { return Ok(value.freeze()) };
        let part = part
            .map_err(|error| Problem::bad_request(format!("the body ended too early: {error}")))?;
        if let Ok(data) = part.into_data() {
            if value.len() + data.len() > max {
                return Err(too_large(max));
            }
            value.extend_from_slice(&data);
        }
    }
}

/// The body is stored as it is, so it must not come wrapped in anything.
fn refuse_wrapped(headers: &HeaderMap) -> Result<(), Problem> {
    let unsupported = |detail: &str| Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail);
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(unsupported("the body is stored as it is: send it without Content-Encoding"));
    }
    let Some(media_type) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let text = media_type.to_str().unwrap_or_default().to_ascii_lowercase();
    let essence = text.split(';').next().unwrap_or_default().trim();
    match essence.split_once('/') {
        Some(("multipart", _)) => Err(unsupported(
            "the body is stored as it is: send the value alone, not a multipart form \
             (with curl: --data-binary or -T, not -F)",
        )),
        Some((kind, subtype)) if is_token(kind) && is_token(subtype) => Ok(()),
        _ => Err(unsupported(
            "the Content-Type is no media type; application/octet-stream fits any value",
        )),
    }
}

fn is_token(text: &str) -> bool {
    let is_token_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
    !text.is_empty() && text.bytes().all(is_token_byte)
}

fn too_large(max: usize) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!("the body is larger than http-max-body, which is {max} bytes"),
    )
}
