//! A call that may load: its options, and its future.

use crate::{
    entry::Entry,
    key::Name,
    load::{Options, load, load_ahead, spawn_lead},
    shared::{Look, Shared},
    source::{Load, Made},
};
use larder_expiry::Expiry;
use std::{
    future::{Future, IntoFuture},
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// A call that returns a cached value or loads it, as soon as it is awaited. Its methods set options
/// for this call alone.
///
/// `L` is the kind of loader and `R` what is returned: the value, or an [`Entry`].
#[must_use = "a call does nothing unless it is awaited"]
pub struct Call<'a, V: Send + Sync + 'static, L, R = V> {
    shared: &'a Arc<Shared<V>>,
    name: Name,
    loader: L,
    options: Options<V, L>,
    result: PhantomData<fn() -> R>,
}

impl<'a, V: Clone + Send + Sync + 'static, L: Load<V>, R> Call<'a, V, L, R> {
    pub(crate) fn new(shared: &'a Arc<Shared<V>>, name: Name, loader: L) -> Self {
        let options = Options { ttl: None, refresh: false, spawn: None };
        Self { shared, name, loader, options, result: PhantomData }
    }

    /// Sets when the value expires if this call loads it: a [`Duration`](std::time::Duration), or an
    /// [`Expiry`]. No jitter is applied to it.
    pub fn ttl(mut self, expiry: impl Into<Expiry>) -> Self {
        self.options.ttl = Some(expiry.into());
        self
    }

    /// Loads the value even if a fresh one is cached, and replaces that. Calls that arrive meanwhile
    /// get the cached one.
    pub fn refresh(mut self) -> Self {
        self.options.refresh = true;
        self
    }

    /// Returns the value as an [`Entry`], with its source, age and remaining time to live.
    pub fn entry(self) -> Call<'a, V, L, Entry<V>> {
        let Self { shared, name, loader, options, .. } = self;
        Call { shared, name, loader, options, result: PhantomData }
    }

    /// Runs the load, if there is one, in a tokio task of its own: it goes on when the caller is
    /// dropped, `stale_while_revalidate` and `soft_timeout` apply to the caller that starts it, and
    /// `refresh_ahead` is in effect. The loader must own what it uses.
    ///
    /// The call panics if it loads outside a tokio runtime.
    pub fn in_background(mut self) -> Self
    where
        L: 'static,
    {
        self.options.spawn = Some(spawn_lead);
        self
    }
}

/// What a call returns for an entry.
pub trait Returned<V>: Send + Sized {
    #[doc(hidden)]
    fn from_entry(entry: Entry<V>) -> Self;
}

impl<V: Send> Returned<V> for V {
    fn from_entry(entry: Entry<V>) -> Self {
        entry.into_value()
    }
}

impl<V: Send> Returned<V> for Entry<V> {
    fn from_entry(entry: Self) -> Self {
        entry
    }
}

/// The future of a [`Call`]. A hit is found before it is polled, and takes no allocation.
pub struct CallFuture<'a, T>(State<'a, T>);

enum State<'a, T> {
    Hit(Option<T>),
    Loading(Pin<Box<dyn Future<Output = T> + Send + 'a>>),
}

impl<T> Unpin for CallFuture<'_, T> {}

impl<T> Future for CallFuture<'_, T> {
    type Output = T;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match &mut self.0 {
            // A future that was ready is not polled again.
            State::Hit(hit) => hit.take().map_or(Poll::Pending, Poll::Ready),
            State::Loading(load) => load.as_mut().poll(context),
        }
    }
}

impl<'a, V, L, R> IntoFuture for Call<'a, V, L, R>
where
    V: Clone + Send + Sync + 'static,
    L: Load<V> + 'a,
    R: Returned<V> + 'a,
    L::Output<R>: 'a,
{
    type Output = L::Output<R>;
    type IntoFuture = CallFuture<'a, L::Output<R>>;

    #[inline]
    fn into_future(self) -> Self::IntoFuture {
        if self.options.refresh {
            return self.loading();
        }
        match self.shared.look(&self.name) {
            Look::Fresh(hit) => {
                if self.shared.policy.is_refresh_due(hit.made, hit.fresh_until, hit.now) {
                    load_ahead(self.shared, &self.name, self.loader, self.options);
                }
                hit_with::<V, L, R>(Ok(Made::Value(R::from_entry(hit.into_entry()))))
            }
            Look::Absent if let Some(absent) = L::ABSENT => {
                hit_with::<V, L, R>(Ok(Made::Absent(absent)))
            }
            _ => self.loading(),
        }
    }
}

fn hit_with<'a, V, L: Load<V>, R: Send>(
    outcome: Result<Made<R, L::Absent>, L::Failure>,
) -> CallFuture<'a, L::Output<R>> {
    CallFuture(State::Hit(Some(L::output(outcome))))
}

impl<'a, V, L, R> Call<'a, V, L, R>
where
    V: Clone + Send + Sync + 'static,
    L: Load<V> + 'a,
    R: Returned<V> + 'a,
{
    #[cold]
    fn loading(self) -> CallFuture<'a, L::Output<R>>
    where
        L::Output<R>: 'a,
    {
        let Self { shared, name, loader, options, .. } = self;
        let shared = Arc::clone(shared);
        CallFuture(State::Loading(Box::pin(async move {
            L::output(match load(shared, name, loader, options).await {
                Ok(Made::Value(entry)) => Ok(Made::Value(R::from_entry(entry))),
                Ok(Made::Absent(absent)) => Ok(Made::Absent(absent)),
                Err(failure) => Err(failure),
            })
        })))
    }
}
