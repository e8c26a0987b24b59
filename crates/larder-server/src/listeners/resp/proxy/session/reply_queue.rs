//! What a client waits for, in the order of its commands: replies of the upstream connection, reads
//! that are being fetched, and replies that are ready but whose turn has not come.

use super::{
    super::{fetch_batch::FetchBatch, read_ahead::ReadAhead},
    counted::Counted,
    in_flight::{FetchTurn, InFlight, Touched},
    pending::PendingReply,
};
use crate::stats::{reads::ReadResult, resp::RespStats};
use bytes::{Buf, BytesMut};
use std::collections::VecDeque;

/// Replies that one client waits for; at this number nothing more is sent.
const TURNS_MAX: usize = 64 << 10;
/// While more bytes of replies wait for their turn, the client's commands wait too.
const READY_BYTES_SOFT_MAX: usize = 1 << 20;
/// An empty buffer larger than this is freed.
const IDLE_BUFFER_BYTES_MAX: usize = 64 << 10;

/// See the [module](self).
#[derive(Default)]
pub(super) struct ReplyQueue {
    turns: VecDeque<Turn>,
    /// The replies that are ready, one after the other.
    ready: BytesMut,
    in_flight: InFlight,
    /// The replies to fetches wait, too.
    read_ahead: ReadAhead,
}

/// What comes next in the client's output.
enum Turn {
    /// The next reply of the upstream connection.
    Upstream(PendingReply, Counted, Touched),
    /// A read that is being fetched, of this many names.
    Fetch(Box<FetchBatch>, usize),
    /// This many bytes that are ready.
    Ready(usize),
}

impl ReplyQueue {
    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    pub(super) fn has_room(&self) -> bool {
        self.turns.len() < TURNS_MAX && self.ready.len() <= READY_BYTES_SOFT_MAX
    }

    pub(super) fn in_flight(&self) -> &InFlight {
        &self.in_flight
    }

    /// Adds a command that goes upstream and touches these names; `None` if it may touch anything.
    pub(super) fn push_upstream(
        &mut self,
        reply: PendingReply,
        counted: Counted,
        names: Option<impl Iterator<Item = u64>>,
    ) {
        let touched = self.in_flight.sent(names);
        self.turns.push_back(Turn::Upstream(reply, counted, touched));
    }

    /// Returns what the next reply of the upstream connection answers.
    pub(super) fn next_upstream(&self) -> Option<&PendingReply> {
        match self.turns.front()? {
            Turn::Upstream(reply, ..) => Some(reply),
            Turn::Fetch(..) | Turn::Ready(_) => None,
        }
    }

    /// Takes what the next reply of the upstream connection answers.
    pub(super) fn pop_upstream(&mut self) -> Option<(PendingReply, Counted)> {
        match self.turns.pop_front()? {
            Turn::Upstream(reply, counted, touched) => {
                self.in_flight.answered(touched);
                Some((reply, counted))
            }
            turn => {
                self.turns.push_front(turn);
                None
            }
        }
    }

    /// Adds a read that is being fetched.
    pub(super) fn push_fetch(&mut self, fetch: FetchBatch, names: &[u64]) {
        self.in_flight.fetch_started(names);
        self.read_ahead.started(names.len());
        self.turns.push_back(Turn::Fetch(Box::new(fetch), names.len()));
    }

    pub(super) fn fetch_turn(&self, names: &[u64]) -> FetchTurn {
        match self.read_ahead.has_room() {
            true => self.in_flight.fetch_turn(names),
            false => FetchTurn::Upstream,
        }
    }

    /// Records the reply to a fetch of this many names.
    pub(super) fn fetch_answered(&mut self, names: usize, bytes: usize) {
        self.read_ahead.answered(names, bytes);
    }

    /// Returns the fetch whose turn it is.
    pub(super) fn next_fetch(&mut self) -> Option<&mut FetchBatch> {
        match self.turns.front_mut()? {
            Turn::Fetch(fetch, _) => Some(fetch),
            Turn::Upstream(..) | Turn::Ready(_) => None,
        }
    }

    /// Takes the fetch whose turn it is.
    pub(super) fn pop_fetch(&mut self) -> Option<FetchBatch> {
        let Some(Turn::Fetch(fetch, names)) =
            self.turns.pop_front_if(|turn| matches!(turn, Turn::Fetch(..)))
        else {
            return None;
        };
        self.in_flight.fetch_ended(names);
        Some(*fetch)
    }

    /// Has every fetch look its keys up again when its turn comes.
    pub(super) fn distrust_fetches(&mut self) {
        for turn in &mut self.turns {
            if let Turn::Fetch(fetch, _) = turn {
                fetch.distrust();
            }
        }
    }

    /// Has `write` append replies that wait for their turn.
    pub(super) fn append<R>(&mut self, write: impl FnOnce(&InFlight, &mut BytesMut) -> R) -> R {
        let before = self.ready.len();
        let result = write(&self.in_flight, &mut self.ready);
        let bytes = self.ready.len() - before;
        match self.turns.back_mut() {
            Some(Turn::Ready(last)) => *last += bytes,
            _ if bytes > 0 => self.turns.push_back(Turn::Ready(bytes)),
            _ => {}
        }
        result
    }

    /// Moves the replies whose turn it is to `output`.
    pub(super) fn move_ready(&mut self, output: &mut BytesMut) {
        while let Some(Turn::Ready(bytes)) = self.turns.front() {
            output.extend_from_slice(self.ready.get(..*bytes).unwrap_or_default());
            self.ready.advance(*bytes);
            self.turns.pop_front();
        }
        if self.ready.is_empty() && self.ready.capacity() > IDLE_BUFFER_BYTES_MAX {
            self.ready = BytesMut::new();
        }
    }

    /// Drops everything: the replies will not arrive. What they guard is invalidated all the same.
    pub(super) fn lose(&mut self, stats: &RespStats) {
        for turn in std::mem::take(self).turns {
            match turn {
                Turn::Upstream(_, counted, _) => counted.lost(stats),
                Turn::Fetch(_, names) => stats.results().count(ReadResult::Error, names as u64),
                // They were counted as hits.
                Turn::Ready(_) => {}
            }
        }
    }
}
