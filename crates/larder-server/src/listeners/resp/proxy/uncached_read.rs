//! Reads that bypass the near cache, over the client's own connection. What they return may be newer
//! than what is in memory (R13).

use super::{
    context::ProxyContext,
    read_context::{ReadContext, write_reply},
};
use bytes::BytesMut;
use larder_core::{CachedRef, Key};
use larder_redis::Reply;
use larder_resp::{
    command::{Cacheable, KeyArgs, Spec},
    reply::{Frame, Resp2Layout},
    request::Command,
};
use smallvec::SmallVec;

/// A read whose keys are known.
#[derive(Clone, Debug)]
pub(super) struct KeyedRead<'a> {
    pub(super) keys: KeyArgs<'a>,
    pub(super) spec: &'a Spec,
    pub(super) command: &'a Command<'a>,
}

/// A read that was sent to the store and has not been answered.
pub(super) struct UncachedRead {
    names: SmallVec<[Box<[u8]>; 1]>,
    /// The variant of the key as which the reply would be cached.
    variant: Box<[u8]>,
    /// How the reply would be cached; `None` if it is not cacheable.
    cacheable: Option<Cacheable>,
}

/// A reply, or one element of it.
struct Shown<'a> {
    frame: Frame<'a>,
    /// The bytes of the whole reply. They are compared only where it is not split into elements.
    bytes: &'a [u8],
}

impl UncachedRead {
    pub(super) fn of(read: KeyedRead<'_>) -> Self {
        let KeyedRead { keys, spec, command } = read;
        let mut variant = Vec::new();
        let cacheable = spec.cacheable.filter(|cacheable| {
            cacheable.is_multi_get || spec.encode_read(command, &mut variant).is_some()
        });
        let variant = if cacheable.is_some() { variant.into() } else { Box::default() };
        Self { names: keys.map(Box::from).collect(), variant, cacheable }
    }

    /// Invalidates the keys for which memory has something other than this reply. Must be called
    /// before the client sees the reply. An equal entry may stay: the client cannot tell which of
    /// the two is older. `read_context` is `None` when the database and the protocol of the reply
    /// are unknown; then all keys are invalidated.
    pub(super) fn answered(
        &self,
        reply: &Frame<'_>,
        bytes: &[u8],
        read_context: Option<ReadContext>,
        context: &ProxyContext,
    ) {
        let mut items = reply
            .items()
            .filter(|_| self.cacheable.is_some_and(|cacheable| cacheable.is_multi_get));
        for name in &self.names {
            let shown = items.as_mut().map_or_else(|| Some(reply.clone()), Iterator::next);
            let shown = shown.map(|frame| Shown { frame, bytes });
            if !self.is_cached(name, shown, read_context, context) {
                context.engine().invalidate_after_bypass(name, None);
            }
        }
    }

    /// Returns whether a read from memory would return the same reply for this key.
    fn is_cached(
        &self,
        name: &[u8],
        shown: Option<Shown<'_>>,
        read_context: Option<ReadContext>,
        context: &ProxyContext,
    ) -> bool {
        let Some(cacheable) = self.cacheable else { return false };
        let (Some(shown), Some(read_context)) = (shown, read_context) else { return false };
        let key = Key { name, keyspace: read_context.db, variant: &self.variant };
        shown.equals_cached(key, cacheable.resp2_layout, read_context, context)
    }
}

impl Shown<'_> {
    fn equals_cached(
        &self,
        key: Key<'_>,
        layout: Resp2Layout,
        read_context: ReadContext,
        context: &ProxyContext,
    ) -> bool {
        let Some(view) = context.engine().read_view(key) else { return false };
        let compare = |cached: CachedRef<'_, Reply>, _| {
            let stored = Reply::bytes_of(&cached);
            match stored.first() {
                // These have the same form in both protocols.
                Some(b'$' | b':' | b'_') => {
                    Ok(Frame::from_scanned(stored).ok().as_ref() == Some(&self.frame))
                }
                // Aggregates are compared after the lock of the shard is released.
                _ => Err(BytesMut::from(stored)),
            }
        };
        match context.engine().reader(view).peek(key, compare) {
            None => false,
            Some(Ok(is_equal)) => is_equal,
            Some(Err(stored)) => {
                let mut cached = BytesMut::with_capacity(stored.len());
                write_reply(&stored, layout, read_context.protocol, &mut cached)
                    && *cached == *self.bytes
            }
        }
    }
}
