//! Memory that clients can make Larder hold: little more than their pending replies, and none once
//! they are idle.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use larder_testkit::{Harness, LIMIT, eventually};

use crate::resp_client::{RespClient, written};
use crate::setup::{RespHarness, start};

const MIB: u64 = 1 << 20;

/// Returns the resident memory of the server in bytes.
fn resident(harness: &Harness) -> u64 {
    let pages = fs::read_to_string(format!("/proc/{}/statm", harness.larder.pid())).unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[test]
fn unread_large_hits_are_not_copied_out_of_the_near_cache() {
    const CLIENTS: u64 = 40;
    let Some(harness) = start(&["--near-max-value", "2mb"]) else { return };
    let value = "x".repeat(1_000_000);
    let mut wire = harness.wire();
    assert_eq!(wire.call(&[b"SET", b"large", value.as_bytes()]), b"+OK\r\n");
    let expected = format!("$1000000 {value}");
    harness.warm_up(&mut wire, "GET large", &expected);
    let before = resident(&harness);
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| harness.wire()).collect();
    for client in &mut clients {
        client.send(&written("GET large").repeat(16));
    }
    eventually(LIMIT, "all reads to be served", || harness.larder.resp_hits() >= 2 * CLIENTS);
    // Other clients are served meanwhile, with their own replies.
    for _ in 0..100 {
        wire.expect("GET large", &expected);
    }
    let grown = resident(&harness).saturating_sub(before);
    assert!(grown < CLIENTS * 5 * MIB, "{} KiB for each", grown / CLIENTS / 1024);
    for client in &mut clients {
        (0..16).for_each(|_| client.expect_next(&expected));
    }
}

#[test]
fn the_buffer_of_a_long_command_name_is_released() {
    const CLIENTS: usize = 64;
    let Some(harness) = start(&[]) else { return };
    let name = vec![b'n'; 4 << 20];
    let mut clients: Vec<RespClient> = (0..CLIENTS).map(|_| harness.wire()).collect();
    let before = resident(&harness);
    for client in &mut clients {
        assert_eq!(client.call(&[b"GET", &name]), b"$-1\r\n");
        client.expect("GET k", "$-1");
    }
    let grown = resident(&harness).saturating_sub(before);
    assert!(grown < 100 * MIB, "{} MiB", grown / MIB);
}

/// Waits until Redis has got no GET for a while: all reads are answered, if nothing stops them.
fn wait_until_idle(harness: &Harness) {
    let mut before = 0;
    eventually(LIMIT, "no more reads", || {
        let calls = harness.redis.command_calls("get");
        sleep(Duration::from_millis(300));
        std::mem::replace(&mut before, calls) == calls && calls > 0
    });
}

#[test]
fn cold_replies_that_a_client_has_not_read_are_bounded() {
    const READS: usize = 150;
    let Some(harness) = start(&["--maxmemory", "16mb"]) else { return };
    let value = vec![b'x'; 2 << 20];
    let mut direct = harness.direct();
    for at in 0..READS {
        assert_eq!(direct.call(&[b"SET", format!("large:{at}").as_bytes(), &value]), b"+OK\r\n");
    }
    let one_key = written("GET large:0").repeat(READS);
    let each_key: Vec<u8> = (0..READS).flat_map(|at| written(&format!("GET large:{at}"))).collect();
    let before = resident(&harness);
    // The second time it is known that the first of the values is too large to be cached: the reads
    // of the others stand behind a command that goes upstream.
    for (reads, commands) in [("one key", one_key), ("many keys", each_key)] {
        let mut client = harness.wire();
        client.send(&commands);
        wait_until_idle(&harness);
        let most = (0..READS).map(|_| {
            assert_eq!(client.reply().len(), value.len() + "$2097152\r\n\r\n".len());
            resident(&harness).saturating_sub(before)
        });
        let most = most.max().unwrap_or_default();
        assert!(most < 128 * MIB, "{reads}: {} MiB", most / MIB);
    }
}

/// The worker would serve no other client while it copies.
#[test]
fn a_long_reply_to_mget_is_not_copied_from_memory() {
    let Some(harness) = start(&[]) else { return };
    let value = "x".repeat(900_000);
    let mut wire = harness.wire();
    assert_eq!(wire.call(&[b"SET", b"k", value.as_bytes()]), b"+OK\r\n");
    harness.warm_up(&mut wire, "GET k", &format!("$900000 {value}"));
    for (keys, calls) in [(4, 0), (40, 1)] {
        let reply = wire.call(&[&[&b"MGET"[..]][..], &vec![&b"k"[..]; keys]].concat());
        assert!(reply.len() > keys * value.len());
        assert_eq!(harness.redis.command_calls("mget"), calls, "{keys} keys");
    }
}
