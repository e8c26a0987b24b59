//! One client of a Redis: hits from memory, everything else over its own upstream connection.

pub(crate) mod classify;
pub(crate) mod client;
pub(crate) mod connection;
pub(crate) mod context;
pub(crate) mod fetch_batch;
mod hello;
pub(crate) mod hits;
pub(crate) mod info;
mod local;
mod parked;
mod replies;
mod session;
pub(crate) mod uncached_read;
