//! Reads that go past the near tier, over the client's own connection: what they show may be newer
//! than what is in memory (R13).

use super::hits::{Wish, put};
use crate::larder::Larder;
use bytes::BytesMut;
use foldhash::fast::RandomState;
use larder_core::{Key, Seen};
use larder_redis::Reply;
use larder_resp::{
    command::{KeyArgs, Near, Spec},
    reply::{Frame, Shape},
    request::Command,
};
use smallvec::SmallVec;
use std::{cell::Cell, hash::BuildHasher};

/// What such a read asks for, as its command has it.
#[derive(Clone, Debug)]
pub(super) struct Bypassing<'a> {
    pub(super) keys: KeyArgs<'a>,
    pub(super) spec: &'a Spec,
    pub(super) command: &'a Command<'a>,
}

/// The same, until the reply is here.
pub(super) struct Bypassed {
    names: SmallVec<[Box<[u8]>; 1]>,
    /// Under which name the reply may be kept.
    read: Box<[u8]>,
    /// How; `None` if it may not.
    near: Option<Near>,
}

impl Bypassed {
    pub(super) fn of(bypassing: Bypassing<'_>, larder: &Larder) -> Self {
        let Bypassing { keys, spec, command } = bypassing;
        let mut read = Vec::new();
        let near = spec.near.filter(|near| {
            larder.keeps(near) && (near.per_key || spec.encode_read(command, &mut read).is_some())
        });
        let read = if near.is_some() { read.into() } else { Box::default() };
        Self { names: keys.map(Box::from).collect(), read, near }
    }

    /// The reply is here: what memory has instead is forgotten before it is handed on. What memory
    /// has as well may stay, as nobody can tell which of the two is older. `recent` is of those who
    /// read as Larder does.
    pub(super) fn answered(
        &self,
        reply: &Frame<'_>,
        wish: Wish,
        larder: &Larder,
        recent: Option<&Recent>,
    ) {
        let near = self.near.filter(|_| !reply.is_error());
        let mut items = reply.items().filter(|_| near.is_some_and(|near| near.per_key));
        for name in &self.names {
            let key = Key { name, db: wish.db, read: &self.read };
            let shown = items.as_mut().map_or_else(|| Some(reply.clone()), Iterator::next);
            let Some((near, shown)) = near.zip(shown) else {
                larder.engine().overtake(name, None);
                continue;
            };
            if is_remembered(key, near.shape, &shown, wish, larder) {
                continue;
            }
            larder.engine().overtake(name, None);
            if recent.is_some_and(|recent| recent.has(key, &shown)) {
                // What comes of it is for others.
                drop(larder.start_fetch(key));
            }
        }
    }
}

/// Whether this very reply would come from memory.
fn is_remembered(
    key: Key<'_>,
    shape: Shape,
    shown: &Frame<'_>,
    wish: Wish,
    larder: &Larder,
) -> bool {
    let Some(sight) = larder.engine().sight() else { return false };
    let mut recalled = BytesMut::new();
    let recall =
        |seen: Seen<'_, Reply>| put(Reply::bytes_of(&seen), shape, wish.resp3, &mut recalled);
    larder.engine().looks(sight).peek(key, recall).unwrap_or(false)
        && Frame::of_scanned(&recalled).is_ok_and(|recalled| recalled == *shown)
}

/// What the clients of a worker have been shown of late by reads that went past the near tier: what
/// shows the same twice is worth a fetch into memory, and what changes from read to read is not.
pub(super) struct Recent {
    hasher: RandomState,
    /// The hash of each with its key, where that of the name says.
    shown: Box<[Cell<u64>]>,
}

/// Names that are remembered, at 8 bytes each.
const RECENT_NAMES: usize = 4096;

impl Recent {
    pub(super) fn new() -> Self {
        let shown = std::iter::repeat_with(Cell::default).take(RECENT_NAMES).collect();
        Self { hasher: RandomState::default(), shown }
    }

    /// Whether it is the second time that this key shows this.
    #[allow(clippy::cast_possible_truncation, reason = "only some bits are wanted")]
    fn has(&self, key: Key<'_>, shown: &Frame<'_>) -> bool {
        let at = self.hasher.hash_one(key.name) as usize % RECENT_NAMES;
        let Some(place) = self.shown.get(at) else { return false };
        let sum = self.hasher.hash_one((key.name, key.db, key.read, shown));
        let is_again = place.get() == sum;
        place.set(if is_again { 0 } else { sum });
        is_again
    }
}
