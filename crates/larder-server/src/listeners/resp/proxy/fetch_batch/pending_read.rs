//! One read of a batch: what it asks for, and how far it has come.

use crate::listeners::resp::proxy::{context::ProxyContext, read_context::MULTI_GET_BYTES_MAX};
use bytes::BytesMut;
use larder_core::{FetchError, Fetched, Found, Key, Moment, PendingFetch};
use larder_redis::{PendingMultiGet, Reply};
use larder_resp::reply::{self, Resp2Layout};
use smallvec::{SmallVec, smallvec};

pub(super) type Outcome = Result<Fetched<Reply>, FetchError>;

/// See the [module](self).
pub(super) struct PendingRead {
    target: Target,
    db: u32,
    /// Bytes that the command takes in the input.
    pub(super) bytes: usize,
    pub(super) started: Option<Started>,
}

enum Target {
    Key {
        name: Box<[u8]>,
        variant: Box<[u8]>,
        layout: Resp2Layout,
    },
    /// The keys of an `MGET`, which are read as of one moment.
    MultiGet(Box<[Box<[u8]>]>),
}

/// A read that was looked up, and sent if it was not in memory.
pub(super) struct Started {
    fetch: Fetch,
    /// How many replies the batch had waited for.
    waits: u64,
    /// No read before it in the batch was sent after it.
    pub(super) is_in_order: bool,
}

enum Fetch {
    Key(PendingFetch<Reply>),
    Found(Cached),
    MultiGet(Option<PendingMultiGet>),
}

/// A reply made of cached entries, and until when each is valid. Equal ones are of the same entries:
/// the deadline of an entry follows from when it was read.
#[derive(PartialEq, Eq)]
pub(super) struct Cached {
    reply: Reply,
    deadlines: SmallVec<[Moment; 4]>,
}

impl PendingRead {
    pub(super) fn of_key(name: &[u8], db: u32, variant: Vec<u8>, layout: Resp2Layout) -> Self {
        let target = Target::Key { name: name.into(), variant: variant.into(), layout };
        Self { target, db, bytes: 0, started: None }
    }

    pub(super) fn of_keys(names: Box<[Box<[u8]>]>, db: u32) -> Self {
        Self { target: Target::MultiGet(names), db, bytes: 0, started: None }
    }

    pub(super) fn keys(&self) -> usize {
        match &self.target {
            Target::Key { .. } => 1,
            Target::MultiGet(names) => names.len(),
        }
    }

    /// Returns the names of the keys.
    pub(super) fn names(&self) -> impl Iterator<Item = &[u8]> {
        let names = match &self.target {
            Target::Key { name, .. } => std::slice::from_ref(name),
            Target::MultiGet(names) => names,
        };
        names.iter().map(|name| &**name)
    }

    pub(super) fn layout(&self) -> Resp2Layout {
        match self.target {
            Target::Key { layout, .. } => layout,
            Target::MultiGet(_) => Resp2Layout::Plain,
        }
    }

    /// Looks the read up, and sends it if it is not in memory.
    pub(super) fn start(&self, context: &ProxyContext, waits: u64) -> Started {
        let fetch = match &self.target {
            Target::Key { name, variant, .. } => {
                let key = Key { name, keyspace: self.db, variant };
                Fetch::Key(context.start_fetch(key))
            }
            Target::MultiGet(names) => match self.look_up(context) {
                Some(cached) => Fetch::Found(cached),
                None => Fetch::MultiGet(context.start_multi_get(self.db, names)),
            },
        };
        Started { fetch, waits, is_in_order: true }
    }

    /// Waits for the reply. Returns with it the cached entries that it equals, if it does.
    pub(super) async fn finish(
        &self,
        context: &ProxyContext,
        started: Started,
    ) -> (Outcome, Option<Cached>) {
        let outcome = match (started.fetch, &self.target) {
            (Fetch::Key(pending), Target::Key { name, variant, .. }) => {
                let key = Key { name, keyspace: self.db, variant };
                context.finish_fetch(key, pending).await
            }
            (Fetch::MultiGet(pending), Target::MultiGet(names)) => {
                context.finish_multi_get(self.db, names, pending).await
            }
            (Fetch::Found(cached), _) => {
                let deadline = cached.deadlines.iter().min().copied().unwrap_or(Moment::NEVER);
                let (value, found) = (cached.reply.clone(), Found::Near(deadline));
                return (Ok(Fetched { value, found, collapsed: false }), Some(cached));
            }
            (Fetch::Key(_) | Fetch::MultiGet(_), _) => Err(FetchError::LeaderDropped),
        };
        let cached = outcome.as_ref().ok().and_then(Cached::of);
        (outcome, cached)
    }

    /// Returns whether these entries are still in memory: then they were valid all the time since
    /// they were found.
    pub(super) fn is_still(&self, cached: &Cached, context: &ProxyContext) -> bool {
        self.look_up(context).as_ref() == Some(cached)
    }

    fn look_up(&self, context: &ProxyContext) -> Option<Cached> {
        let names = match &self.target {
            Target::MultiGet(names) => names,
            Target::Key { name, variant, .. } => {
                let key = Key { name, keyspace: self.db, variant };
                let view = context.engine().read_view(key)?;
                let (reply, deadline) = context
                    .engine()
                    .reader(view)
                    .peek(key, |cached, deadline| (cached.to_value(), deadline))?;
                return Some(Cached { reply, deadlines: smallvec![deadline] });
            }
        };
        context.engine().snapshot(|reader| {
            let (mut bytes, mut deadlines) = (BytesMut::new(), SmallVec::new());
            reply::array(&mut bytes, names.len());
            for name in names {
                reader.get(Key::plain(name, self.db), |cached, deadline| {
                    bytes.extend_from_slice(Reply::bytes_of(&cached));
                    deadlines.push(deadline);
                })?;
                if bytes.len() > MULTI_GET_BYTES_MAX {
                    return None;
                }
            }
            Some(Cached { reply: Reply::copy_of(&bytes), deadlines })
        })
    }
}

impl Started {
    pub(super) fn is_found(&self) -> bool {
        match &self.fetch {
            Fetch::Key(pending) => pending.is_found(),
            Fetch::Found(_) => true,
            Fetch::MultiGet(_) => false,
        }
    }

    /// Returns whether the reply has arrived.
    pub(super) fn is_answered(&self) -> bool {
        match &self.fetch {
            Fetch::Key(pending) => pending.is_answered(),
            Fetch::MultiGet(Some(pending)) => pending.is_answered(),
            Fetch::Found(_) | Fetch::MultiGet(None) => true,
        }
    }

    /// Waits until [`Started::is_answered`]. May be dropped and called again.
    pub(super) async fn answered(&mut self) {
        match &mut self.fetch {
            Fetch::Key(pending) => pending.answered().await,
            Fetch::MultiGet(Some(pending)) => pending.answered().await,
            Fetch::Found(_) | Fetch::MultiGet(None) => {}
        }
    }

    /// Returns whether the reply is no older than those to the reads before it, when the batch has
    /// waited for this many: it was sent after all of them, or found after the last one arrived.
    pub(super) fn follows_all(&self, waits: u64) -> bool {
        let is_sent = match &self.fetch {
            Fetch::Key(pending) => pending.is_sent(),
            Fetch::Found(_) => false,
            Fetch::MultiGet(_) => true,
        };
        self.is_in_order && (is_sent || self.waits == waits)
    }
}

impl Cached {
    /// Returns the entry of one key, if the near cache has it.
    fn of(fetched: &Fetched<Reply>) -> Option<Self> {
        let (Found::Near(deadline) | Found::Store { cached: Ok(deadline) }) = fetched.found else {
            return None;
        };
        Some(Self { reply: fetched.value.clone(), deadlines: smallvec![deadline] })
    }
}
