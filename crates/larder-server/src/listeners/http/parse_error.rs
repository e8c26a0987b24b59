//! hyper answers a request that it cannot parse by itself, with a head and no body, and offers no
//! way to change that. Here its response becomes a problem+json, like every other error.

use super::problem::{MEDIA_TYPE, Problem};
use http::StatusCode;

/// The header that marks hyper's own error: every other response with such a status has a body.
const NO_BODY: &[u8] = b"content-length: 0\r\n";

/// Returns what to send in place of a response head, or `None` if it is not one of hyper's errors.
pub(super) fn with_body(head: &[u8]) -> Option<Vec<u8>> {
    let status = head.strip_prefix(b"HTTP/1.")?.get(2..5)?;
    let problem = problem(StatusCode::from_bytes(status).ok()?)?;
    let at = head.windows(NO_BODY.len()).position(|part| part == NO_BODY)?;
    let (before, rest) = head.split_at_checked(at)?;
    let body = serde_json::to_vec(&problem.fields()).ok()?;
    let headers = format!(
        "content-type: {MEDIA_TYPE}\r\ncache-control: no-store\r\n\
         x-content-type-options: nosniff\r\ncontent-length: {}\r\n",
        body.len()
    );
    Some([before, headers.as_bytes(), rest.get(NO_BODY.len()..)?, &body].concat())
}

fn problem(status: StatusCode) -> Option<Problem> {
    let detail = match status {
        StatusCode::BAD_REQUEST => "this is not a valid HTTP/1.1 request",
        StatusCode::URI_TOO_LONG => "the URL is longer than 65,534 bytes",
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            "the head of the request is larger than 128 KiB or has more than 100 headers"
        }
        _ => return None,
    };
    Some(Problem::new(status, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_error_without_a_body_gets_one() {
        let head = |status: &str, length: &str| {
            format!("HTTP/1.1 {status}\r\nconnection: close\r\n{length}date: now\r\n\r\n")
        };
        let replaced = with_body(head("414 URI Too Long", "content-length: 0\r\n").as_bytes());
        let text = String::from_utf8(replaced.unwrap()).unwrap();
        let (head_part, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head_part.starts_with("HTTP/1.1 414 URI Too Long\r\nconnection: close\r\n"));
        assert!(head_part.contains(&format!("content-length: {}\r\ndate: now", body.len())));
        for (status, length) in [
            ("414 URI Too Long", "content-length: 100\r\n"),
            ("404 Not Found", "content-length: 0\r\n"),
            ("200 OK", "content-length: 0\r\n"),
            ("204 No Content", ""),
        ] {
            assert_eq!(with_body(head(status, length).as_bytes()), None, "{status}");
        }
        assert_eq!(with_body(b"HTTP/1."), None);
    }
}
