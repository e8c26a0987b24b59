//! `INFO`: the store's text and a section of our own.

use crate::{app::App, ops::info};
use bytes::{BufMut, BytesMut};
use larder_resp::reply::{self, Frame};

/// Writes the store's reply to `INFO` with our section behind its text.
pub(crate) fn with_our_section(app: &App, theirs: &Frame<'_>, out: &mut BytesMut) {
    let is_verbatim = matches!(theirs, Frame::Verbatim { .. });
    let Some(text) = theirs.as_str_bytes() else {
        if let Some(error) = theirs.as_error() {
            reply::error(out, error);
        }
        return;
    };
    let ours = info::section(app);
    let mut joined = Vec::with_capacity(text.len() + ours.len() + 2);
    joined.extend_from_slice(text);
    if !text.is_empty() {
        joined.extend_from_slice(b"\r\n");
    }
    joined.extend_from_slice(ours.as_bytes());
    if is_verbatim {
        out.put_slice(format!("={}\r\ntxt:", joined.len() + 4).as_bytes());
        out.put_slice(&joined);
        out.put_slice(b"\r\n");
    } else {
        reply::bulk(out, &joined);
    }
}
