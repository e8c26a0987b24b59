//! Why there is no value.

use std::{any::Any, convert::Infallible, fmt, sync::Arc, time::Duration};
use thiserror::Error;

/// Why a load brought no value. Cheap to clone: all callers that waited for the load get it.
#[derive(Debug, Error)]
pub enum LoadError<E> {
    /// The loader returned this error. It is shared by all callers that waited.
    #[error("{0}")]
    Failed(Arc<E>),
    /// The loader took longer than `hard_timeout`, and was dropped.
    #[error("the load took longer than {0:?}")]
    TimedOut(Duration),
    /// The loader panicked, in the task of another caller, with this message.
    #[error("the load panicked: {0}")]
    Panicked(Arc<str>),
    /// Loads failed several times in a row, so none is tried for a while.
    #[error("loads are suspended after repeated failures")]
    CircuitOpen,
    /// The callers that led the load were dropped, several times in a row.
    #[error("the load was abandoned")]
    Abandoned,
}

impl<E> LoadError<E> {
    /// Returns the loader's error, if that is the reason.
    pub fn loader_error(&self) -> Option<&E> {
        match self {
            Self::Failed(error) => Some(error),
            Self::TimedOut(_) | Self::Panicked(_) | Self::CircuitOpen | Self::Abandoned => None,
        }
    }
}

impl<E> Clone for LoadError<E> {
    fn clone(&self) -> Self {
        match self {
            Self::Failed(error) => Self::Failed(Arc::clone(error)),
            Self::TimedOut(limit) => Self::TimedOut(*limit),
            Self::Panicked(message) => Self::Panicked(Arc::clone(message)),
            Self::CircuitOpen => Self::CircuitOpen,
            Self::Abandoned => Self::Abandoned,
        }
    }
}

/// A failed load, as it is handed to the callers that joined it, whatever the type of their errors.
#[derive(Clone, Debug)]
pub(crate) enum Failed {
    Error(Arc<dyn Any + Send + Sync>),
    TimedOut(Duration),
    Panicked(Arc<str>),
    CircuitOpen,
}

/// Makes a failure of an error.
pub(crate) type GiveUp<F> = fn(LoadError<<F as Failure>::Error>) -> F;

/// How a kind of loader reports failures.
///
/// Not for use outside this crate.
pub trait Failure: Send + Sync + Sized + 'static {
    #[doc(hidden)]
    type Error: Send + Sync + 'static;
    /// Makes a failure of a load that ended without an outcome of its loader. `None` if loads of this
    /// kind always run to their end.
    #[doc(hidden)]
    const GIVE_UP: Option<GiveUp<Self>>;

    #[doc(hidden)]
    fn from_error(error: Arc<Self::Error>) -> Self;
}

impl<E: Send + Sync + 'static> Failure for LoadError<E> {
    type Error = E;
    const GIVE_UP: Option<fn(Self) -> Self> = Some(|error| error);

    fn from_error(error: Arc<E>) -> Self {
        Self::Failed(error)
    }
}

impl Failure for Infallible {
    type Error = Self;
    const GIVE_UP: Option<fn(LoadError<Self>) -> Self> = None;

    fn from_error(error: Arc<Self>) -> Self {
        *error
    }
}

/// The failure of a load with errors that are cloned for each caller.
#[derive(Debug)]
pub struct Cloned<E>(pub(crate) E);

impl<E: Clone + Send + Sync + 'static> Failure for Cloned<E> {
    type Error = E;
    const GIVE_UP: Option<fn(LoadError<E>) -> Self> = None;

    fn from_error(error: Arc<E>) -> Self {
        Self(Arc::unwrap_or_clone(error))
    }
}

impl Failed {
    /// Returns the failure for a caller with errors of type `F::Error`; `None` if its loader may do
    /// better, because the one that failed was of another kind.
    pub(crate) fn to_failure<F: Failure>(&self) -> Option<F> {
        let error = match self {
            Self::Error(error) => {
                return Arc::clone(error).downcast().ok().map(F::from_error);
            }
            Self::TimedOut(limit) => LoadError::TimedOut(*limit),
            Self::Panicked(message) => LoadError::Panicked(Arc::clone(message)),
            Self::CircuitOpen => LoadError::CircuitOpen,
        };
        F::GIVE_UP.map(|failure| failure(error))
    }
}

/// Returns the message of a panic.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> Arc<str> {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic").into()
}

/// The settings of a cache that are wrong, all of them.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct BuildError {
    pub(crate) cache: Box<str>,
    pub(crate) mistakes: Vec<String>,
}

impl BuildError {
    /// Returns each mistake, in the order of the settings.
    pub fn mistakes(&self) -> &[String] {
        &self.mistakes
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the cache `{}` cannot be built", self.cache)?;
        self.mistakes.iter().try_for_each(|mistake| write!(f, "\n- {mistake}"))
    }
}

/// Why a store could not be read or written. A cache without a store has no such errors.
pub type StoreError = larder_core::StoreError;
