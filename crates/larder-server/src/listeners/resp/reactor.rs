//! The event loop of one worker.

pub(crate) mod event_loop;
pub(crate) mod scheduler;
pub(crate) mod socket;
