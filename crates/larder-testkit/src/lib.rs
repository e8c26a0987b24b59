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
mod harness;
pub mod http;
mod larder;
mod monitor;
mod process;
mod redis_server;
mod relay;
mod wait;

pub use certificates::{CertificateAuthority, CertificateFiles};
pub use harness::{Harness, HarnessBuilder, LIMIT};
pub use larder::{CommandOutput, Larder, LarderBuilder};
pub use monitor::Monitor;
pub use process::Process;
pub use redis_server::{RedisBuilder, RedisServer, require_redis, require_redis_tls};
pub use relay::{ConnectionFilter, Direction, Relay};
pub use rustix::process::Signal;
pub use wait::eventually;

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    iter::repeat_with,
    net::{Ipv4Addr, TcpListener},
    ops::Range,
};

/// Below the range from which systems choose ephemeral ports, so that no outgoing connection takes
/// a port in the meantime.
const PORTS: Range<u64> = 10_000..32_000;

/// Returns a TCP port of 127.0.0.1 that was free a moment ago, one of about 22,000. Nothing
/// reserves it: the caller must handle it being taken.
pub fn free_port() -> u16 {
    let random = || RandomState::new().build_hasher().finish();
    let any = || u16::try_from(PORTS.start + random() % (PORTS.end - PORTS.start)).ok();
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    repeat_with(any).flatten().take(1000).find(is_free).expect("a free port on 127.0.0.1")
}
