//! A client's upstream connection is lost: nothing is sent twice, earlier replies are delivered,
//! and the client is disconnected as if Redis had died (R14).

use std::sync::mpsc;
use std::thread;

use larder_testkit::Direction::ToClient;
use larder_testkit::{ConnectionFilter, Harness, LIMIT, eventually};

use crate::client::{Client, encode};
use crate::setup::{ClientHarness, RedisHarness, start};

const INCRS: u64 = 1_000;
/// Clients of this test send this first.
const COUNTS: ConnectionFilter = ConnectionFilter::Sent("counts");

#[test]
fn every_acknowledged_incr_is_counted_once() {
    let Some(harness) = start(&[]) else { return };
    let (mut sent, mut acknowledged, mut newest, mut lost) = (0, 0, 0, 0);
    let mut client = counting(&harness);
    for round in 0.. {
        if sent >= INCRS {
            break;
        }
        let batch = 1 + round % 5;
        let incrs = vec!["INCR n"; usize::try_from(batch).unwrap()];
        let carried_out = harness.redis.command_calls("incr");
        let fault = round % 3;
        if fault == 1 {
            harness.relay().hold(COUNTS, ToClient);
        }
        client.send(&encode(&incrs)).unwrap();
        sent += batch;
        match fault {
            // Executed, but the replies are lost.
            1 => {
                let all = carried_out + batch;
                eventually(LIMIT, "redis to count", || harness.redis.command_calls("incr") == all);
                harness.relay().cut(COUNTS);
                harness.relay().release(COUNTS, ToClient);
            }
            // Executed or not.
            2 => harness.relay().cut(COUNTS),
            _ => {}
        }
        for _ in 0..batch {
            let Ok(reply) = client.next() else {
                lost += 1;
                client = counting(&harness);
                break;
            };
            acknowledged += 1;
            assert!(reply.number() > newest, "{reply:?} after {newest}");
            newest = reply.number();
        }
    }
    let counted = harness.foreign_client().call("GET n").number();
    println!("{sent} sent, {acknowledged} acknowledged, {counted} counted, {lost} lost");
    assert!(newest <= counted && counted <= sent, "{newest} <= {counted} <= {sent}");
    assert!(acknowledged <= counted);
    assert!(acknowledged > INCRS / 4 && lost > 50, "{acknowledged} acknowledged, {lost} lost");
    // And reads return this value.
    assert_eq!(harness.client().call("GET n").number(), counted);
}

fn counting(harness: &Harness) -> Client {
    let mut client = harness.client();
    // Its session state makes it notice the end of this connection.
    assert_eq!(client.pipeline(&["ECHO counts", "SELECT 0"])[1], "OK".into());
    client
}

#[test]
fn replies_that_arrived_before_the_loss_are_delivered_completely() {
    let Some(harness) = start(&[]) else { return };
    let large = "x".repeat(200_000);
    harness.foreign_client().call(&format!("SET large {large}"));
    let mut client = counting(&harness);
    // Its reads go upstream from now on.
    client.call("CLIENT TRACKING ON");
    // Far more than the sockets in between hold.
    let mut lines = vec!["INCR n"];
    lines.extend(vec!["GET large"; 80]);
    lines.extend(["INCR n", "BLPOP never 0", "INCR n"]);
    client.send_commands(&lines);
    eventually(LIMIT, "redis to block the client", || {
        harness.redis.info("clients", "blocked_clients").as_deref() == Some("1")
    });
    let (read, count) = mpsc::channel();
    let reader = thread::spawn(move || {
        let next = || client.next().ok().inspect(|_| read.send(()).unwrap_or_default());
        std::iter::from_fn(next).collect::<Vec<_>>()
    });
    // The loss is detected only after the last earlier reply has been forwarded.
    eventually(LIMIT, "all replies to be forwarded", || {
        harness.relay().buffered_bytes(COUNTS, ToClient) == 0
            && harness.redis.info("clients", "blocked_clients").as_deref() == Some("1")
    });
    // The short reply follows directly after the last large one.
    (0..81).for_each(|_| count.recv_timeout(LIMIT).unwrap());
    thread::sleep(std::time::Duration::from_millis(200));
    harness.relay().cut(COUNTS);
    let replies = reader.join().unwrap();
    assert_eq!(replies.len(), 82);
    assert_eq!(replies[0], 1.into());
    assert!(replies[1..81].iter().all(|reply| *reply == (&*large).into()));
    assert_eq!(replies[81], 2.into());
}

#[test]
fn a_slow_reader_gets_all_replies_that_arrived_before_the_loss() {
    let Some(harness) = start(&[]) else { return };
    let large = "x".repeat(900_000);
    harness.foreign_client().call(&format!("SET large {large}"));
    let mut client = counting(&harness);
    // Delivered to Larder completely, and more than the client's socket holds.
    let mut lines = vec!["GET large"; 5];
    lines.extend(["INCR n", "BLPOP never 0"]);
    client.send_commands(&lines);
    eventually(LIMIT, "redis to block the client", || {
        harness.redis.info("clients", "blocked_clients").as_deref() == Some("1")
    });
    thread::sleep(std::time::Duration::from_millis(300));
    harness.relay().cut(COUNTS);
    thread::sleep(std::time::Duration::from_millis(300));
    let replies: Vec<_> = std::iter::from_fn(|| client.next().ok()).collect();
    // Replies that Redis had sent but Larder had not read are lost with the connection.
    assert!(!replies.is_empty());
    let whole = replies.iter().take(5).all(|reply| *reply == (&*large).into());
    assert!(whole, "{} replies", replies.len());
}

#[test]
fn an_idle_client_that_had_session_state_is_closed() {
    let Some(harness) = start(&[]) else { return };
    let states: [&[&str]; 8] = [
        &["SELECT 5"],
        &["MULTI"],
        &["WATCH k"],
        &["HELLO 3"],
        &["SUBSCRIBE a"],
        &["CLIENT TRACKING ON BCAST"],
        &["MONITOR"],
        &["CLIENT REPLY ON", "MULTI", "SET k 1"],
    ];
    let open = |lines: &&[&str]| {
        let mut client = harness.client();
        client.pipeline(&["PING"]);
        client.pipeline(lines);
        client
    };
    let mut clients: Vec<Client> = states.iter().map(open).collect();
    // Clients without state survive this.
    harness.redis.restart();
    for client in &mut clients {
        let end = std::iter::from_fn(|| client.next().ok()).take(100).count();
        assert!(end < 100, "not closed");
    }
}
