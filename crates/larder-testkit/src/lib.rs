//! Real servers and forced faults for Larder's integration tests.
//!
//! [`RedisServer`] and [`Larder`] are child processes, [`Relay`] stands between them and breaks
//! what is asked, [`http`] speaks to Larder as a browser or a broken client would, and
//! [`eventually`] waits for a fact instead of sleeping.
//!
//! Everything is blocking: threads and plain sockets, no runtime, so that the tools share neither
//! code nor scheduling with what they test. What cannot go on panics, with the log of the server
//! concerned in the message. No process outlives its test: see `process`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "test tools: a panic is how they report, and they run on the real clock and environment"
)]

mod authority;
pub mod http;
mod larder;
mod monitor;
mod process;
mod redis_server;
mod relay;
mod wait;

pub use authority::{Authority, Signed};
pub use larder::{Finished, Larder, LarderBuilder};
pub use monitor::Monitor;
pub use process::Process;
pub use redis_server::{RedisBuilder, RedisServer, require_redis, require_redis_tls};
pub use relay::{Direction, Relay, Which};
pub use rustix::process::Signal;
pub use wait::eventually;

/// A TCP port of 127.0.0.1 that was free a moment ago. Nothing reserves it: whoever binds it must
/// be ready to find it taken.
pub fn free_port() -> u16 {
    let probe = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port on 127.0.0.1");
    probe.local_addr().expect("a bound socket has an address").port()
}
