//! A flight: one shared fetch that several waiters join.

use crate::sync::Mutex;
use smallvec::SmallVec;
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

/// A pending fetch, and later its outcome.
pub(crate) struct Flight<T>(Mutex<State<T>>);

enum State<T> {
    /// Not complete. Most flights have one waiter.
    Pending(SmallVec<[Option<Waker>; 1]>),
    Complete(T),
}

impl<T> Flight<T> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State::Pending(SmallVec::new())))
    }

    /// Hands the outcome to every waiter. Only the first outcome counts; returns false for a later
    /// one.
    pub(crate) fn complete(&self, outcome: T) -> bool {
        let mut state = self.0.lock();
        if matches!(*state, State::Complete(_)) {
            return false;
        }
        let before = std::mem::replace(&mut *state, State::Complete(outcome));
        drop(state);
        if let State::Pending(waiters) = before {
            waiters.into_iter().flatten().for_each(Waker::wake);
        }
        true
    }
}

/// A future that resolves to a copy of a flight's outcome.
pub(crate) struct FlightWaiter<T> {
    flight: Arc<Flight<T>>,
    /// The waker's index, once the waiter has been polled.
    index: Option<usize>,
}

impl<T> FlightWaiter<T> {
    pub(crate) fn on(flight: &Arc<Flight<T>>) -> Self {
        Self { flight: Arc::clone(flight), index: None }
    }

    /// Whether the outcome is there.
    pub(crate) fn is_complete(&self) -> bool {
        matches!(*self.flight.0.lock(), State::Complete(_))
    }
}

impl<T: Clone> Future for FlightWaiter<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let Self { flight, index } = &mut *self;
        let mut state = flight.0.lock();
        match &mut *state {
            State::Complete(outcome) => Poll::Ready(outcome.clone()),
            State::Pending(waiters) => {
                let waker = Some(context.waker().clone());
                if let Some(registered) = index.and_then(|index| waiters.get_mut(index)) {
                    *registered = waker;
                } else {
                    *index = Some(waiters.len());
                    waiters.push(waker);
                }
                Poll::Pending
            }
        }
    }
}

impl<T> Drop for FlightWaiter<T> {
    fn drop(&mut self) {
        let Some(index) = self.index else { return };
        if let State::Pending(waiters) = &mut *self.flight.0.lock()
            && let Some(waker) = waiters.get_mut(index)
        {
            *waker = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_waiter_gets_the_first_outcome() {
        let flight = Arc::new(Flight::new());
        let waiters: Vec<_> = (0..200).map(|_| tokio::spawn(FlightWaiter::on(&flight))).collect();
        tokio::task::yield_now().await;
        assert!(flight.complete(7));
        assert!(!flight.complete(8));
        for waiter in waiters {
            assert_eq!(waiter.await.unwrap(), 7);
        }
        assert_eq!(FlightWaiter::on(&flight).await, 7, "a waiter that comes after completion too");
    }

    #[tokio::test]
    async fn a_dropped_waiter_is_not_woken() {
        let flight = Arc::new(Flight::new());
        let mut waiter = Box::pin(FlightWaiter::on(&flight));
        tokio::select! { biased; _ = &mut waiter => unreachable!(), () = async {} => {} }
        assert_eq!(Arc::strong_count(&flight), 2);
        drop(waiter);
        assert_eq!(Arc::strong_count(&flight), 1);
        assert!(flight.complete(1));
    }
}
