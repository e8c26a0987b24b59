//! The keys of a Redis and its side of one tracked connection, a step at a time.
//!
//! As redis-server 7.0 does it: requests on the tracked connection are executed and answered in the
//! order sent; a read makes its name tracked, also when there is no such key; a change of a tracked
//! name is pushed once, behind what has been answered by then, and the name is not tracked any more
//! until it is read again. A key whose time is over is gone without a push.

use larder_core::Moment;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

pub(crate) type Payload = Option<Arc<[u8]>>;

/// A db and a name.
pub(crate) type Place = (u32, Vec<u8>);

/// How many versions each place had at some moment, less one: the number of the newest.
pub(crate) type Versions = BTreeMap<Place, usize>;

/// What a key held from one change to the next.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) value: Payload,
    pub(crate) deadline: Moment,
}

/// What a client asks for.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    Get(Place),
    Pttl(Place),
    Set { place: Place, payload: Payload, ttl: Option<Duration>, only_if_absent: bool },
    Delete(Place),
    TakeBack { place: Place, payload: Payload, ttl: Duration },
    Expire { place: Place, ttl: Duration },
    FlushAll,
    Ping,
}

/// What the server says.
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
    asked: VecDeque<Command>,
    said: VecDeque<(Reply, Versions)>,
}

const GONE: Version = Version { value: None, deadline: Moment::NEVER };

impl Server {
    /// A command arrives on the tracked connection.
    pub(crate) fn ask(&mut self, command: Command) {
        self.asked.push_back(command);
    }

    /// Executes the next command of the tracked connection. False when there is none.
    pub(crate) fn execute(&mut self, now: Moment) -> bool {
        let Some(command) = self.asked.pop_front() else { return false };
        if let Command::Get(place) = &command {
            self.tracked.insert(place.1.clone());
        }
        // A push that the command itself causes leaves behind its reply.
        let at = self.said.len();
        let reply = self.run(&command, now);
        self.said.insert(at, (reply, self.versions()));
        true
    }

    /// The next thing that arrives on the tracked connection, with the versions of its time.
    pub(crate) fn hear(&mut self) -> Option<(Reply, Versions)> {
        self.said.pop_front()
    }

    /// The tracked connection ends, after `executed` more of its commands.
    pub(crate) fn hang_up(&mut self, executed: usize, now: Moment) {
        for _ in 0..executed {
            self.execute(now);
        }
        self.asked.clear();
        self.said.clear();
        self.tracked.clear();
    }

    /// Executes a command, of whatever connection.
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
                let there = self.newest(place).value.is_some();
                if there {
                    self.change(place, GONE);
                }
                Reply::Number(i64::from(there))
            }
            Command::TakeBack { place, payload, ttl } => {
                let newest = self.newest(place);
                if newest.value == *payload && newest.deadline <= now.plus(*ttl) {
                    self.change(place, GONE);
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
        self.history.get(place).and_then(|versions| versions.last()).unwrap_or(&GONE)
    }

    pub(crate) fn newest_number(&self, place: &Place) -> usize {
        self.history.get(place).map_or(0, |versions| versions.len() - 1)
    }

    /// The first version from `since` on that `fits`.
    pub(crate) fn version(
        &self,
        place: &Place,
        since: usize,
        fits: impl Fn(&Version) -> bool,
    ) -> Option<usize> {
        let versions = self.history.get(place).map_or(&[GONE][..], Vec::as_slice);
        let mut since = versions.iter().enumerate().skip(since);
        since.find(|(_, version)| fits(version)).map(|(number, _)| number)
    }

    pub(crate) fn versions(&self) -> Versions {
        self.history.iter().map(|(place, versions)| (place.clone(), versions.len() - 1)).collect()
    }

    /// Keys whose time is over are gone.
    pub(crate) fn expire(&mut self, now: Moment) {
        for versions in self.history.values_mut() {
            if versions.last().is_some_and(|newest| newest.deadline <= now) {
                versions.push(GONE);
            }
        }
    }

    fn change(&mut self, place: &Place, version: Version) {
        self.history.entry(place.clone()).or_insert_with(|| vec![GONE]).push(version);
        if self.tracked.remove(&place.1) {
            self.said.push_back((Reply::Push(place.1.clone()), self.versions()));
        }
    }

    fn flush(&mut self) {
        for versions in self.history.values_mut() {
            if versions.last().is_some_and(|newest| newest.value.is_some()) {
                versions.push(GONE);
            }
        }
        self.tracked.clear();
        self.said.push_back((Reply::PushAll, self.versions()));
    }
}

/// Milliseconds left, rounded up as two clocks that were both rounded down make it.
fn pttl(version: &Version, now: Moment) -> i64 {
    match (&version.value, version.deadline) {
        (None, _) => -2,
        (Some(_), Moment::NEVER) => -1,
        (Some(_), deadline) => {
            deadline.since(now).as_nanos().div_ceil(1_000_000).try_into().unwrap()
        }
    }
}
