//! Many reads in one write, as pipelining clients send them: hits, misses and `MGET`, mixed with
//! other and incomplete commands, under both eviction policies and in both protocols.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    thread,
    time::Duration,
};

use larder_testkit::LIMIT;

use crate::resp_client::{RespClient, readable, written};
use crate::setup::{RespHarness, start};

const KEYS: u64 = 40;

/// Pseudo-random numbers, the same in each run.
struct Rng(u64);

impl Rng {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn fill(direct: &mut RespClient) {
    for n in 0..KEYS {
        let value = "x".repeat(usize::try_from(n * n * 3).unwrap());
        assert_eq!(
            direct.call(&[b"SET", format!("s{n}").as_bytes(), value.as_bytes()]),
            b"+OK\r\n"
        );
        direct.expect(&format!("HSET h{n} f {n} g {n}{n}"), ":2");
    }
}

/// Encodes a random command of the first `kinds` kinds. Returns it with whether it has a reply.
fn command(rng: &mut Rng, kinds: u64) -> (Vec<u8>, bool) {
    let n = rng.below(KEYS);
    let line = match rng.below(kinds) {
        0..8 => format!("GET s{n}"),
        8..10 => format!("HGET h{n} f"),
        10 => format!("HGETALL h{n}"),
        11 => format!("STRLEN s{n}"),
        12 => (0..=n).fold("MGET".into(), |line: String, n| line + &format!(" s{n}")),
        13 => return (format!("get s{n}\r\n").into_bytes(), true),
        14 => return (b"\r\n*0\r\n".to_vec(), false),
        15 => format!("GET missing{n}"),
        16 => format!("MGET s{n} missing h{n}"),
        17 => format!("GET h{n}"),
        18 => "PING".into(),
        _ => format!("SETRANGE s{n} 0 ''"),
    };
    (written(&line), true)
}

/// How many kinds are used: only reads that hit once they are cached, or all.
const KINDS: [u64; 2] = [15, 20];

#[test]
fn pipelined_reads_get_the_same_replies_as_from_redis() {
    for policy in ["clock-pro", "lru"] {
        let Some(harness) = start(&["--near-policy", policy]) else { return };
        fill(&mut harness.direct());
        let mut rng = Rng(0x5eed);
        for version in ["2", "3"] {
            let (mut through, mut direct) =
                (harness.wire().speaking(version), harness.direct().speaking(version));
            for round in 0..150 {
                let kinds = KINDS[round % 2];
                let commands: Vec<_> =
                    (0..=rng.below(60)).map(|_| command(&mut rng, kinds)).collect();
                let sent: Vec<u8> = commands.iter().flat_map(|(bytes, _)| bytes).copied().collect();
                let (head, tail) =
                    sent.split_at(usize::try_from(rng.below(sent.len() as u64)).unwrap());
                if round % 3 == 0 {
                    through.send(head);
                    thread::sleep(Duration::from_millis(2));
                    through.send(tail);
                } else {
                    through.send(&sent);
                }
                direct.send(&sent);
                for (bytes, _) in commands.iter().filter(|(_, is_answered)| *is_answered) {
                    let (reply, expected) = (through.reply(), direct.reply());
                    assert_eq!(readable(&reply), readable(&expected), "{}", readable(bytes));
                }
            }
        }
        assert!(harness.larder.resp_hits() > 1000, "{policy}: {} hits", harness.larder.resp_hits());
    }
}

/// Commands parsed ahead of a miss are parsed again after it, even if only a part of them had
/// arrived. (The names are chosen so that parsing from a wrong offset would still succeed.)
#[test]
fn commands_after_a_miss_may_arrive_in_pieces() {
    let Some(harness) = start(&[]) else { return };
    let mut direct = harness.direct();
    direct.expect("MSET hot 1 warm 2", "+OK");
    let mut through = harness.wire();
    for _ in 0..2 {
        through.expect("MGET hot warm", "*2 $1 1 $1 2");
    }
    let last = written("GET warm");
    for cut in 0..last.len() {
        let cold = format!("cold{cut:02}");
        direct.expect(&format!("SET {cold} {cut:02}"), "+OK");
        let (head, tail) = last.split_at(cut);
        through.send(&[written("GET hot"), written(&format!("GET {cold}")), head.into()].concat());
        thread::sleep(Duration::from_millis(2));
        through.send(tail);
        for reply in ["$1 1", &format!("$2 {cut:02}"), "$1 2"] {
            through.expect_next(reply);
        }
    }
}

/// The write that frees buffer space for the rest of a pipeline may be the last one of an event
/// loop iteration, with no later event to resume the pipeline. Without a wake-up one client in
/// eight was left waiting.
#[test]
fn a_pipeline_of_large_replies_is_answered_completely() {
    const READS: usize = 60;
    let Some(harness) = start(&["--near-max-value", "2mb", "--io-threads", "1"]) else {
        return;
    };
    let value = "v".repeat(1 << 20);
    harness.direct().expect(&format!("SET large {value}"), "+OK");
    harness.warm_up(&mut harness.wire(), "GET large", &format!("${} {value}", value.len()));
    let reply = format!("${}\r\n{value}\r\n", value.len()).len();
    let mut room = vec![0; 64 << 10];
    for client in 0..60 {
        let mut socket = UnixStream::connect(harness.unix_socket()).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        socket.write_all("GET large\r\n".repeat(READS).as_bytes()).unwrap();
        let mut missing = READS * reply;
        while missing > 0 {
            let read = socket.read(&mut room);
            let read = read.unwrap_or_else(|error| panic!("client {client}, {missing}: {error}"));
            assert!(read > 0, "client {client}: closed, {missing} bytes before the end");
            missing -= read;
        }
    }
}
