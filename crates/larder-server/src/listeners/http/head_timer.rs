//! Deadlines for hyper, which wants one for each head: set when it begins to wait for a request,
//! dropped when the request is there.
//!
//! A tokio timer is entered in a list that all connections share, and crossed out again. Here a
//! connection enters one and lets it be: a later deadline needs nothing more, as whoever the early
//! one wakes asks again.

use hyper::rt::{Sleep, Timer};
use std::{
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::{task::coop::unconstrained, time::sleep_until};

type SharedSleep = Pin<Box<tokio::time::Sleep>>;

/// The timer of one connection, and of the one task that serves it.
#[derive(Default)]
pub(super) struct HeadTimer(Arc<Mutex<Option<SharedSleep>>>);

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Deadline { deadline: deadline.into(), sleep: Arc::clone(&self.0) })
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

/// Ready from a deadline on.
struct Deadline {
    deadline: tokio::time::Instant,
    sleep: Arc<Mutex<Option<SharedSleep>>>,
}

impl Sleep for Deadline {}

impl Future for Deadline {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut sleep = self.sleep.lock().unwrap_or_else(PoisonError::into_inner);
        match &*sleep {
            Some(set) if set.deadline() <= self.deadline && !set.is_elapsed() => Poll::Pending,
            _ => {
                let sleep = sleep.insert(Box::pin(sleep_until(self.deadline)));
                // This poll enters it in the list, and there may be no other. A task that has used
                // up its turn would be put off.
                pin!(unconstrained(sleep.as_mut())).poll(context)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::{
        task::consume_budget,
        time::{Instant as Now, timeout_at},
    };

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_moves_is_kept() {
        let (timer, start) = (HeadTimer::default(), Now::now());
        for second in 1..=25 {
            let deadline = start + 10 * SECOND + second * SECOND;
            let head = timer.sleep_until(deadline.into());
            let asked = timeout_at(start + second * SECOND, head).await;
            assert!(asked.is_err(), "the head of request {second} came in time");
        }
        timer.sleep_until((start + 40 * SECOND).into()).await;
        assert_eq!(Now::now(), start + 40 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_nearer_deadline_is_kept_too() {
        let (timer, start) = (HeadTimer::default(), Now::now());
        let mut far = pin!(timer.sleep(10 * SECOND));
        assert!(timeout_at(start, &mut far).await.is_err());
        timer.sleep(SECOND).await;
        assert_eq!(Now::now(), start + SECOND);
        far.await;
        assert_eq!(Now::now(), start + 10 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_holds_for_a_task_that_has_used_up_its_turn() {
        let (timer, start) = (HeadTimer::default(), Now::now());
        let mut first = timer.sleep(SECOND);
        poll_fn(|context| {
            while pin!(consume_budget()).poll(context).is_ready() {}
            assert!(first.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
        assert!(timeout_at(start + 2 * SECOND, first).await.is_ok());
        assert_eq!(Now::now(), start + SECOND);
    }
}
