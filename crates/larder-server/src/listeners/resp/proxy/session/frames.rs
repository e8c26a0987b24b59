//! Frames that mean something for a session.

use larder_resp::reply::Frame;

/// Returns whether a reply answers RESET.
pub(super) fn is_reset(frame: &Frame<'_>) -> bool {
    matches!(frame, Frame::Simple(b"RESET"))
}

/// Returns whether a reply says that a command was queued in a transaction.
pub(super) fn is_queued(frame: &Frame<'_>) -> bool {
    matches!(frame, Frame::Simple(b"QUEUED"))
}

/// Returns whether a reply says that the user has no permission.
pub(super) fn is_refused(frame: &Frame<'_>) -> bool {
    frame.as_error().is_some_and(|error| error.starts_with(b"NOPERM "))
}

/// Returns whether a frame is a message of another client, who may have changed a key before.
pub(super) fn is_message(frame: &Frame<'_>) -> bool {
    let mut parts = frame.items().into_iter().flatten();
    let kind = parts.next().and_then(|kind| kind.as_str_bytes());
    kind.is_some_and(is_message_kind)
}

/// Returns whether the first part of a frame is that of a message.
pub(super) fn is_message_kind(kind: &[u8]) -> bool {
    [&b"message"[..], b"pmessage", b"smessage"].contains(&kind)
}
