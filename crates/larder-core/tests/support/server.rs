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
pub(crate) type Place = (u32, Vec<u8>);

/// The number of the newest version of each place at some moment.
pub(crate) type Versions = BTreeMap<Place, usize>;

/// What a key held between two changes.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) value: Payload,
    pub(crate) deadline: Moment,
}

/// A client's request.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    Get(Place),
    Pttl(Place),
    Set { place: Place, payload: Payload, ttl: Option<Duration>, only_if_absent: bool },
    Delete(Place),
    DeleteIfOurs { place: Place, payload: Payload, ttl: Duration },
    Expire { place: Place, ttl: Duration },
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
    history: BTreeMap<Place, Vec<Version>>,
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
        if let Command::Get(place) = &command {
            self.tracked.insert(place.1.clone());
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
            Command::Get(place) => Reply::Value(self.newest(place).value.clone()),
            Command::Pttl(place) => Reply::Number(pttl(self.newest(place), now)),
            Command::Set { place, payload, ttl, only_if_absent } => {
                let before = self.newest(place).value.clone();
                if !only_if_absent || before.is_none() {
                    let deadline = ttl.map_or(Moment::NEVER, |ttl| now.plus(ttl));
                    self.change(place, Version { value: payload.clone(), deadline });
                }
                Reply::Value(before)
            }
            Command::Delete(place) => {
                let existed = self.newest(place).value.is_some();
                if existed {
                    self.change(place, ABSENT);
                }
                Reply::Number(i64::from(existed))
            }
            Command::DeleteIfOurs { place, payload, ttl } => {
                let newest = self.newest(place);
                if newest.value == *payload && newest.deadline <= now.plus(*ttl) {
                    self.change(place, ABSENT);
                }
                Reply::Done
            }
            Command::Expire { place, ttl } => {
                let value = self.newest(place).value.clone();
                if value.is_some() {
                    self.change(place, Version { value, deadline: now.plus(*ttl) });
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

    pub(crate) fn newest(&self, place: &Place) -> &Version {
        self.history.get(place).and_then(|versions| versions.last()).unwrap_or(&ABSENT)
    }

    pub(crate) fn newest_number(&self, place: &Place) -> usize {
        self.history.get(place).map_or(0, |versions| versions.len() - 1)
    }

    /// Returns the number of the first version from `since` on that `fits`.
    pub(crate) fn version(
        &self,
        place: &Place,
        since: usize,
        fits: impl Fn(&Version) -> bool,
    ) -> Option<usize> {
        let versions = self.history.get(place).map_or(&[ABSENT][..], Vec::as_slice);
        let mut since = versions.iter().enumerate().skip(since);
        since.find(|(_, version)| fits(version)).map(|(number, _)| number)
    }

    pub(crate) fn versions(&self) -> Versions {
        self.history.iter().map(|(place, versions)| (place.clone(), versions.len() - 1)).collect()
    }

    /// Deletes the keys that have expired.
    pub(crate) fn expire(&mut self, now: Moment) {
        for versions in self.history.values_mut() {
            if versions.last().is_some_and(|newest| newest.deadline <= now) {
                versions.push(ABSENT);
            }
        }
    }

    fn change(&mut self, place: &Place, version: Version) {
        self.history.entry(place.clone()).or_insert_with(|| vec![ABSENT]).push(version);
        if self.tracked.remove(&place.1) {
            self.sent.push_back((Reply::Push(place.1.clone()), self.versions()));
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
