//! A model of Redis: its keys and its side of one tracked connection, a step at a time.
//!
//! It does what redis-server 7.0 does. Requests on the tracked connection are executed and answered
//! in the order sent. A read makes its name tracked, even if there is no such key. A change of a
//! tracked name is pushed once, after the replies sent by then, and the name is no longer tracked
//! until it is read again. A key that expires is gone without a push.

use larder_core::Moment;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

pub(crate) type Payload = Option<Arc<[u8]>>;

/// A database and a name.
pub(crate) type KeyId = (u32, Vec<u8>);

/// The number of the newest version of each key at some moment.
pub(crate) type Versions = BTreeMap<KeyId, usize>;

/// What a key held between two changes.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) value: Payload,
    pub(crate) deadline: Moment,
}

/// A client's request.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    Get(KeyId),
    Pttl(KeyId),
    Set { key_id: KeyId, payload: Payload, ttl: Option<Duration>, only_if_absent: bool },
    Delete(KeyId),
    DeleteIfOurs { key_id: KeyId, payload: Payload, ttl: Duration },
    Expire { key_id: KeyId, ttl: Duration },
    FlushAll,
    Ping,
}

/// What the server sends.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Value(Payload),
    Number(i64),
    Done,
    Push(Vec<u8>),
    PushAll,
}

#[derive(Default)]
pub(crate) struct Server {
    history: BTreeMap<KeyId, Vec<Version>>,
    tracked: BTreeSet<Vec<u8>>,
    requests: VecDeque<Command>,
    sent: VecDeque<(Reply, Versions)>,
}

const ABSENT: Version = Version { value: None, deadline: Moment::NEVER };

impl Server {
    /// Receives a command on the tracked connection.
    pub(crate) fn request(&mut self, command: Command) {
        self.requests.push_back(command);
    }

    /// Executes the next command of the tracked connection. Returns false when there is none.
    pub(crate) fn execute(&mut self, now: Moment) -> bool {
        let Some(command) = self.requests.pop_front() else { return false };
        if let Command::Get(key_id) = &command {
            self.tracked.insert(key_id.1.clone());
        }
        // A push that the command itself causes is sent after its reply.
        let at = self.sent.len();
        let reply = self.run(&command, now);
        self.sent.insert(at, (reply, self.versions()));
        true
    }

    /// Returns the next reply or push on the tracked connection, with the versions when it was sent.
    pub(crate) fn receive(&mut self) -> Option<(Reply, Versions)> {
        self.sent.pop_front()
    }

    /// Ends the tracked connection, after `executed` more of its commands.
    pub(crate) fn hang_up(&mut self, executed: usize, now: Moment) {
        for _ in 0..executed {
            self.execute(now);
        }
        self.requests.clear();
        self.sent.clear();
        self.tracked.clear();
    }

    /// Executes a command of any connection.
    pub(crate) fn run(&mut self, command: &Command, now: Moment) -> Reply {
        self.expire(now);
        match command {
            Command::Get(key_id) => Reply::Value(self.newest(key_id).value.clone()),
            Command::Pttl(key_id) => Reply::Number(pttl(self.newest(key_id), now)),
            Command::Set { key_id, payload, ttl, only_if_absent } => {
                let before = self.newest(key_id).value.clone();
                if !only_if_absent || before.is_none() {
                    let deadline = ttl.map_or(Moment::NEVER, |ttl| now.plus(ttl));
                    self.change(key_id, Version { value: payload.clone(), deadline });
                }
                Reply::Value(before)
            }
            Command::Delete(key_id) => {
                let existed = self.newest(key_id).value.is_some();
                if existed {
                    self.change(key_id, ABSENT);
                }
                Reply::Number(i64::from(existed))
            }
            Command::DeleteIfOurs { key_id, payload, ttl } => {
                let newest = self.newest(key_id);
                if newest.value == *payload && newest.deadline <= now.plus(*ttl) {
                    self.change(key_id, ABSENT);
                }
                Reply::Done
            }
            Command::Expire { key_id, ttl } => {
                let value = self.newest(key_id).value.clone();
                if value.is_some() {
                    self.change(key_id, Version { value, deadline: now.plus(*ttl) });
                }
                Reply::Done
            }
            Command::FlushAll => {
                self.flush();
                Reply::Done
            }
            Command::Ping => Reply::Done,
        }
    }

    pub(crate) fn newest(&self, key_id: &KeyId) -> &Version {
        self.history.get(key_id).and_then(|versions| versions.last()).unwrap_or(&ABSENT)
    }

    pub(crate) fn newest_number(&self, key_id: &KeyId) -> usize {
        self.history.get(key_id).map_or(0, |versions| versions.len() - 1)
    }

    /// Returns the number of the first version from `since` on that `fits`.
    pub(crate) fn version(
        &self,
        key_id: &KeyId,
        since: usize,
        fits: impl Fn(&Version) -> bool,
    ) -> Option<usize> {
        let versions = self.history.get(key_id).map_or(&[ABSENT][..], Vec::as_slice);
        let mut since = versions.iter().enumerate().skip(since);
        since.find(|(_, version)| fits(version)).map(|(number, _)| number)
    }

    pub(crate) fn versions(&self) -> Versions {
        self.history.iter().map(|(key_id, versions)| (key_id.clone(), versions.len() - 1)).collect()
    }

    /// Deletes the keys that have expired.
    pub(crate) fn expire(&mut self, now: Moment) {
        for versions in self.history.values_mut() {
            if versions.last().is_some_and(|newest| newest.deadline <= now) {
                versions.push(ABSENT);
            }
        }
    }

    fn change(&mut self, key_id: &KeyId, version: Version) {
        self.history.entry(key_id.clone()).or_insert_with(|| vec![ABSENT]).push(version);
        if self.tracked.remove(&key_id.1) {
            self.sent.push_back((Reply::Push(key_id.1.clone()), self.versions()));
        }
    }

    fn flush(&mut self) {
        for versions in self.history.values_mut() {
            if versions.last().is_some_and(|newest| newest.value.is_some()) {
                versions.push(ABSENT);
            }
        }
        self.tracked.clear();
        self.sent.push_back((Reply::PushAll, self.versions()));
    }
}

/// Milliseconds left, rounded up: Redis subtracts two clocks that were both rounded down.
fn pttl(version: &Version, now: Moment) -> i64 {
    match (&version.value, version.deadline) {
        (None, _) => -2,
        (Some(_), Moment::NEVER) => -1,
        (Some(_), deadline) => {
            deadline.since(now).as_nanos().div_ceil(1_000_000).try_into().unwrap()
        }
    }
}
