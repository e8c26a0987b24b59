//! A flight: one shared fetch that several waiters join.

use crate::sync::Mutex;
use smallvec::SmallVec;
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

/// A fetch on its way, and then its outcome.
pub(crate) struct Flight<T>(Mutex<State<T>>);

enum State<T> {
    /// Most have one who waits.
    Flying(SmallVec<[Option<Waker>; 1]>),
    Landed(T),
}

impl<T> Flight<T> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State::Flying(SmallVec::new())))
    }

    /// Gives every waiter the outcome. The first outcome stands; false for a later one.
    pub(crate) fn complete(&self, outcome: T) -> bool {
        let mut state = self.0.lock();
        if matches!(*state, State::Landed(_)) {
            return false;
        }
        let before = std::mem::replace(&mut *state, State::Landed(outcome));
        drop(state);
        if let State::Flying(waiters) = before {
            waiters.into_iter().flatten().for_each(Waker::wake);
        }
        true
    }
}

/// A place on a flight: resolves to a copy of its outcome.
pub(crate) struct FlightWaiter<T> {
    flight: Arc<Flight<T>>,
    number: Option<usize>,
}

impl<T> FlightWaiter<T> {
    pub(crate) fn on(flight: &Arc<Flight<T>>) -> Self {
        Self { flight: Arc::clone(flight), number: None }
    }
}

impl<T: Clone> Future for FlightWaiter<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let Self { flight, number } = &mut *self;
        let mut state = flight.0.lock();
        match &mut *state {
            State::Landed(outcome) => Poll::Ready(outcome.clone()),
            State::Flying(waiters) => {
                let waker = Some(context.waker().clone());
                if let Some(place) = number.and_then(|number| waiters.get_mut(number)) {
                    *place = waker;
                } else {
                    *number = Some(waiters.len());
                    waiters.push(waker);
                }
                Poll::Pending
            }
        }
    }
}

impl<T> Drop for FlightWaiter<T> {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        if let State::Flying(waiters) = &mut *self.flight.0.lock()
            && let Some(place) = waiters.get_mut(number)
        {
            *place = None;
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
        assert_eq!(FlightWaiter::on(&flight).await, 7, "who comes after the landing too");
    }

    #[tokio::test]
    async fn a_waiter_that_leaves_is_not_woken() {
        let flight = Arc::new(Flight::new());
        let mut gone = Box::pin(FlightWaiter::on(&flight));
        tokio::select! { biased; _ = &mut gone => unreachable!(), () = async {} => {} }
        assert_eq!(Arc::strong_count(&flight), 2);
        drop(gone);
        assert_eq!(Arc::strong_count(&flight), 1);
        assert!(flight.complete(1));
    }
}
