//! At a fixed rate, a stall of the server delays every request that falls due meanwhile.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests: a panic is a failure")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, sleep};
use std::time::Duration;

use larder_bench::generator::{Generator, LoadConfig, Protocol, ReplyCheck, Target};
use larder_bench::keys::{KeySequence, KeySpace, VALUE_BYTES};
use larder_bench::stop::Stop;

const STALL: Duration = Duration::from_millis(400);
const PER_SECOND: u64 = 500;

/// Starts a server with one thread for all clients, which stalls once, at the 100th request.
fn stalling_server(connections: usize) -> Target {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut clients: Vec<_> = (0..connections).map(|_| listener.accept().unwrap().0).collect();
        for client in &clients {
            client.set_nonblocking(true).unwrap();
        }
        let mut answered = 0;
        loop {
            for client in &mut clients {
                if answer(client) {
                    answered += 1;
                    sleep(if answered == 100 { STALL } else { Duration::ZERO });
                }
            }
            sleep(Duration::from_micros(50));
        }
    });
    Target::Tcp(port)
}

/// Answers a client. Returns false if it has sent no request.
fn answer(client: &mut TcpStream) -> bool {
    let mut request = [0; 1024];
    if !client.read(&mut request).is_ok_and(|count| count > 0) {
        return false;
    }
    let value = "x".repeat(VALUE_BYTES);
    client.write_all(format!("${VALUE_BYTES}\r\n{value}\r\n").as_bytes()).is_ok()
}

fn generator(connections: usize) -> Generator {
    let (protocol, key_space) = (Protocol::Resp, KeySpace::HOT);
    let check = ReplyCheck::Length;
    let config = LoadConfig { connections, pipeline: 1, protocol, key_space, check };
    Generator::connect(&stalling_server(connections), config, &Stop::default()).unwrap()
}

fn slower_than(latency: &hdrhistogram::Histogram<u64>, millis: u64) -> u64 {
    latency.len() - latency.count_between(0, millis * 1_000_000)
}

#[test]
fn a_stall_delays_every_request_that_is_due_meanwhile() {
    let mut generator = generator(2);
    let mut sequence = KeySequence::random(10, 1);
    let second = Duration::from_secs(1);
    let stats =
        generator.run_open_loop(&mut sequence, PER_SECOND, second).unwrap().checked().unwrap();
    // Every request that was due was sent, however late.
    assert_eq!((stats.load.requests, stats.load.latency.len()), (PER_SECOND, PER_SECOND));
    // 150 requests were due while at least 100 ms of the stall remained.
    let slow = slower_than(&stats.load.latency, 100);
    assert!(slow >= 140, "{slow} of {PER_SECOND}");
    assert!(stats.load.latency.max() >= 390_000_000, "{}", stats.load.latency.max());
    // The generator itself did not cause the delay.
    let late = slower_than(&stats.late, 100);
    assert!(late < 140, "the generator itself was late for {late}");
}

/// A closed loop sends nothing while it waits, so it sees few slow requests.
#[test]
fn a_closed_loop_sees_few_slow_requests() {
    let mut generator = generator(2);
    let stats = generator.run(&mut KeySequence::random(10, 1), Duration::from_millis(500)).unwrap();
    assert!(slower_than(&stats.latency, 350) <= 4);
}
