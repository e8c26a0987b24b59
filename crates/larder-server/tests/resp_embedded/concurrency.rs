//! Concurrent clients.

use std::{
    collections::HashSet,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};

use larder_resp::reply::Frame;
use redis::{Commands, Connection};

use crate::resp_client::RespClient;
use crate::setup::Embedded;

const CLIENTS: i64 = 8;

fn connect(server: &Embedded) -> Connection {
    let client = redis::Client::open(format!("redis://127.0.0.1:{}", server.port)).unwrap();
    client.get_connection().unwrap()
}

#[test]
fn no_increment_is_lost() {
    const EACH: i64 = 500;
    let server = Embedded::start(&["--io-threads", "4"]);
    let seen: Vec<HashSet<i64>> = thread::scope(|scope| {
        let count = || {
            let mut connection = connect(&server);
            (0..EACH).map(|_| connection.incr("n", 1).unwrap()).collect()
        };
        let threads: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(count)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(connect(&server).get::<_, i64>("n").unwrap(), CLIENTS * EACH);
    let all: HashSet<i64> = seen.iter().flatten().copied().collect();
    assert_eq!(all, (1..=CLIENTS * EACH).collect(), "each value is returned to one client");
}

#[test]
fn no_client_sees_a_partial_transaction() {
    let server = Embedded::start(&["--io-threads", "4"]);
    let stop = AtomicBool::new(false);
    server.client().expect("MSET left 1000 right 0", "+OK");
    thread::scope(|scope| {
        let transfer = || {
            let mut client = server.client();
            for _ in 0..300 {
                client.expect("MULTI", "+OK");
                client.expect("DECR left", "+QUEUED");
                client.expect("INCR right", "+QUEUED");
                client.line("EXEC");
            }
        };
        let check_sum = || {
            let mut connection = connect(&server);
            while !stop.load(Relaxed) {
                let (left, right): (i64, i64) = connection.mget(&["left", "right"]).unwrap();
                assert_eq!(left + right, 1000);
            }
        };
        let readers = [scope.spawn(check_sum), scope.spawn(check_sum)];
        let writers = [scope.spawn(transfer), scope.spawn(transfer)];
        for thread in writers {
            thread.join().unwrap();
        }
        stop.store(true, Relaxed);
        for thread in readers {
            thread.join().unwrap();
        }
    });
    server.client().expect("MGET left right", "*2 $3 400 $3 600");
}

#[test]
fn watch_prevents_lost_updates() {
    const EACH: i64 = 50;
    let server = Embedded::start(&["--io-threads", "4"]);
    server.client().expect("SET n 0", "+OK");
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut client = server.client();
                (0..EACH).for_each(|_| while !try_increment(&mut client) {});
            });
        }
    });
    let expected = (CLIENTS * EACH).to_string();
    server.client().expect("GET n", &format!("${} {expected}", expected.len()));
}

/// Increments a number with `WATCH` and `MULTI`. Returns false if another client changed it first.
fn try_increment(client: &mut RespClient) -> bool {
    client.expect("WATCH n", "+OK");
    let value = client.line("GET n");
    let value = Frame::parse(&value).unwrap().as_str_bytes().unwrap().to_vec();
    let value: i64 = String::from_utf8(value).unwrap().parse().unwrap();
    client.expect("MULTI", "+OK");
    client.expect(&format!("SET n {}", value + 1), "+QUEUED");
    match client.line("EXEC").as_slice() {
        b"*1\r\n+OK\r\n" => true,
        b"*-1\r\n" => false,
        other => panic!("{}", other.escape_ascii()),
    }
}

#[test]
fn scan_returns_every_key_that_exists_throughout() {
    const STAYING: usize = 1000;
    let server = Embedded::start(&["--io-threads", "4"]);
    let stop = AtomicBool::new(false);
    let mut connection = connect(&server);
    for key in 0..STAYING {
        connection.set::<_, _, ()>(format!("stays:{key}"), "x").unwrap();
        connection.set::<_, _, ()>(format!("goes:{key}"), "x").unwrap();
    }
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut connection = connect(&server);
            let mut turn = 0;
            while !stop.load(Relaxed) {
                turn += 1;
                connection.del::<_, ()>(format!("goes:{}", turn * 7 % STAYING)).unwrap();
                connection.set::<_, _, ()>(format!("comes:{}", turn % 500), "x").unwrap();
                connection.del::<_, ()>(format!("comes:{}", (turn + 250) % 500)).unwrap();
            }
        });
        for count in [1, 7, 100] {
            let mut found = HashSet::new();
            let mut cursor = 0_u64;
            loop {
                let mut scan = redis::cmd("SCAN");
                scan.arg(cursor).arg("COUNT").arg(count).arg("MATCH").arg("stays:*");
                let (next, keys): (u64, Vec<String>) = scan.query(&mut connection).unwrap();
                found.extend(keys);
                cursor = next;
                if cursor == 0 {
                    break;
                }
            }
            assert_eq!(found.len(), STAYING, "with COUNT {count}");
        }
        stop.store(true, Relaxed);
    });
}

#[test]
fn a_disconnected_client_leaves_no_state_behind() {
    let server = Embedded::start(&[]);
    for _ in 0..20 {
        let mut client = server.client();
        client.expect("SELECT 5", "+OK");
        client.expect("WATCH a b c", "+OK");
        client.expect("MULTI", "+OK");
        client.expect("SET a 1", "+QUEUED");
    }
    let mut client = server.client();
    client.expect("GET a", "$-1");
    client.expect("SELECT 5", "+OK");
    client.expect("GET a", "$-1");
    larder_testkit::eventually(crate::setup::LIMIT, "the other clients to be removed", || {
        String::from_utf8(client.line("CLIENT LIST")).unwrap().matches("id=").count() == 1
    });
}
