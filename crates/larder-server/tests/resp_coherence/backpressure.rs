//! Clients that do not read, flood, block or disconnect: others are not delayed, nothing waits
//! forever, and every command gets its reply.

use std::thread;
use std::time::{Duration, Instant};

use larder_testkit::Direction::{ToClient, ToServer};
use larder_testkit::{ConnectionFilter, Harness, LIMIT, Signal, eventually};

use crate::client::{Client, Reply, encode};
use crate::setup::{ClientHarness, RedisHarness, start};

/// All clients share one worker thread.
const ONE_WORKER: &[&str] = &["--io-threads", "1"];
/// Limit for a client that shares the worker, on a busy machine.
const SHARED_WORKER_LIMIT: Duration = Duration::from_secs(15);

/// More than all buffers between client and Redis hold.
const REPLIES: usize = 30_000;

#[test]
fn a_client_that_writes_everything_before_reading_gets_all_replies() {
    let Some(harness) = start(ONE_WORKER) else { return };
    let value = "v".repeat(1_000);
    harness.foreign_client().call(&format!("SET k {value}"));
    harness.warm_up(&mut harness.client(), "GET k", &*value);
    let reply = format!("$1000\r\n{value}\r\n").len();
    for (line, replies) in [
        ("GET k", 1),
        // On the client's own upstream connection.
        ("GETRANGE k 0 -1", 1),
    ] {
        let mut client = harness.client();
        if line.starts_with("GETRANGE") {
            client.pipeline(&["WATCH k"]);
        }
        let bytes = encode(&[line]).repeat(REPLIES);
        client.send(&bytes).unwrap();
        // Another client is served meanwhile.
        assert_others_are_served(&harness);
        let all = REPLIES * replies * reply;
        assert_eq!(client.count_bytes(all), all, "{line}");
        client.expect("PING", "PONG");
    }
    // Large commands and large replies.
    let mut client = harness.client();
    let set = format!("SET large {}", "l".repeat(100_000));
    client.send(&encode(&[&set, "GET large"]).repeat(300)).unwrap();
    for _ in 0..300 {
        assert_eq!(client.reply(), "OK".into());
        assert!(matches!(client.reply(), Reply::Text(text) if text.len() == 100_000));
    }
}

#[test]
fn a_client_that_never_reads_does_not_affect_others_and_is_cleaned_up() {
    let Some(harness) = start(ONE_WORKER) else { return };
    harness.foreign_client().call(&format!("SET k {}", "v".repeat(100_000)));
    let clients = harness.larder.count("/resp/connected_clients");
    let mut stalled: Vec<Client> = (0..4).map(|_| harness.client()).collect();
    for (at, client) in stalled.iter_mut().enumerate() {
        if at % 2 == 0 {
            client.pipeline(&["MULTI", "DISCARD", "CLIENT TRACKING ON"]);
        }
        client.send(&encode(&["GET k"]).repeat(5_000)).unwrap();
    }
    assert_others_are_served(&harness);
    drop(stalled);
    eventually(LIMIT, "the clients to be gone", || {
        harness.larder.count("/resp/connected_clients") == clients
    });
    eventually(LIMIT, "their upstream connections to be closed", || {
        harness.larder.count("/resp/upstream_connections") == 0
    });
}

#[test]
fn a_client_that_exceeds_the_query_buffer_limit_is_closed_and_logged() {
    let Some(harness) = start(&["--client-query-buffer-limit", "1mb"]) else { return };
    let value = "v".repeat(100_000);
    harness.foreign_client().call(&format!("SET k {value}"));
    harness.warm_up(&mut harness.client(), "GET k", &*value);
    let mut flood = harness.client();
    let bytes = encode(&["GET k"]).repeat(1_000);
    eventually(LIMIT, "the client to be closed", || flood.send(&bytes).is_err());
    eventually(LIMIT, "a line in the log", || {
        harness.larder.log().contains("sent too much without reading its replies")
    });
}

#[test]
fn a_flooding_client_does_not_starve_others() {
    let Some(harness) = start(ONE_WORKER) else { return };
    harness.warm_up(&mut harness.client(), "GET absent", Reply::Nil);
    for line in ["GET absent", "SET flood 1", "PING"] {
        let mut flood = harness.client();
        let bytes = encode(&[line]).repeat(200_000);
        thread::scope(|threads| {
            let sent = threads.spawn(|| {
                flood.send(&bytes).unwrap();
                // The length of `$-1`, `+OK` and `+PONG` with their line ends.
                let reply = if line == "PING" { 7 } else { 5 };
                flood.count_bytes(200_000 * reply)
            });
            for _ in 0..5 {
                assert_others_are_served(&harness);
            }
            assert!(sent.join().unwrap() >= 1_000_000, "{line}");
        });
    }
}

fn assert_others_are_served(harness: &Harness) {
    let mut other = harness.client();
    let start = Instant::now();
    other.expect("GET absent", Reply::Nil);
    other.expect("SET other 1", "OK");
    other.expect("EVAL 'return 1' 0", 1);
    assert!(start.elapsed() < SHARED_WORKER_LIMIT, "{:?}", start.elapsed());
}

#[test]
fn blocked_clients_do_not_block_others_and_pop_nothing_after_disconnecting() {
    let Some(harness) = start(ONE_WORKER) else { return };
    let mut blocked: Vec<Client> = (0..20).map(|_| harness.client()).collect();
    for (at, client) in blocked.iter_mut().enumerate() {
        match at % 4 {
            0 => client.send_commands(&["BLPOP queue 0"]),
            // The next command must not be sent before the reply.
            1 => client.send_commands(&["BLPOP queue 0", "QUIT"]),
            2 => client.send_commands(&["PING", "BLMOVE queue taken LEFT RIGHT 0", "SUBSCRIBE x"]),
            _ => client.send_commands(&["BLPOP queue 0", "GET k", "SET k 1"]),
        }
    }
    let blocks = |count: u64| {
        let of_redis = || harness.redis.info("clients", "blocked_clients").unwrap();
        eventually(LIMIT, &format!("{count} to be blocked"), || of_redis() == count.to_string());
    };
    blocks(20);
    assert_others_are_served(&harness);
    // Disconnected clients do not pop what arrives later.
    drop(blocked);
    blocks(0);
    harness.client().expect("RPUSH queue a b c", 3);
    harness.client().expect("LLEN queue", 3);
    let mut waiting = harness.client();
    waiting.send_commands(&["BLPOP later 0", "GET k"]);
    blocks(1);
    harness.client().expect("RPUSH later x", 1);
    assert_eq!(waiting.reply(), Reply::texts(["later", "x"]));
    assert_eq!(waiting.reply(), Reply::Nil);
}

#[test]
fn a_half_closed_client_gets_its_replies() {
    let Some(harness) = start(&[]) else { return };
    for round in 0..20 {
        let mut client = harness.client();
        let set = format!("SET k {round}");
        client.send_commands(&[&set, "GET k", "EVAL 'return 7' 0", "INCR n"]);
        client.finish();
        let replies: Vec<_> = std::iter::from_fn(|| client.next().ok()).collect();
        let value = round.to_string();
        let expected = ["OK".into(), (&*value).into(), 7.into(), (round + 1).into()];
        assert_eq!(replies, expected);
    }
}

#[test]
fn commands_without_replies_are_executed_after_the_client_disconnects() {
    let Some(harness) = start(&[]) else { return };
    let value = "v".repeat(1_000);
    for (round, last_commands) in [&["QUIT"][..], &["RESET"], &[]].into_iter().enumerate() {
        let mut client = harness.client();
        let mut bytes = encode(&["CLIENT REPLY OFF"]);
        // More than the sockets between Larder and Redis hold.
        for at in 0..5_000 {
            bytes.extend(encode(&[&format!("RPUSH list:{round} {at}{value}")]));
        }
        bytes.extend(encode(last_commands));
        client.send(&bytes).unwrap();
        drop(client);
        let mut foreign = harness.foreign_client();
        eventually(LIMIT, &format!("all commands to be executed before {last_commands:?}"), || {
            foreign.call(&format!("LLEN list:{round}")) == 5_000.into()
        });
    }
}

#[test]
fn a_redis_that_does_not_read_delays_only_the_writer() {
    let Some(harness) = start(ONE_WORKER) else { return };
    harness.warm_up(&mut harness.client(), "GET absent", Reply::Nil);
    let mut writer = harness.client();
    writer.call("ECHO writer");
    let upstream = ConnectionFilter::Sent("writer");
    harness.relay().hold(upstream, ToServer);
    let value = "v".repeat(10_000);
    let bytes = encode(&[&format!("SET k {value}")]).repeat(10_000);
    thread::scope(|threads| {
        // 100 MB: more than the relay and all sockets hold.
        let sent = threads.spawn(|| {
            writer.send(&bytes).unwrap();
            (0..10_000).all(|_| writer.reply() == "OK".into())
        });
        eventually(LIMIT, "the relay to fill", || {
            harness.relay().buffered_bytes(upstream, ToServer) > 32 << 20
        });
        assert_others_are_served(&harness);
        harness.relay().release(upstream, ToServer);
        assert!(sent.join().unwrap());
    });
    writer.expect("GET k", &*value);
}

#[test]
fn pending_commands_are_answered_before_shutdown() {
    let Some(harness) = start(&[]) else { return };
    let mut client = harness.client();
    let mut idle = harness.client();
    let mut subscriber = harness.client();
    client.call("ECHO working");
    idle.call("PING");
    subscriber.send_commands(&["SUBSCRIBE x"]);
    subscriber.reply();
    harness.relay().hold(ConnectionFilter::All, ToClient);
    // One waits for its own upstream connection, one for the tracked connection.
    let mut reader = harness.client();
    client.send_commands(&["SET k v", "GET k"]);
    reader.send_commands(&["GET cold"]);
    eventually(LIMIT, "redis to have answered", || harness.redis.command_calls("set") == 1);
    eventually(LIMIT, "the read to be pending", || {
        harness.redis.command_calls("get") >= 2 && harness.redis.command_calls("pttl") >= 1
    });
    harness.larder.signal(Signal::TERM);
    assert!(idle.is_closed());
    assert!(subscriber.is_closed());
    harness.relay().release(ConnectionFilter::All, ToClient);
    assert_eq!(client.reply(), "OK".into());
    assert_eq!(client.reply(), "v".into());
    assert_eq!(reader.reply(), Reply::Nil);
    assert!(client.is_closed() && reader.is_closed());
    assert!(harness.larder.wait().success());
}

#[test]
fn idle_clients_are_closed_but_subscribed_and_blocked_ones_are_not() {
    let Some(harness) = start(&["--timeout", "1s"]) else { return };
    let open = |lines: &[&str]| {
        let mut client = harness.client();
        client.send_commands(lines);
        client
    };
    let mut subscriber = open(&["SUBSCRIBE x"]);
    let mut blocked = open(&["BLPOP queue 0"]);
    let mut idle = open(&["PING"]);
    let mut halfway = open(&[]);
    halfway.send(b"*2\r\n$3\r\nGET\r\n").unwrap();
    subscriber.reply();
    idle.reply();
    assert!(idle.is_closed());
    assert!(halfway.is_closed());
    harness.foreign_client().pipeline(&["PUBLISH x hello", "RPUSH queue a"]);
    assert!(matches!(subscriber.reply(), Reply::List(items) if items[2] == "hello".into()));
    assert_eq!(blocked.reply(), Reply::texts(["queue", "a"]));
}
