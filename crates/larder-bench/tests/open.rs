//! At a fixed rate a stall is felt by all who were due meanwhile, and by each for as long as it lasts.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests: a panic is a failure")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, sleep};
use std::time::Duration;

use larder_bench::generator::{Answers, Generator, Protocol, Shape, Target};
use larder_bench::keys::{Family, Order, VALUE_BYTES};
use larder_bench::stop::Stop;

const STALL: Duration = Duration::from_millis(400);
const PER_SECOND: u64 = 500;

/// One thread for all: when it sleeps, nobody has an answer. It does once, at the 100th request.
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

/// Whether there was a request.
fn answer(client: &mut TcpStream) -> bool {
    let mut request = [0; 1024];
    if !client.read(&mut request).is_ok_and(|count| count > 0) {
        return false;
    }
    let value = "x".repeat(VALUE_BYTES);
    client.write_all(format!("${VALUE_BYTES}\r\n{value}\r\n").as_bytes()).is_ok()
}

fn generator(connections: usize) -> Generator {
    let (protocol, family) = (Protocol::Resp, Family::HOT);
    let answers = Answers::OfLength;
    let shape = Shape { connections, pipeline: 1, protocol, family, answers };
    Generator::connect(&stalling_server(connections), shape, &Stop::default()).unwrap()
}

fn slower_than(latency: &hdrhistogram::Histogram<u64>, millis: u64) -> u64 {
    latency.len() - latency.count_between(0, millis * 1_000_000)
}

#[test]
fn all_who_were_due_during_a_stall_have_waited() {
    let mut generator = generator(2);
    let mut order = Order::random(10, 1);
    let second = Duration::from_secs(1);
    let paced = generator.run_open(&mut order, PER_SECOND, second).unwrap().all_right().unwrap();
    // Everything that was due was sent, however late.
    assert_eq!((paced.seen.requests, paced.seen.latency.len()), (PER_SECOND, PER_SECOND));
    // 150 were due while 100 ms or more of the stall were still to come.
    let slow = slower_than(&paced.seen.latency, 100);
    assert!(slow >= 140, "{slow} of {PER_SECOND}");
    assert!(paced.seen.latency.max() >= 390_000_000, "{}", paced.seen.latency.max());
    // It was the server's fault.
    let late = slower_than(&paced.late, 100);
    assert!(late < 140, "the generator itself was late for {late}");
}

/// What the open loop is for: this one asks nothing while it waits, so it sees a few slow requests.
#[test]
fn a_closed_loop_overlooks_the_stall() {
    let mut generator = generator(2);
    let seen = generator.run(&mut Order::random(10, 1), Duration::from_millis(500)).unwrap();
    assert!(slower_than(&seen.latency, 350) <= 4);
}
