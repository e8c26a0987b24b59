//! Free TCP ports.

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
