//! A store over a [`MemoryStore`] whose requests the test can defer, fail, lose and interrupt.

use larder_core::{
    FetchError, Fill, FillOutcome, Key, LoadedValue, MemoryStore, NotCached, Put, PutOutcome,
    ReadStore, StoreError, Value, WriteGuard, WriteStore, expiry::Ttl,
};
use std::{
    future::Future,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
    time::Duration,
};

pub(crate) type Payload = Option<Arc<[u8]>>;

/// What becomes of the fills.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fills {
    /// They are completed before `fill` returns.
    #[default]
    Complete,
    /// They wait for [`FaultStore::complete_deferred`].
    Defer,
    /// They fail with this error.
    Fail(StoreError),
    /// They are deferred and dropped.
    Drop,
    /// They are completed with replies that must not be cached.
    Uncached,
}

pub(crate) struct FaultStore {
    inner: MemoryStore,
    answers_at_once: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    fills: Fills,
    unreachable: bool,
    loses_put_replies: bool,
    deferred: Vec<Fill<'static, Payload>>,
    meanwhile: Option<Box<dyn FnOnce() + Send>>,
    fill_count: usize,
    read_count: usize,
}

impl FaultStore {
    /// Readers of the same key share the fills of this store.
    pub(crate) fn over(inner: MemoryStore) -> Self {
        Self { inner, answers_at_once: false, state: Mutex::default() }
    }

    /// Each reader sends a fill of its own.
    pub(crate) fn answering_at_once(inner: MemoryStore) -> Self {
        Self { answers_at_once: true, ..Self::over(inner) }
    }

    pub(crate) fn inner(&self) -> &MemoryStore {
        &self.inner
    }

    /// Reads the store, and counts nothing.
    pub(crate) fn value(&self, key: Key<'_>) -> (Payload, Ttl) {
        let txn = self.inner.begin();
        let Some(entry) = txn.get(key.keyspace, key.name) else { return (None, Ttl::NoKey) };
        let ttl = entry.expires.map_or(Ttl::Forever, |time| {
            Ttl::Left(Duration::from_millis(u64::try_from(time - txn.now()).unwrap_or(0)))
        });
        (Payload::from_payload(entry.payload), ttl)
    }

    pub(crate) fn set_fills(&self, fills: Fills) {
        self.state().fills = fills;
    }

    /// Sets whether there is no connection, so that everything fails and nothing is done.
    pub(crate) fn set_unreachable(&self, unreachable: bool) {
        let mut state = self.state();
        state.unreachable = unreachable;
        state.fills = if unreachable { Fills::Fail(no_connection()) } else { Fills::Complete };
    }

    /// Sets whether the connection ends between the put of a loaded value and its reply.
    pub(crate) fn set_loses_put_replies(&self, loses: bool) {
        self.state().loses_put_replies = loses;
    }

    /// Runs something while the next fill is under way: after it has read, before it is completed.
    pub(crate) fn set_meanwhile(&self, run: impl FnOnce() + Send + 'static) {
        self.state().meanwhile = Some(Box::new(run));
    }

    /// Runs what no fill has run.
    pub(crate) fn run_meanwhile(&self) {
        let meanwhile = self.state().meanwhile.take();
        if let Some(run) = meanwhile {
            run();
        }
    }

    /// Lets the deferred fills read the store, and completes them.
    pub(crate) fn complete_deferred(&self) {
        for fill in self.take_deferred() {
            self.inner.fill(fill);
        }
    }

    pub(crate) fn take_deferred(&self) -> Vec<Fill<'static, Payload>> {
        std::mem::take(&mut self.state().deferred)
    }

    /// Returns how many fills were sent.
    pub(crate) fn fill_count(&self) -> usize {
        self.state().fill_count
    }

    /// Returns how many reads bypassed the near cache.
    pub(crate) fn read_count(&self) -> usize {
        self.state().read_count
    }

    fn connection(&self) -> Result<(), StoreError> {
        if self.state().unreachable { Err(no_connection()) } else { Ok(()) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test goes on after a panic")
    }
}

fn no_connection() -> StoreError {
    StoreError::Unreachable("the test says so".into())
}

impl ReadStore<Payload> for FaultStore {
    fn fill(&self, fill: Fill<'_, Payload>) -> FillOutcome<Payload> {
        let fills = {
            let mut state = self.state();
            state.fill_count += 1;
            state.fills.clone()
        };
        match fills {
            Fills::Complete => {
                let (value, ttl) = self.value(fill.key());
                self.run_meanwhile();
                fill.complete(value, ttl)
            }
            Fills::Defer => {
                let (fill, outcome) = fill.defer();
                self.state().deferred.push(fill);
                outcome
            }
            Fills::Fail(error) => fill.fail(FetchError::Store(error)),
            Fills::Drop => fill.defer().1,
            Fills::Uncached => fill.complete_uncached(None, NotCached::NotAllowed),
        }
    }

    fn answers_at_once(&self) -> bool {
        self.answers_at_once
    }

    async fn read(&self, key: Key<'_>) -> Result<Payload, StoreError> {
        self.connection()?;
        self.state().read_count += 1;
        self.inner.read(key).await
    }
}

impl WriteStore<Payload> for FaultStore {
    async fn put(&self, guard: &WriteGuard<Payload>, put: Put<'_>) -> Result<(), StoreError> {
        self.connection()?;
        self.inner.put(guard, put).await
    }

    async fn delete(&self, guard: &WriteGuard<Payload>, key: Key<'_>) -> Result<bool, StoreError> {
        self.connection()?;
        self.inner.delete(guard, key).await
    }

    async fn put_loaded(
        &self,
        load: &Fill<'_, Payload>,
        loaded: LoadedValue<'_>,
    ) -> Result<PutOutcome, StoreError> {
        self.connection()?;
        let outcome = self.inner.put_loaded(load, loaded).await?;
        if self.state().loses_put_replies { Err(StoreError::Lost) } else { Ok(outcome) }
    }

    async fn delete_if_ours(
        &self,
        guard: &WriteGuard<Payload>,
        loaded: LoadedValue<'_>,
    ) -> Result<(), StoreError> {
        self.connection()?;
        self.inner.delete_if_ours(guard, loaded).await
    }
}

/// Returns what a future resolves to that does not wait.
pub(crate) fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a memory store does not wait"),
    }
}
