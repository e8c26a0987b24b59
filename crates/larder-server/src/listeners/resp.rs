//! The RESP listener: any Redis client points here instead of at Redis.
//!
//! Hot reads are answered from memory ([`hits`]); everything else travels over an upstream
//! connection that each client has to itself ([`connection`]). No code here matches command names:
//! the command table does ([`classify`]).

mod accept;
mod bypass;
mod classify;
mod client;
mod connection;
mod context;
mod desk;
mod embedded;
mod hello;
mod hits;
mod info;
mod near;
mod rounds;
mod session;
mod socket;
mod workers;

pub(crate) use accept::{Listeners, serve};
pub(crate) use workers::Workers;
