//! `Cache-Status` (RFC 9211): how a value was found.

use crate::app::App;
use http::HeaderValue;
use larder_core::{Bypass, Found};
use std::io::Write;

/// Room for every value.
const BYTES_MAX: usize = 96;

/// The header's value for what was found, by this request or by one that it joined.
pub(super) fn value(app: &App, found: Found, collapsed: bool) -> HeaderValue {
    let mut text = [0; BYTES_MAX];
    let mut rest = &mut text[..];
    let written = match found {
        Found::Near(deadline) => {
            let left = deadline.since(app.engine().clock().now());
            let mut digits = itoa::Buffer::new();
            // By hand, as most answers are hits.
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
    debug_assert!(written.is_ok(), "no room for {found:?}");
    let joined = if collapsed { write!(rest, "; collapsed") } else { Ok(()) };
    let bytes = BYTES_MAX - rest.len();
    written
        .and(joined)
        .ok()
        .and_then(|()| HeaderValue::from_bytes(text.get(..bytes)?).ok())
        .unwrap_or(HeaderValue::from_static("larder"))
}
