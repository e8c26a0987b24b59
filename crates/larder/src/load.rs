//! Loads: one per key at a time, whatever the number of callers. [`load`] and [`lead`] hold the
//! decisions.

use crate::{
    context::LoadContext,
    entry::{Entry, Source},
    error::{Failed, Failure, LoadError, panic_message},
    key::Name,
    policy::ttl_until,
    shared::{Look, Shared, key},
    slot::{Held, Slot},
    source::{Load, Made, failure},
    through::load_through,
};
use larder_core::{Fill, JoinedLoad, LoadRole, Moment, NotCached};
use larder_expiry::Expiry;
use std::{
    any::Any,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

/// How often a call joins a load that then ends without an answer for it, before it loads alone.
pub(crate) const ROUNDS_MAX: usize = 8;

pub(crate) type Outcome<V, L> =
    Result<Made<Entry<V>, <L as Load<V>>::Absent>, <L as Load<V>>::Failure>;

/// The options of one call.
pub(crate) struct Options<V: Send + Sync + 'static, L> {
    pub(crate) ttl: Option<Expiry>,
    /// Loads even if the near cache has a fresh value.
    pub(crate) refresh: bool,
    /// Starts a load in a task of its own.
    pub(crate) spawn: Option<Spawn<V, L>>,
}

pub(crate) type Spawn<V, L> = fn(Arc<Shared<V>>, Fill<'static, Slot<V>>, L, Plan<V>);

/// What a load needs to know.
pub(crate) struct Plan<V> {
    name: Name,
    ttl: Option<Expiry>,
    /// The value that the load is to replace.
    old: Option<Arc<Held<V>>>,
    /// Whether that may be served instead, if a stale policy allows it.
    may_serve_old: bool,
}

impl<V> Plan<V> {
    fn servable(&self) -> Option<&Arc<Held<V>>> {
        self.old.as_ref().filter(|_| self.may_serve_old)
    }
}

/// Returns the cached value or, if there is none that may be served, loads it.
pub(crate) async fn load<V, L>(
    shared: Arc<Shared<V>>,
    name: Name,
    loader: L,
    options: Options<V, L>,
) -> Outcome<V, L>
where
    V: Clone + Send + Sync + 'static,
    L: Load<V>,
{
    if let Some(tier) = &shared.store {
        return load_through(&shared, tier, &name, loader, &options).await;
    }
    // A refresh joins only a load that began after it was asked for.
    let oldest = if options.refresh { shared.now() } else { Moment::START };
    for _ in 0..ROUNDS_MAX {
        let old = match shared.look(&name) {
            _ if options.refresh => shared.any_held(&name),
            Look::Fresh(hit) => return Ok(Made::Value(hit.into_entry())),
            Look::Stale(held) => match served_between_failures(&shared, &held) {
                Some(entry) => return Ok(Made::Value(entry)),
                None => Some(held),
            },
            Look::Absent => match absent::<V, L>() {
                Some(outcome) => return outcome,
                None => None,
            },
            Look::Nothing => None,
        };
        let servable = old.as_ref().filter(|_| !options.refresh);
        let fill = match shared.engine.join_or_lead_load(key(&name), oldest) {
            LoadRole::Leading(fill) => fill,
            LoadRole::Joined(joined) => match wait::<V, L>(&shared, joined, servable).await {
                Some(outcome) => return outcome,
                None => continue,
            },
        };
        let may_serve_old = !options.refresh;
        let plan = Plan { name: name.clone(), ttl: options.ttl, old, may_serve_old };
        return match options.spawn {
            None => lead(&shared, fill, loader, plan).await,
            Some(spawn) => lead_elsewhere(&shared, fill, loader, plan, spawn).await,
        };
    }
    load_alone(&shared, loader).await
}

/// Starts a load ahead of a value's end, unless one is under way.
pub(crate) fn load_ahead<V, L>(
    shared: &Arc<Shared<V>>,
    name: &Name,
    loader: L,
    options: Options<V, L>,
) where
    V: Clone + Send + Sync + 'static,
    L: Load<V>,
{
    if let Some(spawn) = options.spawn
        && let LoadRole::Leading(fill) = shared.engine.join_or_lead_load(key(name), Moment::START)
    {
        let (name, old) = (name.clone(), shared.any_held(name));
        let plan = Plan { name, ttl: options.ttl, old, may_serve_old: true };
        spawn(Arc::clone(shared), fill.hand_over().0, loader, plan);
    }
}

/// Starts a task that leads a load.
pub(crate) fn spawn_lead<V, L>(
    shared: Arc<Shared<V>>,
    fill: Fill<'static, Slot<V>>,
    loader: L,
    plan: Plan<V>,
) where
    V: Clone + Send + Sync + 'static,
    L: Load<V> + 'static,
{
    tokio::spawn(async move {
        drop(lead(&shared, fill, loader, plan).await);
    });
}

/// Has a load led by a task of its own. Waits for it, unless a stale value may be served meanwhile.
async fn lead_elsewhere<V, L>(
    shared: &Arc<Shared<V>>,
    fill: Fill<'_, Slot<V>>,
    loader: L,
    plan: Plan<V>,
    spawn: Spawn<V, L>,
) -> Outcome<V, L>
where
    V: Clone + Send + Sync + 'static,
    L: Load<V>,
{
    let (fill, joined) = fill.hand_over();
    let old = plan.servable().cloned();
    spawn(Arc::clone(shared), fill, loader, plan);
    match wait::<V, L>(shared, joined, old.as_ref()).await {
        Some(outcome) => outcome,
        // The loader panicked, and this kind of loader has no errors; or the runtime shuts down.
        None => resume_unwind(Box::new("the load in the background did not end")),
    }
}

/// Waits for a load that another task leads. `None` if it brought nothing for this kind of loader.
async fn wait<V, L>(
    shared: &Shared<V>,
    joined: JoinedLoad<Slot<V>>,
    old: Option<&Arc<Held<V>>>,
) -> Option<Outcome<V, L>>
where
    V: Clone + Send + Sync + 'static,
    L: Load<V>,
{
    let now = shared.now();
    if let Some(old) = old.filter(|old| shared.policy.serves_while_revalidating(old, now)) {
        return Some(Ok(Made::Value(shared.stale_entry(old))));
    }
    let late = old.filter(|old| shared.policy.serves_when_late(old, now));
    let slot = match (late, shared.policy.soft_timeout) {
        (Some(old), Some(limit)) => match tokio::time::timeout(limit, joined).await {
            Ok(slot) => slot,
            Err(_) => return Some(Ok(Made::Value(shared.stale_entry(old)))),
        },
        _ => joined.await,
    };
    match slot.ok()? {
        Slot::Held(held) => Some(Ok(Made::Value(shared.entry(&held, Source::Joined)))),
        Slot::Absent => absent::<V, L>(),
        Slot::Failed(failed) => match served_on_error(shared, old) {
            Some(entry) => Some(Ok(Made::Value(entry))),
            None => failed.to_failure().map(Err),
        },
        Slot::Unknown => None,
    }
}

/// Loads a value for all callers that join.
async fn lead<V, L>(
    shared: &Shared<V>,
    fill: Fill<'_, Slot<V>>,
    loader: L,
    plan: Plan<V>,
) -> Outcome<V, L>
where
    V: Clone + Send + Sync + 'static,
    L: Load<V>,
{
    match run(shared, loader, plan.old.as_ref()).await {
        Ended::Made(Made::Value(value), chosen) => {
            let chosen = chosen.or(plan.ttl);
            let (held, until) = shared.hold(&plan.name, value, chosen.as_ref());
            let ttl = ttl_until(fill.sent(), until);
            drop(fill.complete(Slot::Held(Arc::clone(&held)), ttl));
            Ok(Made::Value(shared.entry(&held, Source::Loader)))
        }
        Ended::Made(Made::Absent(absent), _) => {
            complete_absent(shared, fill, &plan.name);
            Ok(Made::Absent(absent))
        }
        Ended::Failed(failed, error) => {
            drop(fill.complete_uncached(Slot::Failed(failed), NotCached::NotAllowed));
            served_on_error(shared, plan.servable()).map(Made::Value).ok_or(error)
        }
        Ended::Panicked(failed, panic) => {
            drop(fill.complete_uncached(Slot::Failed(failed), NotCached::NotAllowed));
            resume_unwind(panic)
        }
    }
}

/// How a load ended.
pub(crate) enum Ended<V, L: Load<V>> {
    /// The loader answered, and may have chosen when the value expires.
    Made(Made<V, L::Absent>, Option<Expiry>),
    Failed(Failed, L::Failure),
    Panicked(Failed, Box<dyn Any + Send>),
}

/// Runs a loader within the limits of the cache. After a failure, no load of this key is tried for a
/// while if there is an old value to serve.
pub(crate) async fn run<V, L>(
    shared: &Shared<V>,
    loader: L,
    old: Option<&Arc<Held<V>>>,
) -> Ended<V, L>
where
    V: Clone + Send + Sync + 'static,
    L: Load<V>,
{
    let give_up = <L::Failure as Failure>::GIVE_UP;
    let permit = match give_up {
        None => shared.breaker.permit_always(),
        Some(error) => match shared.breaker.permit(shared.now()) {
            Some(permit) => permit,
            None => return Ended::Failed(Failed::CircuitOpen, error(LoadError::CircuitOpen)),
        },
    };
    shared.counters.load();
    let context = LoadContext::new(old.map(|old| old.value.clone()));
    let load = CatchPanic(Box::pin(loader.load(context.clone())));
    let outcome = match shared.policy.hard_timeout.zip(give_up) {
        None => Ok(load.await),
        Some((limit, error)) => {
            let late = |_| (Failed::TimedOut(limit), error(LoadError::TimedOut(limit)));
            tokio::time::timeout(limit, load).await.map_err(late)
        }
    };
    let ended = match outcome {
        Ok(Ok(Ok(made))) => {
            permit.succeeded();
            return Ended::Made(made, context.chosen_ttl());
        }
        Ok(Ok(Err(error))) => {
            let error = Arc::new(error);
            Ended::Failed(Failed::Error(error.clone()), failure(&error))
        }
        Ok(Err(panic)) => Ended::Panicked(Failed::Panicked(panic_message(&*panic)), panic),
        Err((failed, error)) => Ended::Failed(failed, error),
    };
    permit.failed(shared.now());
    shared.counters.failure();
    if let Some(old) = old {
        old.retry_at(shared.now().plus(shared.policy.throttle));
    }
    ended
}

/// Loads without telling anybody. What it brings is not cached.
pub(crate) async fn load_alone<V, L>(shared: &Shared<V>, loader: L) -> Outcome<V, L>
where
    V: Clone + Send + Sync + 'static,
    L: Load<V>,
{
    shared.counters.load();
    let made = loader.load(LoadContext::new(None)).await.map_err(Arc::new);
    Ok(match made.map_err(|error| failure(&error))? {
        Made::Value(value) => Made::Value(Entry {
            value,
            source: Source::Loader,
            age: Duration::ZERO,
            ttl: Some(Duration::ZERO),
            is_stale: false,
        }),
        Made::Absent(absent) => Made::Absent(absent),
    })
}

/// Ends a load whose loader has no value. That is remembered, if the cache has a `negative_ttl`.
pub(crate) fn complete_absent<V>(shared: &Shared<V>, fill: Fill<'_, Slot<V>>, name: &Name)
where
    V: Clone + Send + Sync + 'static,
{
    let remembered = shared.policy.negative_ttl;
    if remembered.is_zero() {
        // The value that the cache may have is out of date.
        shared.invalidate(name);
        drop(fill.complete_uncached(Slot::Absent, NotCached::NotAllowed));
    } else {
        let ttl = ttl_until(fill.sent(), shared.now().plus(remembered));
        drop(fill.complete(Slot::Absent, ttl));
    }
}

/// Returns the stale value in place of an error, if that is allowed.
pub(crate) fn served_on_error<V>(shared: &Shared<V>, old: Option<&Arc<Held<V>>>) -> Option<Entry<V>>
where
    V: Clone + Send + Sync + 'static,
{
    let old = old.filter(|old| shared.serves_on_error(old))?;
    Some(shared.stale_entry(old))
}

/// Returns the stale value in place of a load that would follow too soon upon one that failed.
pub(crate) fn served_between_failures<V>(shared: &Shared<V>, old: &Arc<Held<V>>) -> Option<Entry<V>>
where
    V: Clone + Send + Sync + 'static,
{
    old.is_throttled(shared.now()).then(|| served_on_error(shared, Some(old)))?
}

pub(crate) fn absent<V, L: Load<V>>() -> Option<Outcome<V, L>> {
    L::ABSENT.map(|absent| Ok(Made::Absent(absent)))
}

/// A future whose panics are outcomes.
pub(crate) struct CatchPanic<F>(pub(crate) Pin<Box<F>>);

impl<F: Future> Future for CatchPanic<F> {
    type Output = Result<F::Output, Box<dyn Any + Send>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // After a panic the future is dropped without being polled again.
        match catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    }
}
