//! Hits cause no load on Redis.

use crate::resp_client::{RespClient, written};
use crate::setup::{RespHarness, start};

const KEYS: usize = 10_000;
/// A million in optimized builds.
const GETS: usize = if cfg!(debug_assertions) { 200_000 } else { 1_000_000 };
const GETS_PER_WRITE: usize = 200;
/// A GET and a PTTL for each key, and the heartbeats.
const COMMANDS_MAX: u64 = 21_000;

#[test]
fn many_reads_of_few_keys_cost_two_commands_per_key() {
    let Some(harness) = start(&[]) else { return };
    let mut wire = harness.direct();
    let sets: Vec<u8> =
        (0..KEYS).flat_map(|n| written(&format!("SET key:{n} value:{n}"))).collect();
    wire.send(&sets);
    (0..KEYS).for_each(|_| wire.expect_next("+OK"));
    wire.expect("CONFIG RESETSTAT", "+OK");

    let mut reader = harness.wire();
    // Two orders, so that a batch in the second one mixes hits and misses.
    for first in (0..GETS).step_by(GETS_PER_WRITE) {
        let step = if first < KEYS / 2 { 1 } else { 7 };
        let keys: Vec<_> = (first..first + GETS_PER_WRITE).map(|n| n * step % KEYS).collect();
        let sent: Vec<u8> = keys.iter().flat_map(|n| written(&format!("GET key:{n}"))).collect();
        reader.send(&sent);
        for n in keys {
            let value = format!("value:{n}");
            assert_eq!(reader.reply(), format!("${}\r\n{value}\r\n", value.len()).as_bytes());
        }
    }
    let commands = commands(&mut wire);
    assert!(commands < COMMANDS_MAX, "{GETS} reads cost {commands} commands");
}

/// Returns how many commands the server has executed since its statistics were reset.
fn commands(wire: &mut RespClient) -> u64 {
    let text = String::from_utf8(wire.line("INFO commandstats")).unwrap();
    let calls = text.lines().filter_map(|line| line.split_once(":calls=")?.1.split(',').next());
    calls.map(|count| count.parse::<u64>().unwrap()).sum()
}
