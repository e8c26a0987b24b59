//! A store over a [`MemoryStore`] that is away, loses, fails and delays as it is told.

use larder_core::{
    FetchError, Fill, FillOutcome, Key, MemoryStore, NotCached, PutOutcome, Store, StoreError,
    WriteGuard,
};
use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

pub(crate) type Payload = Option<Arc<[u8]>>;

/// What becomes of the fills.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fills {
    #[default]
    Land,
    /// They wait for [`FaultStore::let_go`].
    Wait,
    /// They fail so.
    Fail(StoreError),
    /// They are dropped without an answer.
    Vanish,
    /// Their replies must not be kept.
    PassOn,
}

pub(crate) struct FaultStore {
    map: MemoryStore,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    fills: Fills,
    away: bool,
    loses_put_replies: bool,
    waiting: Vec<Fill<'static, Payload>>,
    fills_asked: usize,
    reads_asked: usize,
}

impl FaultStore {
    pub(crate) fn over(map: MemoryStore) -> Self {
        Self { map, state: Mutex::default() }
    }

    pub(crate) fn map(&self) -> &MemoryStore {
        &self.map
    }

    pub(crate) fn set_fills(&self, fills: Fills) {
        self.state().fills = fills;
    }

    /// Whether there is no connection: nothing is done, everything fails.
    pub(crate) fn set_away(&self, away: bool) {
        let mut state = self.state();
        state.away = away;
        state.fills = if away { Fills::Fail(gone()) } else { Fills::Land };
    }

    /// Whether the connection ends between a put of a loaded value and its reply.
    pub(crate) fn set_loses_put_replies(&self, loses: bool) {
        self.state().loses_put_replies = loses;
    }

    /// Fills that wait now read the map and land.
    pub(crate) fn let_go(&self) {
        for fill in self.take_waiting() {
            self.map.fill(fill);
        }
    }

    pub(crate) fn take_waiting(&self) -> Vec<Fill<'static, Payload>> {
        std::mem::take(&mut self.state().waiting)
    }

    /// How many fills were asked of it.
    pub(crate) fn fill_count(&self) -> usize {
        self.state().fills_asked
    }

    /// How many reads were asked of it, past the near tier.
    pub(crate) fn read_count(&self) -> usize {
        self.state().reads_asked
    }

    fn there(&self) -> Result<(), StoreError> {
        if self.state().away { Err(gone()) } else { Ok(()) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test goes on after a panic")
    }
}

fn gone() -> StoreError {
    StoreError::Unreachable("it was told to be".into())
}

impl Store<Payload> for FaultStore {
    fn fill(&self, fill: Fill<'_, Payload>) -> FillOutcome<Payload> {
        let mut state = self.state();
        state.fills_asked += 1;
        let fills = state.fills.clone();
        if fills == Fills::Wait {
            let (fill, answer) = fill.defer();
            state.waiting.push(fill);
            return answer;
        }
        drop(state);
        match fills {
            Fills::Land | Fills::Wait => self.map.fill(fill),
            Fills::Fail(error) => fill.fail(FetchError::Store(error)),
            Fills::Vanish => fill.defer().1,
            Fills::PassOn => fill.complete_uncached(None, NotCached::NotAllowed),
        }
    }

    async fn read(&self, key: Key<'_>) -> Result<Payload, StoreError> {
        self.there()?;
        self.state().reads_asked += 1;
        self.map.read(key).await
    }

    async fn put(
        &self,
        write: &WriteGuard<Payload>,
        name: &[u8],
        db: u32,
        payload: &[u8],
        ttl: Option<Duration>,
    ) -> Result<(), StoreError> {
        self.there()?;
        self.map.put(write, name, db, payload, ttl).await
    }

    async fn delete(
        &self,
        write: &WriteGuard<Payload>,
        name: &[u8],
        db: u32,
    ) -> Result<bool, StoreError> {
        self.there()?;
        self.map.delete(write, name, db).await
    }

    async fn put_loaded(
        &self,
        load: &Fill<'_, Payload>,
        payload: &[u8],
        ttl: Duration,
    ) -> Result<PutOutcome, StoreError> {
        self.there()?;
        let put = self.map.put_loaded(load, payload, ttl).await?;
        if self.state().loses_put_replies { Err(StoreError::Lost) } else { Ok(put) }
    }

    async fn delete_if_ours(
        &self,
        write: &WriteGuard<Payload>,
        name: &[u8],
        db: u32,
        payload: &[u8],
        ttl: Duration,
    ) -> Result<(), StoreError> {
        self.there()?;
        self.map.delete_if_ours(write, name, db, payload, ttl).await
    }
}
