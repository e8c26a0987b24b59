//! The RESP listener: any Redis client points here instead of at Redis.
//!
//! [`accept`] hands each client to one of the [`workers`], whose event loop ([`reactor`]) serves hits
//! in place. Everything else about a client is in [`proxy`], or in [`embedded`] where there is no
//! Redis. No code here matches command names: the command table does.

mod accept;
mod embedded;
mod proxy;
mod reactor;
mod workers;

pub(crate) use accept::{Listeners, serve};
pub(crate) use workers::Workers;
