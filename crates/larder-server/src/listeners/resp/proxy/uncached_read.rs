//! Reads that go past the near tier, over the client's own connection: what they show may be newer
//! than what is in memory (R13).

use super::hits::{ReadContext, put};
use crate::app::App;
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
pub(crate) struct KeyedRead<'a> {
    pub(crate) keys: KeyArgs<'a>,
    pub(crate) spec: &'a Spec,
    pub(crate) command: &'a Command<'a>,
}

/// The same, on its way past the near tier.
pub(crate) struct UncachedRead {
    names: SmallVec<[Box<[u8]>; 1]>,
    /// Under which name the reply may be kept.
    read: Box<[u8]>,
    /// How; `None` if it may not.
    near: Option<Cacheable>,
}

impl UncachedRead {
    pub(crate) fn of(asked: KeyedRead<'_>, app: &App) -> Self {
        let KeyedRead { keys, spec, command } = asked;
        let mut read = Vec::new();
        let near = spec.cacheable.filter(|near| {
            app.keeps(near) && (near.is_multi_get || spec.encode_read(command, &mut read).is_some())
        });
        let read = if near.is_some() { read.into() } else { Box::default() };
        Self { names: keys.map(Box::from).collect(), read, near }
    }

    /// The reply is here, in these bytes: what memory has instead is forgotten before it is handed
    /// on. What memory has as well may stay, as nobody can tell which of the two is older. Without
    /// a `wish` nobody knows what the client has read, and all of it is forgotten.
    pub(crate) fn answered(
        &self,
        reply: &Frame<'_>,
        bytes: &[u8],
        read_context: Option<ReadContext>,
        app: &App,
    ) {
        let mut items = reply.items().filter(|_| self.near.is_some_and(|near| near.is_multi_get));
        for name in &self.names {
            let shown = items.as_mut().map_or_else(|| Some(reply.clone()), Iterator::next);
            let is_same = self.near.zip(read_context).zip(shown).is_some_and(
                |((near, read_context), shown)| {
                    let key = Key { name, keyspace: read_context.db, variant: &self.read };
                    is_remembered(key, (&shown, bytes), near.resp2_layout, read_context, app)
                },
            );
            if !is_same {
                app.engine().invalidate_after_bypass(name, None);
            }
        }
    }
}

/// Whether this very reply would come from memory. `bytes` are its own, or those of all that it is
/// one of; then it is no aggregate.
fn is_remembered(
    key: Key<'_>,
    (shown, bytes): (&Frame<'_>, &[u8]),
    shape: Resp2Layout,
    read_context: ReadContext,
    app: &App,
) -> bool {
    let Some(view) = app.engine().read_view(key) else { return false };
    let recall = |seen: CachedRef<'_, Reply>| {
        let stored = Reply::bytes_of(&seen);
        match stored.first() {
            // The same in both protocols.
            Some(b'$' | b':' | b'_') => {
                Ok(Frame::from_scanned(stored).ok().as_ref() == Some(shown))
            }
            // Compared where no lock is held.
            _ => Err(BytesMut::from(stored)),
        }
    };
    match app.engine().reader(view).peek(key, recall) {
        None => false,
        Some(Ok(is_same)) => is_same,
        Some(Err(stored)) => {
            let mut recalled = BytesMut::with_capacity(stored.len());
            put(&stored, shape, read_context.resp3, &mut recalled) && *recalled == *bytes
        }
    }
}
