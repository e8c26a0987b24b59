//! The promises: what each reader may be shown.

use super::{BOUND, FetchResult, Reader, World, Writer, id};
use crate::server::{Payload, Place};
use larder_core::{Bypass, FetchError, Fetched, Found};
use std::{
    collections::BTreeMap,
    task::{Context, Poll, Waker},
};

impl World {
    /// Lets everything in progress finish. Then no reader waits, and every entry equals what Redis
    /// holds.
    pub(crate) fn settle(&mut self, places: &[Place]) {
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
        for place in places {
            let newest = self.redis().keys(|keys| keys.newest(place).value.clone());
            if let Some(cached) = self.get(place) {
                assert_eq!(cached, newest, "{place:?}");
            }
            if let Some(row) = newest.as_deref().filter(|value| value.starts_with(b"row")) {
                let since = floor(&self.row_floors, place);
                assert!(self.rows.had(&id(place), since, Some(row)), "an old row stays in Redis");
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
                    let Writer { place, row, .. } = self.writers.remove(at);
                    raise(&mut self.row_floors, &place, row);
                    // The name has just been invalidated: later readers read again.
                    let newest = self.redis().keys(|keys| keys.newest_number(&place));
                    self.raise([(place, newest)]);
                }
            }
        }
    }

    /// Checks that a hit shows what Redis held when the newest answered heartbeat was sent, or later;
    /// nothing older than what was seen, written or pushed before; and no key that has expired.
    pub(super) fn check_hit(&mut self, place: &Place, value: &Payload) {
        let now = self.clock.now();
        let (sent, versions) = self.beat.as_ref().expect("a hit requires an answered heartbeat");
        assert!(now < sent.plus(BOUND), "a hit past the bound");
        let since = floor(&self.floors, place).max(floor(versions, place));
        let shown = self.redis().keys(|keys| {
            keys.version(place, since, |version| version.value == *value && version.deadline > now)
        });
        let Some(shown) = shown else {
            panic!(
                "a hit on {place:?} shows {value:?}, which is older than version {since} or gone"
            )
        };
        self.raise([(place.clone(), shown)]);
    }

    fn check_read(&mut self, reader: &Reader, outcome: &FetchResult) {
        let Reader { place, since, loads, .. } = reader;
        let fetched = match outcome {
            Ok(fetched) => fetched,
            Err(FetchError::LeaderDropped) if *loads => return,
            Err(error) => panic!("{error}"),
        };
        let value = &fetched.value;
        if matches!(fetched.found, Found::Near(_)) && !fetched.collapsed {
            self.check_hit(place, value);
        }
        let shown = self.redis().version_of(place, *since, value);
        if *loads && (value.is_none() || is_row(value)) {
            let in_store =
                shown.is_some() && self.rows.had(&id(place), reader.row_since, value.as_deref());
            assert!(in_store || self.is_of_origin(reader, fetched), "{place:?} {fetched:?}");
        } else {
            let shown = shown.unwrap_or_else(|| panic!("{place:?} {fetched:?} before {since}"));
            self.raise([(place.clone(), shown)]);
        }
    }

    /// Whether the origin had this value at or after the last write that was done when the reader
    /// started, and the store had none.
    fn is_of_origin(&self, reader: &Reader, fetched: &Fetched<Payload>) -> bool {
        let Reader { place, since, row_since, .. } = reader;
        let in_origin = self.rows.had(&id(place), *row_since, fetched.value.as_deref());
        let unreachable = fetched.found == Found::Bypass(Bypass::StoreUnreachable);
        in_origin && (unreachable || self.redis().version_of(place, *since, &None).is_some())
    }

    pub(super) fn raise(&mut self, versions: impl IntoIterator<Item = (Place, usize)>) {
        for (place, version) in versions {
            raise(&mut self.floors, &place, version);
        }
    }
}

pub(super) fn floor(floors: &BTreeMap<Place, usize>, place: &Place) -> usize {
    floors.get(place).copied().unwrap_or(0)
}

fn raise(floors: &mut BTreeMap<Place, usize>, place: &Place, version: usize) {
    let floor = floors.entry(place.clone()).or_default();
    *floor = version.max(*floor);
}

fn is_row(value: &Payload) -> bool {
    value.as_deref().is_some_and(|value| value.starts_with(b"row"))
}
