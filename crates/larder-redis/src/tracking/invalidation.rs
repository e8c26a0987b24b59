//! Parses invalidation pushes.

use larder_resp::reply::{Frame, Items};

/// What Redis reports as changed.
pub(super) enum Invalidation<'a> {
    /// The keys with these names.
    Keys(Items<'a>),
    /// Every key: the server was flushed.
    All,
}

/// An invalidation push in an unknown form.
pub(super) struct MalformedInvalidation;

impl<'a> Invalidation<'a> {
    /// Parses a push. Returns `Ok(None)` for a push of another kind, which says nothing about keys.
    /// After an error the epoch must end: what the push invalidates cannot be guessed.
    pub(super) fn parse(mut push: Items<'a>) -> Result<Option<Self>, MalformedInvalidation> {
        let kind = push.next().ok_or(MalformedInvalidation)?;
        if kind.as_str_bytes().ok_or(MalformedInvalidation)? != b"invalidate" {
            return Ok(None);
        }
        match push.next().ok_or(MalformedInvalidation)? {
            Frame::Null => Ok(Some(Self::All)),
            Frame::Array(names) | Frame::Set(names) => Ok(Some(Self::Keys(names))),
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
            | Frame::Push(_) => Err(MalformedInvalidation),
        }
    }
}
