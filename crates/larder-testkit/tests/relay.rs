//! Each rule of the relay, observed from both ends of a connection through it.
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

use larder_testkit::ConnectionFilter::{All, NotSent, Sent};
use larder_testkit::Direction::{Both, ToClient, ToServer};
use larder_testkit::{Relay, eventually};

/// Limit on every wait. Nothing takes this long unless it fails.
const LIMIT: Duration = Duration::from_secs(10);

/// A server, and a relay in front of it.
struct Setup {
    server: TcpListener,
    relay: Relay,
}

/// Both ends of one connection through the relay.
struct Pair {
    client: TcpStream,
    server: TcpStream,
}

fn setup() -> Setup {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let relay = Relay::to(server.local_addr().unwrap());
    Setup { server, relay }
}

impl Setup {
    fn connect(&self) -> Pair {
        let before = self.relay.connections(All);
        let client = self.client();
        let (server, _) = self.server.accept().unwrap();
        server.set_read_timeout(Some(LIMIT)).unwrap();
        eventually(LIMIT, "the relay to serve", || self.relay.connections(All) == before + 1);
        Pair { client, server }
    }

    fn client(&self) -> TcpStream {
        let client = TcpStream::connect(self.relay.addr()).unwrap();
        client.set_read_timeout(Some(LIMIT)).unwrap();
        client
    }

    /// Waits until this many bytes are buffered. Bytes that are merely being forwarded count for a
    /// moment, so tests also assert silence.
    fn wait_until_buffered(&self, count: usize) {
        let waiting = || self.relay.buffered_bytes(All, Both) == count;
        eventually(LIMIT, "the relay to buffer what was sent", waiting);
    }

    fn wait_until_dropped(&self, count: usize) {
        let dropped = || self.relay.dropped_bytes(All, Both) == count;
        eventually(LIMIT, "the relay to drop what was sent", dropped);
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
        Ok(count) => assert_eq!(count, 0, "bytes instead of the end of the stream"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}

/// Asserts that nothing arrives for 20 ms. May miss bytes that arrive later, but never fails
/// wrongly.
#[track_caller]
fn assert_silent(mut socket: &TcpStream) {
    socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let kind = socket.read(&mut [0]).map_err(|error| error.kind());
    assert!(matches!(kind, Err(ErrorKind::WouldBlock | ErrorKind::TimedOut)), "{kind:?}");
    socket.set_read_timeout(Some(LIMIT)).unwrap();
}

/// Returns 4 MB without repetition: several hundred reads of the relay.
fn large_payload() -> Vec<u8> {
    (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect()
}

/// Sends bytes from one end and asserts that they arrive unchanged at the other.
fn assert_carries(mut from: &TcpStream, mut to: &TcpStream, sent: &[u8]) {
    let mut received = vec![0; sent.len()];
    thread::scope(|threads| {
        threads.spawn(|| from.write_all(sent).unwrap());
        to.read_exact(&mut received).unwrap();
    });
    assert!(received == sent, "{} bytes arrived changed", sent.len());
}

#[test]
fn bytes_and_the_end_of_stream_pass_in_both_directions() {
    let setup = setup();
    let pair = setup.connect();
    let sent = large_payload();
    assert_carries(&pair.client, &pair.server, &sent);
    assert_carries(&pair.server, &pair.client, &sent);
    drop(pair.client);
    assert_end(&pair.server);
    drop(pair.server);
    eventually(LIMIT, "the connection to be removed", || setup.relay.connections(All) == 0);
}

#[test]
fn a_delay_keeps_order_and_pipelining() {
    const DELAY: Duration = Duration::from_millis(100);
    let setup = setup();
    let pair = setup.connect();
    setup.relay.delay(All, ToClient, DELAY);
    let start = Instant::now();
    assert_carries(&pair.server, &pair.client, &large_payload());
    let took = start.elapsed();
    assert!(took >= DELAY, "{took:?}");
    assert!(took < 50 * DELAY, "a delay per read: {took:?}");
}

#[test]
fn a_delay_applies_to_later_connections_until_changed() {
    let setup = setup();
    setup.relay.delay(All, ToClient, Duration::from_millis(50));
    let pair = setup.connect();
    let start = Instant::now();
    send(&pair.server, "late");
    assert_receives(&pair.client, "late");
    assert!(start.elapsed() >= Duration::from_millis(50));

    setup.relay.delay(All, ToClient, LIMIT * 100);
    setup.relay.delay(All, ToClient, Duration::ZERO);
    send(&pair.server, "at once");
    assert_receives(&pair.client, "at once");
}

#[test]
fn release_delivers_held_bytes_and_the_end_in_order() {
    let setup = setup();
    let pair = setup.connect();
    setup.relay.hold(All, ToClient);
    send(&pair.server, "one ");
    setup.wait_until_buffered(4);
    send(&pair.server, "two");
    setup.wait_until_buffered(7);
    drop(pair.server);
    assert_silent(&pair.client);

    setup.relay.release(All, ToClient);
    assert_receives(&pair.client, "one two");
    assert_end(&pair.client);
}

#[test]
fn holding_one_direction_does_not_affect_the_other() {
    let setup = setup();
    let pair = setup.connect();
    setup.relay.hold(All, ToServer);
    send(&pair.client, "held");
    setup.wait_until_buffered(4);
    assert_silent(&pair.server);
    send(&pair.server, "passes");
    assert_receives(&pair.client, "passes");
    assert_eq!(setup.relay.buffered_bytes(All, ToServer), 4);
    assert_eq!(setup.relay.buffered_bytes(All, ToClient), 0);
}

#[test]
fn filters_select_connections_by_what_they_sent() {
    let setup = setup();
    let (tracked, plain) = (setup.connect(), setup.connect());
    send(&tracked.client, "CLIENT TRA");
    assert_receives(&tracked.server, "CLIENT TRA");
    send(&tracked.client, "CKING ON");
    assert_receives(&tracked.server, "CKING ON");
    send(&plain.client, "GET k");
    assert_receives(&plain.server, "GET k");
    assert_eq!(setup.relay.connections(Sent("TRACKING")), 1);
    assert_eq!(setup.relay.connections(NotSent("TRACKING")), 1);

    setup.relay.hold(Sent("TRACKING"), ToClient);
    send(&tracked.server, "push");
    setup.wait_until_buffered(4);
    assert_silent(&tracked.client);
    send(&plain.server, "value");
    assert_receives(&plain.client, "value");
    assert_eq!(setup.relay.buffered_bytes(Sent("TRACKING"), ToClient), 4);

    setup.relay.hold(NotSent("TRACKING"), ToClient);
    setup.relay.release(Sent("TRACKING"), ToClient);
    assert_receives(&tracked.client, "push");
    send(&plain.server, "held");
    setup.wait_until_buffered(4);
    assert_silent(&plain.client);
}

#[test]
fn a_filter_matches_from_the_bytes_that_complete_its_text() {
    let setup = setup();
    setup.relay.hold(Sent("TRACKING"), ToServer);
    let pair = setup.connect();
    send(&pair.client, "HELLO 3");
    assert_receives(&pair.server, "HELLO 3");
    send(&pair.client, "CLIENT TRACKING ON");
    setup.wait_until_buffered("CLIENT TRACKING ON".len());
    assert_silent(&pair.server);
}

#[test]
fn a_black_hole_drops_buffered_and_later_bytes() {
    let setup = setup();
    let pair = setup.connect();
    setup.relay.hold(All, ToClient);
    send(&pair.server, "held");
    setup.wait_until_buffered(4);
    setup.relay.blackhole(All, ToClient);
    setup.wait_until_dropped(4);
    setup.relay.release(All, ToClient);
    send(&pair.server, "lost");
    setup.wait_until_dropped(8);
    send(&pair.client, "the other way");
    assert_receives(&pair.server, "the other way");

    setup.relay.heal();
    send(&pair.server, "again");
    assert_receives(&pair.client, "again");
}

#[test]
fn a_black_hole_applies_to_new_connections_until_healed() {
    let setup = setup();
    setup.relay.blackhole(All, Both);
    let lost = setup.connect();
    send(&lost.client, "request");
    send(&lost.server, "reply");
    setup.wait_until_dropped(12);

    setup.relay.heal();
    let pair = setup.connect();
    send(&pair.client, "request");
    assert_receives(&pair.server, "request");
}

#[test]
fn a_black_hole_drops_the_end_of_stream() {
    let setup = setup();
    let pair = setup.connect();
    setup.relay.blackhole(All, ToServer);
    drop(pair.client);
    eventually(LIMIT, "the relay to see the end of the stream", || {
        setup.relay.connections(All) == 0
    });
    assert_silent(&pair.server);
    setup.relay.heal();
    assert_silent(&pair.server);
}

#[test]
fn a_write_reveals_a_server_that_closed_behind_a_black_hole() {
    let setup = setup();
    let pair = setup.connect();
    setup.relay.blackhole(All, ToClient);
    drop(pair.server);
    assert_silent(&pair.client);
    setup.relay.heal();
    // The first write provokes a reset from the network, and a later one sees it.
    eventually(LIMIT, "the client to see the end", || {
        (&pair.client).write_all(b"anyone?").ok();
        pair.client.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        matches!((&pair.client).read(&mut [0]), Ok(0))
    });
}

#[test]
fn cut_closes_both_ends_of_matching_connections() {
    let setup = setup();
    let (tracked, plain) = (setup.connect(), setup.connect());
    send(&tracked.client, "TRACKING");
    assert_receives(&tracked.server, "TRACKING");
    setup.relay.cut(Sent("TRACKING"));
    assert_end(&tracked.client);
    assert_end(&tracked.server);
    assert_eq!(setup.relay.connections(All), 1);
    send(&plain.client, "still here");
    assert_receives(&plain.server, "still here");
}

#[test]
fn cut_ends_held_and_black_holed_connections() {
    let setup = setup();
    let pair = setup.connect();
    setup.relay.hold(All, ToClient);
    setup.relay.blackhole(All, ToServer);
    send(&pair.server, "held");
    setup.wait_until_buffered(4);
    setup.relay.cut(All);
    assert_end(&pair.client);
    assert_end(&pair.server);
}

#[test]
fn refuse_closes_new_connections_only() {
    let setup = setup();
    let pair = setup.connect();
    setup.relay.refuse(true);
    assert_end(&setup.client());
    send(&pair.client, "old");
    assert_receives(&pair.server, "old");
    setup.relay.refuse(false);
    setup.connect();
}

#[test]
fn ignore_leaves_new_connections_unserved() {
    let setup = setup();
    setup.relay.ignore(true);
    let ignored = setup.client();
    send(&ignored, "PING");
    assert_silent(&ignored);
    assert_eq!(setup.relay.connections(All), 0);
    setup.relay.ignore(false);
    setup.connect();
    assert_end(&ignored);
}

#[test]
fn a_trickle_splits_writes() {
    let setup = setup();
    let pair = setup.connect();
    setup.relay.trickle(All, ToClient, 1);
    let text = "0123456789".repeat(30);
    send(&pair.server, &text);
    let (mut received, mut reads) = (Vec::new(), 0);
    while received.len() < text.len() {
        let mut buffer = [0; 1024];
        let count = (&pair.client).read(&mut buffer).unwrap();
        assert!(count > 0, "the end after {received:?}");
        received.extend_from_slice(&buffer[..count]);
        reads += 1;
    }
    assert_eq!(String::from_utf8(received).unwrap(), text);
    assert!(reads > 1, "300 bytes in one piece");

    setup.relay.trickle(All, ToClient, usize::MAX);
    send(&pair.server, &text);
    assert_receives(&pair.client, &text);
}

#[test]
fn a_client_is_disconnected_if_the_server_is_down() {
    let setup = setup();
    let Setup { server, relay } = setup;
    drop(server);
    let client = TcpStream::connect(relay.addr()).unwrap();
    client.set_read_timeout(Some(LIMIT)).unwrap();
    assert_end(&client);
}

#[test]
fn drop_closes_the_port_and_all_connections() {
    let setup = setup();
    let pair = setup.connect();
    let addr = setup.relay.addr();
    setup.relay.hold(All, Both);
    drop(setup.relay);
    assert_end(&pair.client);
    assert_end(&pair.server);
    assert!(TcpStream::connect(addr).is_err());
}
