//! Locks and atomics in one place. The schedule explorer (feature `explorer`) replaces them by its own,
//! so that it can run the shipped code under every order of events.

#[cfg(not(feature = "explorer"))]
pub(crate) use parking_lot::{Mutex, MutexGuard, RwLock, RwLockReadGuard};
#[cfg(not(feature = "explorer"))]
pub(crate) use std::sync::atomic;

#[cfg(feature = "explorer")]
pub(crate) use explored::{Mutex, MutexGuard, RwLock, RwLockReadGuard};
#[cfg(feature = "explorer")]
pub(crate) use shuttle::sync::atomic;

/// The explorer's locks with `parking_lot`'s signatures. Poisoning is ignored: it follows from a panic,
/// which fails the test anyway.
#[cfg(feature = "explorer")]
mod explored {
    use shuttle::sync;
    use std::sync::PoisonError;

    pub(crate) use sync::{MutexGuard, RwLockReadGuard};

    pub(crate) struct Mutex<T>(sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    pub(crate) struct RwLock<T>(sync::RwLock<T>);

    impl<T> RwLock<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(sync::RwLock::new(value))
        }

        pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
            self.0.read().unwrap_or_else(PoisonError::into_inner)
        }

        pub(crate) fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
            self.0.try_read().ok()
        }

        pub(crate) fn write(&self) -> sync::RwLockWriteGuard<'_, T> {
            self.0.write().unwrap_or_else(PoisonError::into_inner)
        }
    }
}
