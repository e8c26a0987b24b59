//! Each control of the relay, seen from both ends of a connection that goes through it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests: a panic is a failure, and delays are measured on the real clock"
)]

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use larder_testkit::Direction::{Both, ToClient, ToServer};
use larder_testkit::Which::{All, NotSent, Sent};
use larder_testkit::{Relay, eventually};

/// No wait of these tests takes long; one that ends here is a failure.
const LIMIT: Duration = Duration::from_secs(10);

/// A server, and a relay in front of it.
struct Line {
    server: TcpListener,
    relay: Relay,
}

/// Both ends of one connection through the relay.
struct Ends {
    client: TcpStream,
    server: TcpStream,
}

fn line() -> Line {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let relay = Relay::to(server.local_addr().unwrap());
    Line { server, relay }
}

impl Line {
    fn connect(&self) -> Ends {
        let before = self.relay.connections(All);
        let client = self.client();
        let (server, _) = self.server.accept().unwrap();
        server.set_read_timeout(Some(LIMIT)).unwrap();
        eventually(LIMIT, "the relay to serve", || self.relay.connections(All) == before + 1);
        Ends { client, server }
    }

    fn client(&self) -> TcpStream {
        let client = TcpStream::connect(self.relay.addr()).unwrap();
        client.set_read_timeout(Some(LIMIT)).unwrap();
        client
    }

    /// Bytes that only pass count as well for a moment: look for silence as well.
    fn eventually_waiting(&self, count: usize) {
        let waiting = || self.relay.waiting_bytes(All, Both) == count;
        eventually(LIMIT, "the relay to keep what was sent", waiting);
    }

    fn eventually_swallowed(&self, count: usize) {
        let swallowed = || self.relay.swallowed_bytes(All, Both) == count;
        eventually(LIMIT, "the relay to swallow what was sent", swallowed);
    }
}

fn send(mut socket: &TcpStream, text: &str) {
    socket.write_all(text.as_bytes()).unwrap();
}

#[track_caller]
fn assert_receives(mut socket: &TcpStream, text: &str) {
    let mut received = vec![0; text.len()];
    socket.read_exact(&mut received).unwrap();
    assert_eq!(String::from_utf8(received).unwrap(), text);
}

#[track_caller]
fn assert_end(mut socket: &TcpStream) {
    match socket.read(&mut [0]) {
        Ok(count) => assert_eq!(count, 0, "bytes instead of the end"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}

/// Can miss what comes late, never fails what is right.
#[track_caller]
fn assert_silent(mut socket: &TcpStream) {
    socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let kind = socket.read(&mut [0]).map_err(|error| error.kind());
    assert!(matches!(kind, Err(ErrorKind::WouldBlock | ErrorKind::TimedOut)), "{kind:?}");
    socket.set_read_timeout(Some(LIMIT)).unwrap();
}

/// 4 MB, no part of which looks like another: several hundred reads of the relay.
fn much() -> Vec<u8> {
    (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect()
}

/// Sends it one way and checks that it arrives unchanged.
fn assert_carries(mut from: &TcpStream, mut to: &TcpStream, sent: &[u8]) {
    let mut received = vec![0; sent.len()];
    thread::scope(|threads| {
        threads.spawn(|| from.write_all(sent).unwrap());
        to.read_exact(&mut received).unwrap();
    });
    assert!(received == sent, "{} bytes arrive changed", sent.len());
}

#[test]
fn carries_everything_both_ways_and_the_end() {
    let line = line();
    let ends = line.connect();
    let sent = much();
    assert_carries(&ends.client, &ends.server, &sent);
    assert_carries(&ends.server, &ends.client, &sent);
    drop(ends.client);
    assert_end(&ends.server);
    drop(ends.server);
    eventually(LIMIT, "the connection to be forgotten", || line.relay.connections(All) == 0);
}

#[test]
fn a_delay_keeps_order_and_pipelining() {
    const DELAY: Duration = Duration::from_millis(100);
    let line = line();
    let ends = line.connect();
    line.relay.delay(All, ToClient, DELAY);
    let start = Instant::now();
    assert_carries(&ends.server, &ends.client, &much());
    let took = start.elapsed();
    assert!(took >= DELAY, "{took:?}");
    assert!(took < 50 * DELAY, "a delay per read: {took:?}");
}

#[test]
fn a_delay_holds_for_later_connections_until_changed() {
    let line = line();
    line.relay.delay(All, ToClient, Duration::from_millis(50));
    let ends = line.connect();
    let start = Instant::now();
    send(&ends.server, "late");
    assert_receives(&ends.client, "late");
    assert!(start.elapsed() >= Duration::from_millis(50));

    line.relay.delay(All, ToClient, LIMIT * 100);
    line.relay.delay(All, ToClient, Duration::ZERO);
    send(&ends.server, "at once");
    assert_receives(&ends.client, "at once");
}

#[test]
fn held_bytes_and_the_end_arrive_in_order_after_release() {
    let line = line();
    let ends = line.connect();
    line.relay.hold(All, ToClient);
    send(&ends.server, "one ");
    line.eventually_waiting(4);
    send(&ends.server, "two");
    line.eventually_waiting(7);
    drop(ends.server);
    assert_silent(&ends.client);

    line.relay.release(All, ToClient);
    assert_receives(&ends.client, "one two");
    assert_end(&ends.client);
}

#[test]
fn holding_one_direction_leaves_the_other() {
    let line = line();
    let ends = line.connect();
    line.relay.hold(All, ToServer);
    send(&ends.client, "kept");
    line.eventually_waiting(4);
    assert_silent(&ends.server);
    send(&ends.server, "passes");
    assert_receives(&ends.client, "passes");
    assert_eq!(line.relay.waiting_bytes(All, ToServer), 4);
    assert_eq!(line.relay.waiting_bytes(All, ToClient), 0);
}

#[test]
fn tells_connections_apart_by_what_they_sent() {
    let line = line();
    let (tracked, plain) = (line.connect(), line.connect());
    send(&tracked.client, "CLIENT TRA");
    assert_receives(&tracked.server, "CLIENT TRA");
    send(&tracked.client, "CKING ON");
    assert_receives(&tracked.server, "CKING ON");
    send(&plain.client, "GET k");
    assert_receives(&plain.server, "GET k");
    assert_eq!(line.relay.connections(Sent("TRACKING")), 1);
    assert_eq!(line.relay.connections(NotSent("TRACKING")), 1);

    line.relay.hold(Sent("TRACKING"), ToClient);
    send(&tracked.server, "push");
    line.eventually_waiting(4);
    assert_silent(&tracked.client);
    send(&plain.server, "value");
    assert_receives(&plain.client, "value");
    assert_eq!(line.relay.waiting_bytes(Sent("TRACKING"), ToClient), 4);

    line.relay.hold(NotSent("TRACKING"), ToClient);
    line.relay.release(Sent("TRACKING"), ToClient);
    assert_receives(&tracked.client, "push");
    send(&plain.server, "kept");
    line.eventually_waiting(4);
    assert_silent(&plain.client);
}

#[test]
fn a_rule_for_a_text_takes_hold_with_the_bytes_that_complete_it() {
    let line = line();
    line.relay.hold(Sent("TRACKING"), ToServer);
    let ends = line.connect();
    send(&ends.client, "HELLO 3");
    assert_receives(&ends.server, "HELLO 3");
    send(&ends.client, "CLIENT TRACKING ON");
    line.eventually_waiting("CLIENT TRACKING ON".len());
    assert_silent(&ends.server);
}

#[test]
fn a_black_hole_swallows_what_waits_and_what_comes() {
    let line = line();
    let ends = line.connect();
    line.relay.hold(All, ToClient);
    send(&ends.server, "held");
    line.eventually_waiting(4);
    line.relay.blackhole(All, ToClient);
    line.eventually_swallowed(4);
    line.relay.release(All, ToClient);
    send(&ends.server, "lost");
    line.eventually_swallowed(8);
    send(&ends.client, "the other way");
    assert_receives(&ends.server, "the other way");

    line.relay.heal();
    send(&ends.server, "again");
    assert_receives(&ends.client, "again");
}

#[test]
fn a_black_hole_takes_new_connections_until_healed() {
    let line = line();
    line.relay.blackhole(All, Both);
    let lost = line.connect();
    send(&lost.client, "request");
    send(&lost.server, "reply");
    line.eventually_swallowed(12);

    line.relay.heal();
    let ends = line.connect();
    send(&ends.client, "request");
    assert_receives(&ends.server, "request");
}

#[test]
fn a_black_hole_swallows_the_end() {
    let line = line();
    let ends = line.connect();
    line.relay.blackhole(All, ToServer);
    drop(ends.client);
    eventually(LIMIT, "the relay to see the end", || line.relay.connections(All) == 0);
    assert_silent(&ends.server);
    line.relay.heal();
    assert_silent(&ends.server);
}

#[test]
fn a_client_whose_server_left_unheard_learns_it_when_it_writes() {
    let line = line();
    let ends = line.connect();
    line.relay.blackhole(All, ToClient);
    drop(ends.server);
    assert_silent(&ends.client);
    line.relay.heal();
    // The first bytes draw a reset out of the network, the next ones meet it.
    eventually(LIMIT, "the client to hear of the end", || {
        (&ends.client).write_all(b"anyone?").ok();
        ends.client.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        matches!((&ends.client).read(&mut [0]), Ok(0))
    });
}

#[test]
fn cutting_closes_both_ends_of_those_meant() {
    let line = line();
    let (tracked, plain) = (line.connect(), line.connect());
    send(&tracked.client, "TRACKING");
    assert_receives(&tracked.server, "TRACKING");
    line.relay.cut(Sent("TRACKING"));
    assert_end(&tracked.client);
    assert_end(&tracked.server);
    assert_eq!(line.relay.connections(All), 1);
    send(&plain.client, "still here");
    assert_receives(&plain.server, "still here");
}

#[test]
fn cutting_ends_what_is_held_or_black_holed() {
    let line = line();
    let ends = line.connect();
    line.relay.hold(All, ToClient);
    line.relay.blackhole(All, ToServer);
    send(&ends.server, "held");
    line.eventually_waiting(4);
    line.relay.cut(All);
    assert_end(&ends.client);
    assert_end(&ends.server);
}

#[test]
fn refusing_closes_new_connections_only() {
    let line = line();
    let ends = line.connect();
    line.relay.refuse(true);
    assert_end(&line.client());
    send(&ends.client, "old");
    assert_receives(&ends.server, "old");
    line.relay.refuse(false);
    line.connect();
}

#[test]
fn ignoring_leaves_new_connections_unanswered() {
    let line = line();
    line.relay.ignore(true);
    let ignored = line.client();
    send(&ignored, "PING");
    assert_silent(&ignored);
    assert_eq!(line.relay.connections(All), 0);
    line.relay.ignore(false);
    line.connect();
    assert_end(&ignored);
}

#[test]
fn a_trickle_delivers_in_many_pieces() {
    let line = line();
    let ends = line.connect();
    line.relay.trickle(All, ToClient, 1);
    let text = "0123456789".repeat(30);
    send(&ends.server, &text);
    let (mut received, mut reads) = (Vec::new(), 0);
    while received.len() < text.len() {
        let mut buffer = [0; 1024];
        let count = (&ends.client).read(&mut buffer).unwrap();
        assert!(count > 0, "the end after {received:?}");
        received.extend_from_slice(&buffer[..count]);
        reads += 1;
    }
    assert_eq!(String::from_utf8(received).unwrap(), text);
    assert!(reads > 1, "300 bytes in one piece");

    line.relay.trickle(All, ToClient, usize::MAX);
    send(&ends.server, &text);
    assert_receives(&ends.client, &text);
}

#[test]
fn a_client_is_closed_when_the_server_is_down() {
    let line = line();
    let Line { server, relay } = line;
    drop(server);
    let client = TcpStream::connect(relay.addr()).unwrap();
    client.set_read_timeout(Some(LIMIT)).unwrap();
    assert_end(&client);
}

#[test]
fn dropping_the_relay_closes_its_port_and_connections() {
    let line = line();
    let ends = line.connect();
    let addr = line.relay.addr();
    line.relay.hold(All, Both);
    drop(line.relay);
    assert_end(&ends.client);
    assert_end(&ends.server);
    assert!(TcpStream::connect(addr).is_err());
}
