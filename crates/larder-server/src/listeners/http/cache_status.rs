//! The header `Cache-Status` (RFC 9211): how a value was found.

use crate::app::App;
use http::HeaderValue;
use larder_core::{Bypass, Found};
use std::io::Write;

/// Maximum bytes of the header's value.
const BYTES_MAX: usize = 96;

/// Returns the header's value. `collapsed` says that the request joined the fetch of another one.
pub(super) fn value(app: &App, found: Found, collapsed: bool) -> HeaderValue {
    let mut text = [0; BYTES_MAX];
    let mut rest = &mut text[..];
    let written = match found {
        Found::Near(deadline) => {
            let left = deadline.since(app.engine().clock().now());
            let mut digits = itoa::Buffer::new();
            // Without the cost of formatting, as most responses are hits.
            [b"larder; hit; ttl=", digits.format(left.as_secs()).as_bytes()]
                .into_iter()
                .try_for_each(|part| rest.write_all(part))
        }
        Found::Store { cached: Ok(_) } => write!(rest, "larder; fwd=uri-miss; stored"),
        Found::Store { cached: Err(why) } => {
            write!(rest, "larder; fwd=uri-miss; detail={}", why.name())
        }
        Found::Bypass(Bypass::Request) => write!(rest, "larder; fwd=request"),
        Found::Bypass(why) => write!(rest, "larder; fwd=bypass; detail={}", why.name()),
    };
    debug_assert!(written.is_ok(), "BYTES_MAX is too small for {found:?}");
    let suffix = if collapsed { write!(rest, "; collapsed") } else { Ok(()) };
    let bytes = BYTES_MAX - rest.len();
    written
        .and(suffix)
        .ok()
        .and_then(|()| HeaderValue::from_bytes(text.get(..bytes)?).ok())
        .unwrap_or(HeaderValue::from_static("larder"))
}
