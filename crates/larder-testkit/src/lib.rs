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

/// Below those from which systems choose one for a connection that goes out: none takes it in
/// between.
const PORTS: Range<u64> = 10_000..32_000;

/// A TCP port of 127.0.0.1 that was free a moment ago, any of some twenty thousand. Nothing reserves
/// it: whoever binds it must be ready to find it taken.
pub fn free_port() -> u16 {
    let random = || RandomState::new().build_hasher().finish();
    let any = || u16::try_from(PORTS.start + random() % (PORTS.end - PORTS.start)).ok();
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    repeat_with(any).flatten().take(1000).find(is_free).expect("a free port on 127.0.0.1")
}
