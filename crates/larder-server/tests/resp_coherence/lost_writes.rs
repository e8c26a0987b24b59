//! A client's road to Redis is lost: nothing is sent twice, what came before is handed on, and the
//! client learns of it as from a Redis that dies (R14).

use std::sync::mpsc;
use std::thread;

use larder_testkit::Direction::ToClient;
use larder_testkit::{ConnectionFilter, Harness, LIMIT, eventually};

use crate::client::{Client, encode};
use crate::setup::{ClientHarness, RedisHarness, start};

const INCRS: u64 = 1_000;
/// The clients of this test say this first.
const COUNTS: ConnectionFilter = ConnectionFilter::Sent("counts");

#[test]
fn every_acknowledged_incr_counts_and_none_counts_twice() {
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
            // Carried out, and the replies are lost.
            1 => {
                let all = carried_out + batch;
                eventually(LIMIT, "redis to count", || harness.redis.command_calls("incr") == all);
                harness.relay().cut(COUNTS);
                harness.relay().release(COUNTS, ToClient);
            }
            // Carried out or not.
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
    println!("{sent} sent, {acknowledged} acknowledged, {counted} counted, {lost} times lost");
    assert!(newest <= counted && counted <= sent, "{newest} <= {counted} <= {sent}");
    assert!(acknowledged <= counted);
    assert!(acknowledged > INCRS / 4 && lost > 50, "{acknowledged} acknowledged, {lost} lost");
    // And it is read as it is.
    assert_eq!(harness.client().call("GET n").number(), counted);
}

fn counting(harness: &Harness) -> Client {
    let mut client = harness.client();
    // What it has set up there makes it notice when this very connection ends.
    assert_eq!(client.pipeline(&["ECHO counts", "SELECT 0"])[1], "OK".into());
    client
}

#[test]
fn replies_that_came_before_the_loss_are_handed_on_to_the_last_byte() {
    let Some(harness) = start(&[]) else { return };
    let large = "x".repeat(200_000);
    harness.foreign_client().call(&format!("SET large {large}"));
    let mut client = counting(&harness);
    // Far more than the sockets between them hold.
    let mut lines = vec!["INCR n"];
    lines.extend(vec!["GET large"; 80]);
    lines.extend(["INCR n", "BLPOP never 0", "INCR n"]);
    client.send_commands(&lines);
    eventually(LIMIT, "redis to block", || {
        harness.redis.info("clients", "blocked_clients").as_deref() == Some("1")
    });
    let (read, count) = mpsc::channel();
    let reader = thread::spawn(move || {
        let next = || client.next().ok().inspect(|_| read.send(()).unwrap_or_default());
        std::iter::from_fn(next).collect::<Vec<_>>()
    });
    // Only when the last reply before it was passed on can the loss be seen.
    eventually(LIMIT, "all replies to pass", || {
        harness.relay().buffered_bytes(COUNTS, ToClient) == 0
            && harness.redis.info("clients", "blocked_clients").as_deref() == Some("1")
    });
    // The short one stands right behind the last of the large ones.
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
fn a_slow_reader_gets_all_that_came_before_the_loss() {
    let Some(harness) = start(&[]) else { return };
    let large = "x".repeat(900_000);
    harness.foreign_client().call(&format!("SET large {large}"));
    let mut client = counting(&harness);
    // Passed on to Larder as a whole, and more than the client's socket takes at once.
    let mut lines = vec!["GET large"; 5];
    lines.extend(["INCR n", "BLPOP never 0"]);
    client.send_commands(&lines);
    eventually(LIMIT, "redis to block", || {
        harness.redis.info("clients", "blocked_clients").as_deref() == Some("1")
    });
    thread::sleep(std::time::Duration::from_millis(300));
    harness.relay().cut(COUNTS);
    thread::sleep(std::time::Duration::from_millis(300));
    let replies: Vec<_> = std::iter::from_fn(|| client.next().ok()).collect();
    // What Redis had sent and Larder had not read yet is lost with the connection.
    assert!(!replies.is_empty());
    let whole = replies.iter().take(5).all(|reply| *reply == (&*large).into());
    assert!(whole, "{} replies", replies.len());
}

#[test]
fn an_idle_client_does_not_notice_unless_it_had_something_set_up() {
    let Some(harness) = start(&[]) else { return };
    let kept: [&[&str]; 4] = [&[], &["SET k 1", "GET k"], &["EVAL 'return 1' 0"], &["CLIENT ID"]];
    let lost: [&[&str]; 8] = [
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
    let mut kept: Vec<Client> = kept.iter().map(open).collect();
    let mut lost: Vec<Client> = lost.iter().map(open).collect();
    harness.redis.kill_clients();
    // Subscribers are of another type.
    harness.foreign_client().pipeline(&["CLIENT KILL TYPE pubsub", "CLIENT KILL TYPE replica"]);
    eventually(LIMIT, "larder to notice", || {
        harness.larder.count("/resp/upstream_connections") == 0
    });
    for client in &mut kept {
        client.expect("PING", "PONG");
        client.expect("SET k 2", "OK");
        client.expect("GET k", "2");
    }
    harness.relay().cut(ConnectionFilter::NotSent("TRACKING"));
    for client in &mut lost {
        let end = std::iter::from_fn(|| client.next().ok()).take(100).count();
        assert!(end < 100, "not closed");
    }
    eventually(LIMIT, "larder to notice", || {
        harness.larder.count("/resp/upstream_connections") == 0
    });
    for client in &mut kept {
        client.expect("PING", "PONG");
    }
}
