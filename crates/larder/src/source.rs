//! The kinds of loaders: with or without errors, with or without absent values.

use crate::{
    context::LoadContext,
    error::{Cloned, Failure, LoadError},
};
use std::{convert::Infallible, future::Future, sync::Arc};

/// What a loader made.
#[derive(Debug)]
pub enum Made<T, A> {
    /// A value.
    Value(T),
    /// There is none under this key.
    Absent(A),
}

/// A loader of some kind. Implemented by the kinds of this crate; named in the types of calls.
pub trait Load<V>: Send + Sized {
    #[doc(hidden)]
    type Failure: Failure;
    /// `()` if the loader may have no value, else [`Infallible`].
    #[doc(hidden)]
    type Absent: Send;
    /// What a call returns, where `T` is the value or an entry.
    #[doc(hidden)]
    type Output<T: Send>: Send;
    #[doc(hidden)]
    const ABSENT: Option<Self::Absent>;

    #[doc(hidden)]
    fn load(
        self,
        context: LoadContext<V>,
    ) -> impl Future<Output = Result<Made<V, Self::Absent>, <Self::Failure as Failure>::Error>> + Send;

    #[doc(hidden)]
    fn output<T: Send>(outcome: Result<Made<T, Self::Absent>, Self::Failure>) -> Self::Output<T>;
}

/// A loader that always has a value: `|| async { value }`.
#[derive(Debug)]
pub struct Always<F>(pub(crate) F);

/// A loader that may have no value: `|| async { Some(value) }`.
#[derive(Debug)]
pub struct Optional<F>(pub(crate) F);

/// A loader that may fail: `|context| async { Ok(value) }`.
#[derive(Debug)]
pub struct Fallible<F>(pub(crate) F);

/// A loader that may fail, and may have no value: `|context| async { Ok(Some(value)) }`.
#[derive(Debug)]
pub struct FallibleOptional<F>(pub(crate) F);

impl<V: Send, F, Fut> Load<V> for Always<F>
where
    F: FnOnce() -> Fut + Send,
    Fut: Future<Output = V> + Send,
{
    type Failure = Infallible;
    type Absent = Infallible;
    type Output<T: Send> = T;
    const ABSENT: Option<Infallible> = None;

    async fn load(self, _: LoadContext<V>) -> Result<Made<V, Infallible>, Infallible> {
        Ok(Made::Value((self.0)().await))
    }

    fn output<T: Send>(outcome: Result<Made<T, Infallible>, Infallible>) -> T {
        match outcome {
            Ok(Made::Value(value)) => value,
            Ok(Made::Absent(never)) | Err(never) => match never {},
        }
    }
}

impl<V: Send, F, Fut> Load<V> for Optional<F>
where
    F: FnOnce() -> Fut + Send,
    Fut: Future<Output = Option<V>> + Send,
{
    type Failure = Infallible;
    type Absent = ();
    type Output<T: Send> = Option<T>;
    const ABSENT: Option<()> = Some(());

    async fn load(self, _: LoadContext<V>) -> Result<Made<V, ()>, Infallible> {
        Ok(made((self.0)().await))
    }

    fn output<T: Send>(outcome: Result<Made<T, ()>, Infallible>) -> Option<T> {
        match outcome {
            Ok(made) => value(made),
            Err(never) => match never {},
        }
    }
}

impl<V: Send, F, Fut, E> Load<V> for Fallible<F>
where
    F: FnOnce(LoadContext<V>) -> Fut + Send,
    Fut: Future<Output = Result<V, E>> + Send,
    E: Send + Sync + 'static,
{
    type Failure = LoadError<E>;
    type Absent = Infallible;
    type Output<T: Send> = Result<T, LoadError<E>>;
    const ABSENT: Option<Infallible> = None;

    async fn load(self, context: LoadContext<V>) -> Result<Made<V, Infallible>, E> {
        (self.0)(context).await.map(Made::Value)
    }

    fn output<T: Send>(
        outcome: Result<Made<T, Infallible>, LoadError<E>>,
    ) -> Result<T, LoadError<E>> {
        match outcome? {
            Made::Value(value) => Ok(value),
            Made::Absent(never) => match never {},
        }
    }
}

impl<V: Send, F, Fut, E> Load<V> for FallibleOptional<F>
where
    F: FnOnce(LoadContext<V>) -> Fut + Send,
    Fut: Future<Output = Result<Option<V>, E>> + Send,
    E: Send + Sync + 'static,
{
    type Failure = LoadError<E>;
    type Absent = ();
    type Output<T: Send> = Result<Option<T>, LoadError<E>>;
    const ABSENT: Option<()> = Some(());

    async fn load(self, context: LoadContext<V>) -> Result<Made<V, ()>, E> {
        (self.0)(context).await.map(made)
    }

    fn output<T: Send>(
        outcome: Result<Made<T, ()>, LoadError<E>>,
    ) -> Result<Option<T>, LoadError<E>> {
        outcome.map(value)
    }
}

/// A loader whose errors are cloned for each caller: `|| async { Ok(value) }`.
#[derive(Debug)]
pub struct FallibleCloned<F>(pub(crate) F);

/// The same, for a loader that may have no value.
#[derive(Debug)]
pub struct FallibleOptionalCloned<F>(pub(crate) F);

impl<V: Send, F, Fut, E> Load<V> for FallibleCloned<F>
where
    F: FnOnce() -> Fut + Send,
    Fut: Future<Output = Result<V, E>> + Send,
    E: Clone + Send + Sync + 'static,
{
    type Failure = Cloned<E>;
    type Absent = Infallible;
    type Output<T: Send> = Result<T, E>;
    const ABSENT: Option<Infallible> = None;

    async fn load(self, _: LoadContext<V>) -> Result<Made<V, Infallible>, E> {
        (self.0)().await.map(Made::Value)
    }

    fn output<T: Send>(outcome: Result<Made<T, Infallible>, Cloned<E>>) -> Result<T, E> {
        match outcome.map_err(|Cloned(error)| error)? {
            Made::Value(value) => Ok(value),
            Made::Absent(never) => match never {},
        }
    }
}

impl<V: Send, F, Fut, E> Load<V> for FallibleOptionalCloned<F>
where
    F: FnOnce() -> Fut + Send,
    Fut: Future<Output = Result<Option<V>, E>> + Send,
    E: Clone + Send + Sync + 'static,
{
    type Failure = Cloned<E>;
    type Absent = ();
    type Output<T: Send> = Result<Option<T>, E>;
    const ABSENT: Option<()> = Some(());

    async fn load(self, _: LoadContext<V>) -> Result<Made<V, ()>, E> {
        (self.0)().await.map(made)
    }

    fn output<T: Send>(outcome: Result<Made<T, ()>, Cloned<E>>) -> Result<Option<T>, E> {
        outcome.map(value).map_err(|Cloned(error)| error)
    }
}

fn made<V>(value: Option<V>) -> Made<V, ()> {
    value.map_or(Made::Absent(()), Made::Value)
}

fn value<V>(made: Made<V, ()>) -> Option<V> {
    match made {
        Made::Value(value) => Some(value),
        Made::Absent(()) => None,
    }
}

/// Returns the failure for an error of the loader.
pub(crate) fn failure<F: Failure>(error: &Arc<F::Error>) -> F {
    F::from_error(Arc::clone(error))
}
