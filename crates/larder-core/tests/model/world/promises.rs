//! The promises: what each reader may be shown.

use super::{BOUND, FetchResult, Reader, World, Writer, id};
use crate::server::{KeyId, Payload};
use larder_core::{Bypass, FetchError, Fetched, Found};
use std::{
    collections::BTreeMap,
    task::{Context, Poll, Waker},
};

impl World {
    /// Lets everything in progress finish. Then no reader waits, and every entry equals what Redis
    /// holds.
    pub(crate) fn settle(&mut self, key_ids: &[KeyId]) {
        if !self.redis().is_connected() {
            self.connect();
        }
        while !self.readers.is_empty() || !self.writers.is_empty() {
            let before = self.readers.len() + self.writers.len();
            let mut steps = 0;
            while self.execute() || self.receive() || self.origin_answers(0) {
                steps += 1;
            }
            self.run_call(0);
            steps += usize::from(self.answer_call(0));
            let after = self.readers.len() + self.writers.len();
            assert!(steps > 0 || after < before, "{after} readers and writers never finish");
        }
        self.beat_and_receive();
        assert_eq!(self.counts().fills_in_flight, 0, "a lease was left behind");
        for key_id in key_ids {
            let newest = self.redis().keys(|keys| keys.newest(key_id).value.clone());
            if let Some(cached) = self.get(key_id) {
                assert_eq!(cached, newest, "{key_id:?}");
            }
            if let Some(row) = newest.as_deref().filter(|value| value.starts_with(b"row")) {
                let since = floor(&self.row_floors, key_id);
                assert!(self.rows.had(&id(key_id), since, Some(row)), "an old row stays in Redis");
            }
        }
    }

    /// Polls every reader and writer as far as it goes, and checks what they got.
    pub(super) fn poll(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        let mut at = 0;
        while at < self.readers.len() {
            match self.readers[at].future.as_mut().poll(&mut context) {
                Poll::Pending => at += 1,
                Poll::Ready(outcome) => {
                    let reader = self.readers.remove(at);
                    self.check_read(&reader, &outcome);
                    self.outcomes[reader.number] = Some(outcome);
                    // Other readers may have waited for this one.
                    at = 0;
                }
            }
        }
        let mut at = 0;
        while at < self.writers.len() {
            match self.writers[at].future.as_mut().poll(&mut context) {
                Poll::Pending => at += 1,
                Poll::Ready(()) => {
                    let Writer { key_id, row, .. } = self.writers.remove(at);
                    raise(&mut self.row_floors, &key_id, row);
                    // The name has just been invalidated: later readers read again.
                    let newest = self.redis().keys(|keys| keys.newest_number(&key_id));
                    self.raise([(key_id, newest)]);
                }
            }
        }
    }

    /// Checks that a hit shows what Redis held when the newest answered heartbeat was sent, or later;
    /// nothing older than what was seen, written or pushed before; and no key that has expired.
    pub(super) fn check_hit(&mut self, key_id: &KeyId, value: &Payload) {
        let now = self.clock.now();
        let (sent, versions) = self.beat.as_ref().expect("a hit requires an answered heartbeat");
        assert!(now < sent.plus(BOUND), "a hit past the bound");
        let since = floor(&self.floors, key_id).max(floor(versions, key_id));
        let shown = self.redis().keys(|keys| {
            keys.version(key_id, since, |version| version.value == *value && version.deadline > now)
        });
        let Some(shown) = shown else {
            panic!(
                "a hit on {key_id:?} shows {value:?}, which is older than version {since} or gone"
            )
        };
        self.raise([(key_id.clone(), shown)]);
    }

    fn check_read(&mut self, reader: &Reader, outcome: &FetchResult) {
        let Reader { key_id, since, loads, .. } = reader;
        let fetched = match outcome {
            Ok(fetched) => fetched,
            Err(FetchError::LeaderDropped) if *loads => return,
            Err(error) => panic!("{error}"),
        };
        let value = &fetched.value;
        if matches!(fetched.found, Found::Near(_)) && !fetched.collapsed {
            self.check_hit(key_id, value);
        }
        let shown = self.redis().version_of(key_id, *since, value);
        if *loads && (value.is_none() || is_row(value)) {
            let in_store =
                shown.is_some() && self.rows.had(&id(key_id), reader.row_since, value.as_deref());
            assert!(in_store || self.is_of_origin(reader, fetched), "{key_id:?} {fetched:?}");
        } else {
            let shown = shown.unwrap_or_else(|| panic!("{key_id:?} {fetched:?} before {since}"));
            self.raise([(key_id.clone(), shown)]);
        }
    }

    /// Whether the origin had this value at or after the last write that was done when the reader
    /// started, and the store had none.
    fn is_of_origin(&self, reader: &Reader, fetched: &Fetched<Payload>) -> bool {
        let Reader { key_id, since, row_since, .. } = reader;
        let in_origin = self.rows.had(&id(key_id), *row_since, fetched.value.as_deref());
        let unreachable = fetched.found == Found::Bypass(Bypass::StoreUnreachable);
        in_origin && (unreachable || self.redis().version_of(key_id, *since, &None).is_some())
    }

    pub(super) fn raise(&mut self, versions: impl IntoIterator<Item = (KeyId, usize)>) {
        for (key_id, version) in versions {
            raise(&mut self.floors, &key_id, version);
        }
    }
}

pub(super) fn floor(floors: &BTreeMap<KeyId, usize>, key_id: &KeyId) -> usize {
    floors.get(key_id).copied().unwrap_or(0)
}

fn raise(floors: &mut BTreeMap<KeyId, usize>, key_id: &KeyId, version: usize) {
    let floor = floors.entry(key_id.clone()).or_default();
    *floor = version.max(*floor);
}

fn is_row(value: &Payload) -> bool {
    value.as_deref().is_some_and(|value| value.starts_with(b"row"))
}
