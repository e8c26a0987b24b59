//! What a push says.

use larder_resp::reply::{Frame, Items};

/// What the feed tells.
pub(super) enum Invalidation<'a> {
    /// These names changed.
    Names(Items<'a>),
    /// Every name may have changed: the server was flushed.
    Everything,
    /// A push of another kind, which says nothing about keys.
    None,
}

impl<'a> Invalidation<'a> {
    /// Reads a push. `None` when it is an invalidation of a form that is not known: what it means
    /// cannot be guessed, so the epoch must end.
    pub(super) fn read(push: Items<'a>) -> Option<Self> {
        let mut items = push;
        if items.next()?.as_str_bytes()? != b"invalidate" {
            return Some(Self::None);
        }
        match items.next()? {
            Frame::Null => Some(Self::Everything),
            Frame::Array(names) | Frame::Set(names) => Some(Self::Names(names)),
            Frame::Simple(_)
            | Frame::Error(_)
            | Frame::Integer(_)
            | Frame::Bulk(_)
            | Frame::Double(_)
            | Frame::Boolean(_)
            | Frame::BlobError(_)
            | Frame::Verbatim { .. }
            | Frame::BigNumber(_)
            | Frame::Map(_)
            | Frame::Push(_) => None,
        }
    }
}
