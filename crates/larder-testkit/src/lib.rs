//! Real servers and fault injection for Larder's integration tests.
//!
//! [`RedisServer`] and [`Larder`] run as child processes, [`Relay`] sits between them and injects
//! faults, [`http`] sends requests as a browser or a broken client would, and [`eventually`] waits
//! for a condition instead of sleeping. [`Harness`] starts a Redis and a Larder together.
//!
//! Everything is blocking: threads and plain sockets, no async runtime, so that the tools share
//! neither code nor scheduling with the program under test. Unrecoverable errors panic with the log
//! of the server concerned. No process outlives its test: see `process`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "test tools: a panic is how they report, and they run on the real clock and environment"
)]

mod certificates;
mod exception;
mod harness;
pub mod http;
mod larder;
mod monitor;
mod port;
mod process;
mod redis_server;
mod relay;
mod test_server;
mod wait;

pub use certificates::{CertificateAuthority, CertificateFiles};
pub use exception::Exception;
pub use harness::{Harness, HarnessBuilder, LIMIT};
pub use larder::{CommandOutput, Larder, LarderBuilder};
pub use monitor::Monitor;
pub use port::free_port;
pub use process::Process;
pub use redis_server::{
    RedisBuilder, RedisServer, require_redis, require_redis_tls, require_server,
};
pub use relay::{ConnectionFilter, Direction, Relay};
pub use rustix::process::Signal;
pub use test_server::TestServer;
pub use wait::eventually;
