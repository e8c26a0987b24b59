//! One client of a Redis: hits are served from memory, everything else over the client's own
//! upstream connection. The [connection] is where to start.

mod before_auth;
mod classify;
pub(super) mod client;
pub(super) mod connection;
pub(super) mod context;
mod dispatch;
mod fetch_batch;
mod forward;
mod hello;
mod hits;
pub(super) mod info;
mod local;
pub(super) mod local_reply;
mod parked;
mod read_ahead;
pub(super) mod read_context;
mod replies;
pub(super) mod requests;
mod run;
mod served;
mod session;
mod uncached_read;
mod withheld;
