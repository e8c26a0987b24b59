//! `Cache-Status` (RFC 9211): how a value was found.

use crate::larder::Larder;
use http::HeaderValue;
use larder_core::{Bypass, Fetched, Found};
use std::fmt::Write;

/// Room for nearly every value.
const BYTES: usize = 48;

/// The header's value.
pub(super) fn value<V>(larder: &Larder, fetched: &Fetched<V>) -> HeaderValue {
    let mut text = String::with_capacity(BYTES);
    text.push_str("larder");
    match fetched.found {
        Found::Near(deadline) => {
            let left = deadline.since(larder.engine().clock().now());
            text.push_str("; hit; ttl=");
            // Writing to a string does not fail.
            write!(text, "{}", left.as_secs()).ok();
        }
        Found::Store { kept: Ok(_) } => text.push_str("; fwd=uri-miss; stored"),
        Found::Store { kept: Err(why) } => {
            text.push_str("; fwd=uri-miss; detail=");
            text.push_str(why.name());
        }
        Found::Bypass(Bypass::Request) => text.push_str("; fwd=request"),
        Found::Bypass(why) => {
            text.push_str("; fwd=bypass; detail=");
            text.push_str(why.name());
        }
    }
    if fetched.collapsed {
        text.push_str("; collapsed");
    }
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("larder"))
}
