//! The RESP listener: any Redis client points here instead of at Redis.
//!
//! Hot reads are answered from memory ([`proxy::hits`]); everything else travels over an upstream
//! connection that each client has to itself ([`proxy::connection`]). No code here matches command names:
//! the command table does ([`proxy::classify`]).

mod accept;
mod embedded;
mod proxy;
mod reactor;
mod workers;

pub(crate) use accept::{Listeners, serve};
pub(crate) use workers::Workers;
