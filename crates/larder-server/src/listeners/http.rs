//! The HTTP listener: the keys of the store and the rows of the declared origins.
//!
//! [`accept`] serves the connections that [`admission`] admits, and gives each request to the [`fast_path`], which answers hits in
//! place. Everything else goes through the [`router`]. Both read paths with [`route`], the one
//! place that knows them. Every error is a problem+json ([`problem`]), and every value carries a
//! `Cache-Status` ([`cache_status`]).

mod accept;
mod admin;
mod admission;
mod auth;
mod cache_control;
mod cache_status;
mod coalescing_io;
mod conditional;
mod docs;
mod fast_path;
mod get_set;
mod head_timer;
mod key_value;
mod keys;
mod limit;
mod negotiate;
mod origin;
mod parse_error;
mod passthrough;
mod path;
mod problem;
mod read_body;
mod request_body;
mod response;
mod route;
mod router;
mod ttl;
mod value;

pub(crate) use accept::serve;
