//! Reads the body of a request, within limits on its size and time.

use super::{problem::Problem, request_body::RequestBody};
use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE},
};
use http_body_util::BodyExt;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Maximum time between two parts of a body.
const IDLE_MAX: Duration = Duration::from_secs(10);
/// Minimum rate of a body, after the first [`IDLE_MAX`].
const BYTES_PER_SECOND_MIN: u64 = 16 << 10;

/// Reads a value of at most `max` bytes. Refuses a body before reading it if its announced length
/// is larger.
pub(super) async fn raw_value(
    headers: &HeaderMap,
    mut body: RequestBody,
    max: usize,
) -> Result<Bytes, Problem> {
    check_content_headers(headers)?;
    let announced = headers.get(CONTENT_LENGTH).and_then(|text| text.to_str().ok()?.parse().ok());
    if announced.is_some_and(|bytes: u64| bytes > max as u64) {
        return Err(too_large(max));
    }
    let started = Instant::now();
    let mut value = BytesMut::new();
    loop {
        let by = deadline(started, Instant::now(), value.len());
        let part = timeout_at(by, body.frame()).await.map_err(|_| too_slow())?;
        let Some(part) = part else { return Ok(value.freeze()) };
        let part =
            part.map_err(|error| Problem::bad_request(format!("the body ended early: {error}")))?;
        if let Ok(data) = part.into_data() {
            if value.len() + data.len() > max {
                return Err(too_large(max));
            }
            value.extend_from_slice(&data);
        }
    }
}

/// Returns the time by which the next part must arrive.
fn deadline(started: Instant, now: Instant, bytes: usize) -> Instant {
    let earned = Duration::from_secs(bytes as u64 / BYTES_PER_SECOND_MIN);
    (started + earned).min(now) + IDLE_MAX
}

/// Refuses encoded, multipart and partial bodies: the body is stored as it is.
fn check_content_headers(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.contains_key(CONTENT_RANGE) {
        return Err(Problem::bad_request("Content-Range is not supported: send the whole value"));
    }
    if headers.contains_key(CONTENT_ENCODING) {
        let detail = "the body is stored as it is: send it without Content-Encoding";
        return Err(unsupported(detail));
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
            "the Content-Type is not a media type; application/octet-stream fits any value",
        )),
    }
}

fn is_token(text: &str) -> bool {
    let is_token_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
    !text.is_empty() && text.bytes().all(is_token_byte)
}

pub(super) fn unsupported(detail: &'static str) -> Problem {
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
}

pub(super) fn too_large(max: usize) -> Problem {
    let detail = format!("the body is larger than http-max-body, which is {max} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
}

pub(super) fn too_slow() -> Problem {
    Problem::new(StatusCode::REQUEST_TIMEOUT, "the body arrived too slowly")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_or_slow_body_times_out() {
        let started = Instant::now();
        let at = |seconds| started + Duration::from_secs(seconds);
        assert_eq!(deadline(started, at(0), 0), at(10));
        assert_eq!(deadline(started, at(9), 100), at(10), "a trickle earns nothing");
        assert_eq!(
            deadline(started, at(9), 160 << 10),
            at(19),
            "silence times out after ten seconds"
        );
        assert_eq!(deadline(started, at(60), 800 << 10), at(60), "the bytes of 50 seconds in 60");
    }
}
