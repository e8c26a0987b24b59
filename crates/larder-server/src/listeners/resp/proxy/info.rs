//! The reply to INFO: the store's text, then Larder's section.

use bytes::{BufMut, BytesMut};
use larder_resp::reply::{self, Frame};

/// Writes the store's `reply` to INFO with `section` appended to its text. An error is forwarded;
/// any other reply is dropped.
pub(crate) fn write_with_section(reply: &Frame<'_>, section: &str, out: &mut BytesMut) {
    let Some(text) = reply.as_str_bytes() else {
        if let Some(error) = reply.as_error() {
            reply::error(out, error);
        }
        return;
    };
    let mut joined = Vec::with_capacity(text.len() + section.len() + 2);
    joined.extend_from_slice(text);
    if !text.is_empty() {
        joined.extend_from_slice(b"\r\n");
    }
    joined.extend_from_slice(section.as_bytes());
    if matches!(reply, Frame::Verbatim { .. }) {
        out.put_slice(format!("={}\r\ntxt:", joined.len() + 4).as_bytes());
        out.put_slice(&joined);
        out.put_slice(b"\r\n");
    } else {
        reply::bulk(out, &joined);
    }
}
