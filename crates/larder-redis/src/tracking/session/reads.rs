//! Reads: which questions about TTLs follow each, and until when its reply may be served (R6).
//!
//! The key's TTL is asked in the same write as the read, with `PTTL`. Fields of a hash can have TTLs of
//! their own, which `PTTL` does not show, and the invalidation for a field that died comes late. So
//! before a reply about a hash is cached, the server is asked one of two questions *after* the read:
//!
//! - `INFO keyspace`, once for all reads of a batch: how many keys of the database have fields with
//!   a TTL? If none has, this one has none.
//! - `HPTTL`, where some key has: the TTLs of the fields that the reply shows.
//!
//! Either answer holds for the reply too: had a field lost its TTL in between, or died, or gained
//! one, an invalidation would have come before the answer and ended the lease.

use super::{EpochEnd, PendingReply, Session, check_ready, counts::Database, field_ttls};
use crate::{error_reply::store_error, pttl::to_ttl, reply::Reply};
use bytes::BytesMut;
use larder_core::{FetchError, Fill, NotCached, expiry::Ttl};
use larder_resp::{
    command::{HashRead, write_read_command},
    reply::Frame,
    request::write_command,
};
use std::{mem, time::Duration};

/// What is asked besides the read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// `PTTL`: no field can expire.
    Key,
    /// `INFO keyspace`: nothing in the database could expire when it was asked last.
    Counts,
    /// `PTTL`, and `INFO keyspace`: no field in the database could expire when it was asked last.
    KeyAndCounts,
    /// `PTTL` and `HPTTL` for so many fields that the command names.
    KeyAndFields(usize),
    /// `PTTL`, then `HPTTL` for the fields of the hash.
    KeyThenFields,
    /// Nothing. The server does not tell the TTLs of fields, so the reply is not cached.
    Uncached,
}

/// A read that has been answered.
pub(super) struct Read {
    pub(super) fill: Fill<'static, Reply>,
    reply: Reply,
    /// The key's TTL, once the server has told it.
    key_ttl: Option<Ttl>,
    /// The reply to `HKEYS`, for a read that does not name the fields it returns.
    names: Option<Reply>,
}

/// Commands.
impl Session {
    pub(super) fn send_fill(&mut self, fill: Fill<'static, Reply>, out: &mut BytesMut) {
        self.window.sent(1);
        let key = fill.key();
        let plan = self.plan(&fill);
        self.select(key.keyspace, out);
        write_read_command(out, key.variant, key.name);
        if !matches!(plan, Plan::Counts | Plan::Uncached) {
            write_command(out, &[b"PTTL", key.name]);
        }
        if let (Plan::KeyAndFields(_), Some(HashRead::Fields(fields))) =
            (plan, HashRead::of(key.variant))
        {
            field_ttls::write_command(out, key.name, &fields.collect::<Vec<_>>());
        }
        match plan {
            Plan::Key => {}
            Plan::Counts | Plan::KeyAndCounts => self.counts.require(),
            Plan::KeyAndFields(_) | Plan::KeyThenFields | Plan::Uncached => {
                self.counts.refresh(fill.sent());
            }
        }
        self.pending.push_back(PendingReply::Read { fill: Some(fill), plan });
    }

    fn plan(&self, fill: &Fill<'static, Reply>) -> Plan {
        let key = fill.key();
        let read = if self.fields_expire { HashRead::of(key.variant) } else { None };
        let Some(read) = read else { return Plan::Key };
        match self.counts.database(key.keyspace) {
            Some(Database { fields_expire: false, keys_expire: false, .. }) => Plan::Counts,
            Some(Database { fields_expire: false, .. }) => Plan::KeyAndCounts,
            None if !self.counts.is_refused() => Plan::KeyAndCounts,
            Some(_) | None if self.hpttl_is_refused => Plan::Uncached,
            Some(_) | None => match read {
                HashRead::Fields(fields) => Plan::KeyAndFields(fields.count()),
                HashRead::Map | HashRead::Names | HashRead::Unnamed => Plan::KeyThenFields,
            },
        }
    }

    /// Writes what must be asked before replies that are there already, or reads that were just sent,
    /// can be cached. To be called before the output is flushed.
    pub(crate) fn send_questions(&mut self, out: &mut BytesMut) {
        for read in mem::take(&mut self.follow_ups) {
            if !read.fill.holds() {
                read.complete_uncached(NotCached::TtlUnknown);
            } else if read.key_ttl.is_none() {
                self.send_fill(read.fill, out);
            } else {
                self.ask_for_fields(read, out);
            }
        }
        // Behind every read: an answer from before a read would say nothing about its reply.
        if self.counts.take_due() {
            write_command(out, &[b"INFO", b"keyspace"]);
            self.pending.push_back(PendingReply::Counts);
        }
    }

    /// Asks the TTLs of the fields that a reply shows, or which fields those are.
    fn ask_for_fields(&mut self, read: Read, out: &mut BytesMut) {
        let key = read.fill.key();
        match read.field_names() {
            Some(names) if names.is_empty() => read.complete(None),
            Some(names) if field_ttls::may_be_asked(&names) => {
                self.select(key.keyspace, out);
                field_ttls::write_command(out, key.name, &names);
                let fields = names.len();
                self.pending.push_back(PendingReply::FieldTtls { read: Some(read), fields });
            }
            None if read.shown_fields() <= field_ttls::FIELDS_MAX => {
                self.select(key.keyspace, out);
                write_command(out, &[b"HKEYS", key.name]);
                self.pending.push_back(PendingReply::FieldNames { read: Some(read) });
            }
            Some(_) | None => read.complete_uncached(NotCached::TtlUnknown),
        }
    }
}

/// Replies. A read is `None` once its fill has failed; the replies to its questions still arrive.
impl Session {
    pub(super) fn on_read(
        &mut self,
        fill: Option<Fill<'static, Reply>>,
        plan: Plan,
        frame: &Frame<'_>,
        bytes: &[u8],
    ) -> Result<(), EpochEnd> {
        let read = match (fill, frame.as_error()) {
            (Some(fill), None) => {
                Some(Read { fill, reply: Reply::copy_of(bytes), key_ttl: None, names: None })
            }
            (Some(fill), Some(error)) => {
                fill.fail(FetchError::Store(store_error(error)));
                None
            }
            (None, _) => None,
        };
        match (plan, read) {
            (Plan::Uncached, Some(read)) => read.complete_uncached(NotCached::TtlUnknown),
            (Plan::Uncached, None) => {}
            (Plan::Counts, read) => self.uncounted.extend(read),
            (_, read) => self.pending.push_front(PendingReply::KeyTtl { read, plan }),
        }
        check_ready(frame)
    }

    /// Applies the reply to `PTTL`.
    pub(super) fn on_key_ttl(
        &mut self,
        read: Option<Read>,
        plan: Plan,
        frame: &Frame<'_>,
    ) -> Result<(), EpochEnd> {
        let ttl = frame.as_integer().map(to_ttl);
        let read = read.and_then(|read| read.with_key_ttl(ttl));
        match (plan, read) {
            (Plan::KeyAndFields(fields), read) => {
                self.pending.push_front(PendingReply::FieldTtls { read, fields });
            }
            // A key that does not exist has no fields.
            (Plan::KeyAndCounts, read) if ttl != Some(Ttl::NoKey) => self.uncounted.extend(read),
            (Plan::KeyThenFields, read) if ttl != Some(Ttl::NoKey) => self.follow_ups.extend(read),
            (_, Some(read)) => read.complete(None),
            (_, None) => {}
        }
        check_ready(frame)
    }

    /// Applies the reply to `INFO keyspace`. Every read that waits for it was answered before.
    pub(super) fn on_counts(&mut self, frame: &Frame<'_>) -> Result<(), EpochEnd> {
        self.counts.on_reply(frame, self.engine.clock().now());
        for read in mem::take(&mut self.uncounted) {
            let database = self.counts.database(read.fill.key().keyspace);
            let fields_expire = database.is_none_or(|database| database.fields_expire);
            let keys_expire = database.is_none_or(|database| database.keys_expire);
            if fields_expire || (keys_expire && read.key_ttl.is_none()) {
                self.follow_ups.push(read);
            } else {
                read.complete_as_answered(None);
            }
        }
        check_ready(frame)
    }

    /// Applies the reply to `HKEYS`.
    pub(super) fn on_field_names(
        &mut self,
        read: Option<Read>,
        frame: &Frame<'_>,
        bytes: &[u8],
    ) -> Result<(), EpochEnd> {
        let Some(read) = read else { return check_ready(frame) };
        // A field may have died meanwhile, without a push so far.
        if frame.items().is_some_and(|names| names.len() == read.shown_fields()) {
            self.follow_ups.push(Read { names: Some(Reply::copy_of(bytes)), ..read });
        } else {
            read.complete_uncached(NotCached::TtlGone);
        }
        check_ready(frame)
    }

    /// Applies the reply to `HPTTL`.
    pub(super) fn on_field_ttls(
        &mut self,
        read: Option<Read>,
        fields: usize,
        frame: &Frame<'_>,
    ) -> Result<(), EpochEnd> {
        self.hpttl_is_refused |= frame.as_error().is_some_and(is_refusal);
        if let Some(read) = read {
            match read.frame().map(|shown| field_ttls::shortest(frame, fields, &shown)) {
                Some(Ok(shortest)) => read.complete_as_answered(shortest),
                Some(Err(reason)) => read.complete_uncached(reason),
                None => read.complete_uncached(NotCached::TtlUnknown),
            }
        }
        check_ready(frame)
    }
}

impl Read {
    /// Adds the key's TTL. A reply without one must not be cached.
    fn with_key_ttl(self, ttl: Option<Ttl>) -> Option<Self> {
        if ttl.is_none() {
            self.complete_uncached(NotCached::TtlUnknown);
            return None;
        }
        Some(Self { key_ttl: ttl, ..self })
    }

    /// Completes the fill: the entry expires with the key, or with the field that has the shortest
    /// TTL.
    fn complete(self, shortest_field_ttl: Option<Duration>) {
        let ttl = match (self.key_ttl.unwrap_or(Ttl::Forever), shortest_field_ttl) {
            (Ttl::Left(key), Some(field)) => Ttl::Left(key.min(field)),
            (Ttl::Forever, Some(field)) => Ttl::Left(field),
            (ttl, _) => ttl,
        };
        drop(self.fill.complete(self.reply, ttl));
    }

    /// Completes the fill with an answer that came after its reply. Without the lease, that answer
    /// says nothing about the reply.
    fn complete_as_answered(self, shortest_field_ttl: Option<Duration>) {
        if self.fill.holds() {
            self.complete(shortest_field_ttl);
        } else {
            self.complete_uncached(NotCached::TtlUnknown);
        }
    }

    fn complete_uncached(self, reason: NotCached) {
        drop(self.fill.complete_uncached(self.reply, reason));
    }

    fn frame(&self) -> Option<Frame<'_>> {
        Frame::from_scanned(self.reply.bytes()).ok()
    }

    /// Returns the names of the fields that the reply shows, or `None` if they are not known yet. May
    /// leave out those beyond [`field_ttls::FIELDS_MAX`] and one.
    fn field_names(&self) -> Option<Vec<&[u8]>> {
        match HashRead::of(self.fill.key().variant)? {
            HashRead::Fields(fields) => Some(fields.collect()),
            HashRead::Map => Some(names(self.frame()?.items()?.step_by(2))),
            HashRead::Names => Some(names(self.frame()?.items()?)),
            HashRead::Unnamed => {
                let reply = self.names.as_ref()?;
                Some(names(Frame::from_scanned(reply.bytes()).ok()?.items()?))
            }
        }
    }

    /// Returns how many fields the reply to `HVALS` or `HLEN` shows.
    fn shown_fields(&self) -> usize {
        match self.frame() {
            Some(Frame::Array(values)) => values.len(),
            Some(Frame::Integer(count)) => usize::try_from(count).unwrap_or(usize::MAX),
            _ => usize::MAX,
        }
    }
}

fn names<'a>(names: impl Iterator<Item = Frame<'a>>) -> Vec<&'a [u8]> {
    names.take(field_ttls::FIELDS_MAX + 1).filter_map(|name| name.as_str_bytes()).collect()
}

/// Returns whether an error reply means that the command will be refused again.
fn is_refusal(error: &[u8]) -> bool {
    error.starts_with(b"NOPERM") || error.starts_with(b"ERR unknown command")
}
